import { BREATH_STEPS } from '../breathing.ts';

/**
 * Runs programs of several threads in an order that `draw` decides: it is asked for a number below the count of those
 * that still run. `step` is called after each step. Yields now and then.
 */
export function* interleave(
  programs: readonly Iterator<void>[],
  draw: (runnable: number) => number,
  step: () => void = () => {},
): Generator<void> {
  const runnable = [...programs];
  for (let steps = 1; runnable.length > 0; steps++) {
    const i = draw(runnable.length);
    if (runnable[i]!.next().done) {
      runnable[i] = runnable[runnable.length - 1]!;
      runnable.pop();
    } else {
      step();
    }
    if (steps % BREATH_STEPS === 0) yield;
  }
}

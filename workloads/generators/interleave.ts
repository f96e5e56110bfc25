/**
 * Runs programs of several threads in an order that `draw` decides: it is asked for a number below the count of those
 * that still run. `step` is called after each step.
 */
export function interleave(
  programs: readonly Iterator<void>[],
  draw: (runnable: number) => number,
  step: () => void = () => {},
): void {
  const runnable = [...programs];
  while (runnable.length > 0) {
    const i = draw(runnable.length);
    if (runnable[i]!.next().done) {
      runnable[i] = runnable[runnable.length - 1]!;
      runnable.pop();
    } else {
      step();
    }
  }
}

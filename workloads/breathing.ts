import { Interrupted } from '../sim/contract/assert.ts';

/** Steps of a generator of events between two of its yields. */
export const BREATH_STEPS = 4096;

/** So long without a breath, and the step that is running. */
const BREATH_MS = 100;

/** Work in steps, to its end. */
export function atOnce<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same, letting the event loop breathe between steps so that Ctrl-C is heard. Throws Interrupted where the signal comes. */
export async function breathing<T>(steps: Generator<void, T>, signal?: AbortSignal): Promise<T> {
  for (let breathed = performance.now(); ; ) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - breathed < BREATH_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    if (signal?.aborted) throw new Interrupted('interrupted');
    breathed = performance.now();
  }
}

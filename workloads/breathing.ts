/** Steps of a generator of events between two of its yields. */
export const BREATH_STEPS = 4096;

/** So long without a breath at most; steps are short, and the time is looked at only now and then. */
const BREATH_MS = 100;
const STEPS_A_LOOK = 32;

/** Work in steps, to its end. */
export function atOnce<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same, letting the event loop breathe between steps so that Ctrl-C is heard. */
export async function breathing<T>(steps: Generator<void, T>): Promise<T> {
  for (let breathed = performance.now(), count = 1; ; count++) {
    const step = steps.next();
    if (step.done) return step.value;
    if (count % STEPS_A_LOOK !== 0 || performance.now() - breathed < BREATH_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    breathed = performance.now();
  }
}

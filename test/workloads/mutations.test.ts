import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INPUT_TARGETS } from '../fuzz/input-targets.ts';

/** As many as take a few seconds; `npm run fuzz` goes on. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1500);
const LIMIT_MS = 20_000 + RUNS * 20;

describe.each(INPUT_TARGETS)('broken inputs: $name', ({ inputs, check }) => {
  it('end in a result or in one line, the same in any pieces', async () => {
    const property = fc.asyncProperty(inputs, async (input) => {
      await check(input);
    });
    await fc.assert(property, { numRuns: RUNS, interruptAfterTimeLimit: LIMIT_MS, markInterruptAsFailure: true });
    expect.assertions(0);
  });
});

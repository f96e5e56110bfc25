import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INPUT_TARGETS } from '../fuzz/input-targets.ts';

/** As many as take a few seconds; `npm run fuzz` goes on. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 600);

describe.each(INPUT_TARGETS)('broken inputs: $name', ({ inputs, check }) => {
  it('end in a result or in one line, the same in any pieces', { timeout: 600_000 }, async () => {
    const property = fc.asyncProperty(inputs, async (input) => {
      await check(input);
    });
    await fc.assert(property, { numRuns: RUNS });
    expect.assertions(0);
  });
});

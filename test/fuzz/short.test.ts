import fc from 'fast-check';
import { describe, test } from 'vitest';
import { AREAS } from './areas.ts';
import { CORPORA, corpusOf } from './corpus.ts';

/** A short run of what `npm run fuzz` does for long. */
const INPUTS = 400;
const SEED = 20;

describe('what has failed once', () => {
  test.each(CORPORA)('%s', async (name) => {
    const { area } = AREAS.find((each) => each.area.name === name)!;
    for (const bytes of corpusOf(name)) await area.check(bytes);
  });
});

describe('mutated inputs and random programs end in a result, or in one line', () => {
  test.each(AREAS.map(({ area, share }) => [area.name, area, Math.ceil((INPUTS * share) / 100)] as const))(
    '%s',
    async (_, area, inputs) => {
      await fc.assert(
        fc.asyncProperty(area.inputs, async (input) => {
          if (area.isRepeatable?.(input) ?? true) await area.check(input);
        }),
        { seed: SEED, numRuns: inputs },
      );
    },
  );
});

import { BREATH_STEPS } from '../breathing.ts';
import { type BlockId, createEventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter } from '../workload.ts';

/**
 * The classic way to fragment a heap: fill it with blocks of one size, free all but every n-th, then do the same with
 * somewhat larger blocks, which do not fit into the holes. Little is asked for at the end of each round, and a first-fit
 * heap has grown by a whole round nevertheless.
 */
export const fragmenter = defineWorkload({
  name: 'fragmenter',
  about: 'fills the heap, frees all but every n-th block, and goes on with blocks that do not fit the holes',
  parameters: {
    rounds: numberParameter(8, 'rounds', 'each with larger blocks than the one before', { min: 1, max: 1000 }),
    bytes: numberParameter(8 * 2 ** 20, 'bytes', 'asked for in a round', { min: 1024, max: 2 ** 34 }),
    size: numberParameter(1024, 'bytes', 'of the blocks of the first round', { min: 1, max: 2 ** 24 }),
    growth: numberParameter(1.5, '', 'of the size from round to round', { min: 1.01, max: 16, fractions: true }),
    survivors: numberParameter(16, 'blocks', 'of which one survives its round', { min: 1, max: 1e6 }),
  },
  cpus: () => 1,
  *generate({ rounds, bytes, size, growth, survivors }) {
    const blocksOf = (round: number) => Math.max(1, Math.floor(bytes / sizeOf(round)));
    const sizeOf = (round: number) => {
      let grown = size;
      for (let i = 0; i < round; i++) grown = Math.min(2 ** 31, Math.ceil(grown * growth));
      return grown;
    };
    let rows = 0;
    for (let round = 0; round < rounds; round++) rows += 2 * blocksOf(round) + 2;
    const events = createEventBuilder({ name: `fragmenter ${rounds} rounds of ${bytes} bytes`, rows });
    for (let round = 0; round < rounds; round++) {
      const blocks: BlockId[] = [];
      const roundBytes = sizeOf(round);
      for (let left = blocksOf(round); left > 0; left--) {
        blocks.push(events.malloc(0, roundBytes));
        if (left % BREATH_STEPS === 0) yield;
      }
      events.sample(`filled-${round + 1}`);
      blocks.forEach((block, i) => {
        if (i % survivors !== 0) events.free(0, block);
      });
      events.sample(`freed-${round + 1}`);
    }
    return events.finish();
  },
});

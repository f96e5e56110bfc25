import { OP_FREE, OP_MASK, OP_REALLOC } from '../../../../sim/contract/event.ts';
import { bytes, percent } from '../../../../sim/contract/format.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import { requestedAfter } from '../requested-after.ts';
import { type Mechanism, type Situation, WORTH_FINDING } from './mechanism.ts';

const KIB = 1024;
/** From here on a block leaves whole pages. */
const LARGE = 16 * KIB;
/** Blocks from here on are mapped on their own with the usual thresholds already. */
const USUAL_THRESHOLD = 128 * KIB;
const THRESHOLDS: readonly Bytes[] = [64 * KIB, 32 * KIB, 16 * KIB];
/** Of what blocks of LARGE and more have given back, so much has to come from those below the usual threshold. */
const MOST = 0.5;
/** A lower threshold is worth a run if it takes so much more of them. */
const MORE = 0.2;

/** Large blocks below the mmap threshold that are freed between live ones: their pages are whole, and stay until somebody trims. */
export const holes: Mechanism = {
  name: 'holes of large blocks',
  detect(situation) {
    const { facts } = situation;
    if (!facts.run.allocator.includes('glibc')) return undefined;
    const between = facts.areas
      .filter(({ kind }) => kind === 'heap')
      .reduce((sum, { breakdown: b, largestFreeBytes }) => sum + Math.max(0, b.returnable - largestFreeBytes), 0);
    if (between < facts.sample.rssBytes * WORTH_FINDING) return undefined;
    const freed = freedSizes(situation);
    if (freed.below < MOST * (freed.below + freed.above)) return undefined;
    const share = (threshold: Bytes) => freed.from(threshold) / freed.below;
    const worth = THRESHOLDS.filter(
      (threshold, i) => share(threshold) - (i > 0 ? share(THRESHOLDS[i - 1]!) : 0) >= MORE,
    );
    if (worth.length === 0) return undefined;
    return {
      mechanism: 'holes of large blocks',
      bytes: between,
      sentences: [
        `${bytes(between)} are free on whole pages between live blocks of a heap. Of the blocks of ${bytes(LARGE)} and more that were freed, ${percent(freed.below / (freed.below + freed.above))} by size are below ${bytes(USUAL_THRESHOLD)}, so they were carved from the heap, and their holes stay until malloc_trim or a block that fits.`,
      ],
      settings: worth.map((threshold) => ({
        allocator: 'glibc',
        options: { mmap_threshold: threshold },
        about: `every block from ${bytes(threshold)} up is mapped on its own and unmapped by its free`,
      })),
    };
  },
};

/** Bytes of the large blocks that were freed. */
function freedSizes({ events, end }: Situation) {
  const bySize = THRESHOLDS.map(() => 0);
  let below = 0;
  let above = 0;
  requestedAfter(events, end, (row, slot, sizes) => {
    const op = events.head[row]! & OP_MASK;
    if (op !== OP_FREE && op !== OP_REALLOC) return;
    const size = sizes[slot]!;
    if (size < LARGE) return;
    if (size >= USUAL_THRESHOLD) {
      above += size;
      return;
    }
    below += size;
    for (let i = 0; i < THRESHOLDS.length; i++) if (size >= THRESHOLDS[i]!) bySize[i]! += size;
  });
  return { below, above, from: (threshold: Bytes) => bySize[THRESHOLDS.indexOf(threshold)]! };
}

import { bytes, percent } from '../../../../sim/contract/format.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import { type Demand, LARGE_BYTES } from '../demand.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';

const KIB = 1024;
/** Blocks from here on are mapped on their own with the usual thresholds already. */
const USUAL_THRESHOLD = 128 * KIB;
const THRESHOLDS: readonly Bytes[] = [64 * KIB, 32 * KIB, 16 * KIB];
/** Of what blocks of LARGE_BYTES and more have given back, so much has to come from those below the usual threshold. */
const MOST = 0.5;
/** A lower threshold is worth a run if it takes so much more of them. */
const MORE = 0.2;

/** Large blocks below the mmap threshold that are freed between live ones: their pages are whole, and stay until somebody trims. */
export const holes: Mechanism = {
  name: 'holes of large blocks',
  detect({ facts, demand }) {
    if (!facts.run.allocator.includes('glibc')) return undefined;
    const between = facts.areas
      .filter(({ kind }) => kind === 'heap')
      .reduce((sum, { breakdown: b, largestFreeBytes }) => sum + Math.max(0, b.returnable - largestFreeBytes), 0);
    if (between < facts.sample.rssBytes * WORTH_FINDING) return undefined;
    const freed = freedSizes(demand);
    if (freed.below < between || freed.below < MOST * (freed.below + freed.above)) return undefined;
    const share = (threshold: Bytes) => freed.from(threshold) / freed.below;
    const worth = THRESHOLDS.filter(
      (threshold, i) => share(threshold) - (i > 0 ? share(THRESHOLDS[i - 1]!) : 0) >= MORE,
    );
    if (worth.length === 0) return undefined;
    return {
      mechanism: 'holes of large blocks',
      bytes: between,
      sentences: [
        `${bytes(between)} are free on whole pages between live blocks of a heap. Of the blocks of ${bytes(LARGE_BYTES)} and more that were freed, ${percent(freed.below / (freed.below + freed.above))} by size are below ${bytes(USUAL_THRESHOLD)}, so they were carved from the heap, and their holes stay until malloc_trim or a block that fits.`,
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
function freedSizes({ largeFrees: { sizes } }: Demand) {
  const sumWhere = (wanted: (size: Bytes) => boolean) =>
    sizes.reduce((sum, size) => (wanted(size) ? sum + size : sum), 0);
  return {
    below: sumWhere((size) => size < USUAL_THRESHOLD),
    above: sumWhere((size) => size >= USUAL_THRESHOLD),
    from: (threshold: Bytes) => sumWhere((size) => size >= threshold && size < USUAL_THRESHOLD),
  };
}

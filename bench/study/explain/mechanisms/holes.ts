import { bytes, count, counted, percent } from '../../../../sim/contract/format.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import type { Demand } from '../heap/demand.ts';
import type { AreaReport } from '../heap/ranges.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';
import { FIXED_MMAP_THRESHOLD } from './shared-settings.ts';

const KIB = 1024;
/** Blocks from here on are mapped on their own with the usual thresholds already. */
const USUAL_THRESHOLD = 128 * KIB;
/** A block on pages of its own takes up to a page more: of one that is no longer than that, as much again. */
const THRESHOLDS: readonly Bytes[] = [64 * KIB, 32 * KIB, 16 * KIB, 8 * KIB];
const LEAST = THRESHOLDS.at(-1)!;
/** Blocks that were carved from the heap account for the holes where they gave back so much of them: small ones beside them widen a hole. */
const MOST = 0.5;
/** A lower threshold is worth a run if it takes so much more of them. */
const MORE = 0.2;

/** Whole free pages below what lives: they stay until somebody trims. Most often large blocks below the mmap threshold have lain there. */
export const holes: Mechanism = {
  name: 'holes of large blocks',
  detect({ facts, demand }) {
    if (!facts.run.allocator.includes('glibc')) return undefined;
    const heaps = facts.areas.filter(({ wholeFree }) => wholeFree && wholeFree.belowLive + wholeFree.belowOwn > 0);
    const below = heaps.reduce((sum, { wholeFree: w }) => sum + w!.belowLive + w!.belowOwn, 0);
    if (below < facts.sample.rssBytes * WORTH_FINDING) return undefined;
    const freed = freedSizes(demand);
    const isCarved = freed.below >= MOST * below;
    const share = (threshold: Bytes) => freed.from(threshold) / freed.below;
    const worth = isCarved
      ? THRESHOLDS.filter((threshold, i) => share(threshold) - (i > 0 ? share(THRESHOLDS[i - 1]!) : 0) >= MORE)
      : [];
    return {
      mechanism: 'holes of large blocks',
      bytes: below,
      within: 'memalign splinters',
      sentences: [
        `${bytes(below)} are free on whole pages below ${keepers(heaps)}: glibc cuts off the ends of heaps alone, so these stay until malloc_trim or a block that fits.`,
        ...(worth.length > 0 && freed.below >= freed.above
          ? [
              `Of the blocks of ${bytes(LEAST)} and more that were freed, ${percent(freed.below / (freed.below + freed.above))} by size are below ${bytes(USUAL_THRESHOLD)}, so they were carved from the heap and left such holes.`,
            ]
          : []),
      ],
      settings: [],
      further: {
        than: FIXED_MMAP_THRESHOLD,
        settings: worth.map((threshold) => ({
          allocator: 'glibc',
          options: { mmap_threshold: threshold },
          about: `every block from ${bytes(threshold)} up is mapped on its own and unmapped by its free`,
        })),
      },
    };
  },
};

/** `the 341,706 live blocks of a heap`, with what else there is. */
function keepers(heaps: readonly AreaReport[]): string {
  const where = heaps.length === 1 ? 'a heap' : `${count(heaps.length)} heaps`;
  const live = heaps.reduce((sum, { liveBlocks }) => sum + liveBlocks, 0);
  const hasOwn = heaps.some(({ wholeFree }) => wholeFree!.belowOwn > 0);
  if (heaps.every(({ wholeFree }) => wholeFree!.belowLive === 0)) return `structures of the allocator in ${where}`;
  return `the ${counted(live, 'live block')}${hasOwn ? ' and the allocator’s own structures' : ''} of ${where}`;
}

/** Bytes of the blocks of whole pages that were freed. */
function freedSizes({ freedByPower }: Demand) {
  const between = (from: Bytes, to: Bytes) =>
    freedByPower.subarray(Math.log2(from), Math.log2(to)).reduce((sum, value) => sum + value, 0);
  return {
    below: between(LEAST, USUAL_THRESHOLD),
    above: between(USUAL_THRESHOLD, 2 ** freedByPower.length),
    from: (threshold: Bytes) => between(threshold, USUAL_THRESHOLD),
  };
}

import { bytes, count } from '../../../../sim/contract/format.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import { classBytes } from '../../../report/names.ts';
import type { AreaReport } from '../heap/ranges.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';
import { FIXED_MMAP_THRESHOLD, FIXED_TRIM_THRESHOLD, NO_TOP_PAD } from './shared-settings.ts';

/** Free memory at the end of a heap that the threshold keeps: raised by freed mappings, set, or padded. */
export const thresholds: Mechanism = {
  name: 'thresholds',
  detect({ facts }) {
    const { rssBytes } = facts.sample;
    if (!facts.run.allocator.includes('glibc') || classBytes(facts.sample, 'returnable') < rssBytes * WORTH_FINDING)
      return undefined;
    const ends = facts.areas.filter(({ wholeFree }) => wholeFree && wholeFree.atEnd > 0);
    const sum = (list: readonly AreaReport[]): Bytes =>
      list.reduce((total, { wholeFree }) => total + wholeFree!.atEnd, 0);
    if (sum(ends) < rssBytes * WORTH_FINDING) return undefined;
    const trim = facts.tunables?.['trim_threshold'] ?? 0;
    // glibc compares the whole of it, whatever is resident.
    const kept = ends.filter(({ endFreeBytes }) => endFreeBytes < trim);
    return {
      mechanism: 'thresholds',
      bytes: sum(ends),
      sentences:
        sum(kept) < rssBytes * WORTH_FINDING
          ? []
          : [
              `${bytes(sum(kept))} are free at the end of ${kept.length === 1 ? 'a heap' : `${count(kept.length)} heaps`}: such an end stays as long as it is below the trim threshold, ${bytes(trim)} now.`,
            ],
      settings: [FIXED_MMAP_THRESHOLD, FIXED_TRIM_THRESHOLD, NO_TOP_PAD],
    };
  },
};

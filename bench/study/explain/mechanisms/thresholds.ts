import { bytes } from '../../../../sim/contract/format.ts';
import { classBytes } from '../../../report/names.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';
import { FIXED_MMAP_THRESHOLD, FIXED_TRIM_THRESHOLD, NO_TOP_PAD } from './shared-settings.ts';

/** Free memory at the end of a heap that the threshold keeps: raised by freed mappings, set, or padded. */
export const thresholds: Mechanism = {
  name: 'thresholds',
  detect({ facts }) {
    const { rssBytes } = facts.sample;
    if (!facts.run.allocator.includes('glibc') || classBytes(facts.sample, 'returnable') < rssBytes * WORTH_FINDING)
      return undefined;
    const atEnds = facts.areas
      .filter(({ kind }) => kind === 'heap')
      .reduce((sum, { breakdown: b, largestFreeBytes }) => sum + Math.min(b.returnable, largestFreeBytes), 0);
    if (atEnds < rssBytes * WORTH_FINDING) return undefined;
    const trim = facts.tunables?.['trim_threshold'] ?? 0;
    return {
      mechanism: 'thresholds',
      bytes: atEnds,
      sentences:
        atEnds > trim
          ? []
          : [`What is free at the end of a heap stays as long as it is below the trim threshold, ${bytes(trim)} now.`],
      settings: [FIXED_MMAP_THRESHOLD, FIXED_TRIM_THRESHOLD, NO_TOP_PAD],
    };
  },
};

import { bytes, percent } from '../../../../sim/contract/format.ts';
import { type Bytes, PAGE_BYTES } from '../../../../sim/contract/units.ts';
import { type Allowed, enoughBytes, isFair, WORTH_IT } from '../advice/advice.ts';
import type { Facts } from '../explanation.ts';
import { savedBytes } from '../settings/orders.ts';
import type { WhatIf } from '../settings/what-if.ts';
import { isComparable } from './process-text.ts';

/** So much of the faults that come with a setting makes it another one. */
const MOST = 0.5;

/**
 * What the recording could not see: which pages of large blocks the program writes. It is said where less was really resident than is
 * simulated, and where a setting was passed over for its price, which is less if those pages were not written.
 */
export function assumedSentences(facts: Facts, whatIf: readonly WhatIf[], allowed: Allowed = {}): string[] {
  const { assumedWriteBytes: assumed, sample, process } = facts;
  if (assumed === 0 || sample.rssBytes === 0) return [];
  const missing: Bytes = isComparable(facts) ? Math.max(0, -process!.inBlocks) : 0;
  const isLess = missing >= sample.rssBytes * WORTH_IT && assumed >= missing;
  const dearer = whatIf.filter((w) => !isFair(facts, w, allowed) && isDearer(facts, w)).map(({ setting }) => setting);
  if (!isLess && dearer.length === 0) return [];
  return [
    `${bytes(assumed)} of large blocks, all that were allocated up to here taken together, count as written as a whole: the recording did not see which of their pages the program writes.`,
    ...(isLess
      ? [
          `Not all of them can have been: the recorded process had ${bytes(missing)} less in its heap than is simulated (${percent(missing / sample.rssBytes)}).`,
        ]
      : []),
    ...(dearer.length > 0
      ? [
          `So settings that give the pages of such blocks back look dearer here than they are, if the program writes them in part: ${dearer.join('; ')}.`,
        ]
      : []),
  ];
}

/** It saves enough, takes pages anew, and most of them may be pages that nobody saw written. */
function isDearer(facts: Facts, w: WhatIf): boolean {
  const more = w.faults - facts.sample.faults;
  if (w.failed || more <= facts.sample.faults * WORTH_IT || savedBytes(facts, w) < enoughBytes(facts)) return false;
  return facts.assumedWriteBytes >= more * MOST * PAGE_BYTES;
}

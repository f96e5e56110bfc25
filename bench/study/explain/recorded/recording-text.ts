import { bytes } from '../../../../sim/contract/format.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import { peakSentences } from '../../../run/recorded-peak.ts';
import { type Advice, hasOwnHugePages, WORTH_IT } from '../advice/advice.ts';
import type { Facts } from '../explanation.ts';
import type { WhatIf } from '../settings/what-if.ts';

/** The mechanism of that name (mechanisms/huge-pages.ts), which settings without huge pages are to mend. */
export const HUGE_PAGES = 'huge pages';

/** Whether nobody saw what is written to blocks that lie on huge pages: as a whole, as such pages come. */
export const isUnknownWithout = ({ recording, sample, assumedWriteBytes }: Facts, mechanism: string): boolean =>
  mechanism === HUGE_PAGES &&
  recording?.hadHugePages === true &&
  sample.hugeFaults > 0 &&
  assumedWriteBytes >= sample.rssBytes * WORTH_IT;

/** For the answer: what the runs of settings do not tell of huge pages. */
export function hugePageSentences(facts: Facts, whatIf: readonly WhatIf[], { memory, costly }: Advice): string[] {
  const { recording, assumedWriteBytes, sample } = facts;
  if (!recording) return [];
  const isMuch = (most: Bytes) => most > 0 && most >= sample.rssBytes * WORTH_IT;
  const sentences: string[] = [];
  const without = whatIf.filter((w) => !w.failed && w.mechanism === HUGE_PAGES);
  if (without.length > 0 && isUnknownWithout(facts, HUGE_PAGES)) {
    const names = without.map(({ setting }) => setting).join('; ');
    sentences.push(
      `What would be resident without huge pages (${names}) is not known: ${bytes(assumedWriteBytes)} of large blocks, all that were allocated taken together, count as written as a whole, since the recording did not see which of their pages the program writes. Record once without huge pages.`,
    );
  } else if (isMuch(recording.zeroBytes) && [memory, costly].some((w) => w !== null && without.includes(w))) {
    sentences.push(
      `${bytes(recording.zeroBytes)} of large blocks, all that were allocated taken together, held zeros on huge pages and count as not written: such pages come with zeros. If the program has written zeros there, as much more is resident without huge pages.`,
    );
  }
  if (isMuch(recording.ownHugeBytes))
    sentences.push(
      `${bytes(recording.ownHugeBytes)} of large blocks, all that were allocated taken together, hold zeros on huge pages that the program asks for itself (madvise, MADV_HUGEPAGE): one byte written makes 2 MiB resident there, whatever the allocator does. Without that call these may not be.`,
    );
  return sentences;
}

/** Why the recorded process is not what is judged here, and where its peak was another. */
export function recordingSentences(facts: Facts): string[] {
  const { recording, forked, run } = facts;
  const own = hasOwnHugePages(facts)
    ? [
        `The program asks for huge pages itself (madvise, MADV_HUGEPAGE, for ${bytes(recording!.advisedBytes)}, all calls taken together). They are not simulated: it has fewer page faults than is said here, and how much of a block is huge hangs on its address, another one in every run. Nothing is advised for fewer faults.`,
      ]
    : [];
  if (recording?.under)
    return [
      ...own,
      `The process was recorded under ${recording.under}: what it held is not compared with what is simulated here.`,
    ];
  if (!recording?.peak || forked) return own;
  return [...own, ...peakSentences(recording.peak.recordedBytes, recording.peak.simulatedBytes, run.allocator)];
}

import { bytes } from '../../sim/contract/format.ts';
import type { Bytes } from '../../sim/contract/units.ts';

/** Where the peaks lie no further apart they are the same: what is no heap was taken off as it was at the look. */
const ALIKE = 0.1;
const LEAST: Bytes = 1024 * 1024;

/** Says that the peaks of the heap lie apart, and what may be why; nothing where they do not. */
export function peakSentences(recorded: Bytes | null, simulated: Bytes, allocator: string): string[] {
  if (recorded === null || Math.abs(recorded - simulated) <= Math.max(LEAST, simulated * ALIKE)) return [];
  const isMore = recorded > simulated;
  const apart = `${bytes(Math.abs(recorded - simulated))} ${isMore ? 'more' : 'less'}`;
  const why = isMore
    ? 'What the program had for a while between two looks of the recorder is missing: pages that it gave back itself (madvise, mappings of its own), what was written to blocks before.'
    : 'What is written to a large block is written as soon as it is allocated here, and may have been written later.';
  const byClock = allocator.includes('jemalloc')
    ? ' When jemalloc gives pages back goes by the clock, another one in every run.'
    : '';
  return [
    `The peak is not that of the recorded process: its heap had ${bytes(recorded)} at most (VmHWM, without what was beside the heap at the last look), ${apart} than the ${bytes(simulated)} that are simulated. ${why}${byClock} sim record --sample-every 50ms looks in between.`,
  ];
}

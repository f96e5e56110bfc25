import { OP_MASK, OP_TRIM } from '../../../../sim/contract/event.ts';
import { counted } from '../../../../sim/contract/format.ts';
import { hasOperation } from '../../../../sim/contract/operation-set.ts';
import { PAGE_BYTES } from '../../../../sim/contract/units.ts';
import type { Setting } from '../settings/setting.ts';
import { callsOf } from '../settings/what-if.ts';
import { FEWER_FAULTS, type Finding, type Mechanism, type Situation } from './mechanism.ts';
import { highThresholds } from './shared-settings.ts';

const MIB = 1 << 20;

/** The same pages are given back and taken anew, over and over: each time a system call, and a fault for every page. */
export const backAndForth: Mechanism = {
  name: 'back and forth',
  detect(situation) {
    const { facts, end, rssPeakBytes } = situation;
    const { faults, syscalls } = facts.sample;
    const peakPages = rssPeakBytes / PAGE_BYTES;
    // Each page of the peak comes in once, whatever is set.
    if (peakPages === 0 || peakPages > faults * (1 - FEWER_FAULTS)) return undefined;
    const settings: Setting[] = [
      ...highThresholds(rssPeakBytes),
      { allocator: 'glibc', options: { top_pad: 64 * MIB }, about: 'the heap grows and is cut by 64 MiB at once' },
      { allocator: 'jemalloc', options: { dirty_decay_ms: 10000 }, about: 'free pages stay for up to 10 s' },
      { allocator: 'jemalloc', options: { dirty_decay_ms: -1 }, about: 'free pages stay for ever' },
    ];
    return {
      mechanism: 'back and forth',
      bytes: 0,
      lowers: 'faults',
      sentences: [
        `Memory goes back and forth: ${counted(faults, 'page fault')} for a peak of ${counted(peakPages, 'page')}, each page ${(faults / peakPages).toFixed(1)} times, ${(faults / Math.max(1, end)).toFixed(1)} faults an event, in ${counted(callsOf(syscalls), 'memory system call')}.`,
      ],
      ...otherRuns(situation),
      settings,
    };
  },
};

/** Where the program itself asks for it again and again, it is run without that. */
function otherRuns({ events, end }: Situation): Pick<Finding, 'others'> {
  if (!hasOperation(events, OP_TRIM)) return {};
  let trims = 0;
  for (let row = 0; row < end; row++) if ((events.head[row]! & OP_MASK) === OP_TRIM) trims++;
  return trims < 2 ? {} : { others: { trims } };
}

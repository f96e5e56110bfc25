import type { AllocatorSpec } from '../../../allocators/spec.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import { OWN_HUGE_ZEROS, ZEROS_UNWRITTEN } from '../../../workloads/trace/assumed-writes.ts';
import { recordedPeak } from '../../run/recorded-process.ts';
import { otherSetup, recordedSpec, recordedThp } from '../../run/recorded-setup.ts';
import type { RunOptions } from '../../run/run-options.ts';
import type { Look } from './process-at.ts';

/** What a recording says of the program, and of itself. */
export interface Recording {
  /** Allocator and huge pages that the process had, where the run has others: then the two are not to be compared. */
  readonly under: string | null;
  readonly hadHugePages: boolean;
  /** Bytes of zeros on huge pages, which count as not written. */
  readonly zeroBytes: Bytes;
  /** … on huge pages that the program asks for itself, which count as written. */
  readonly ownHugeBytes: Bytes;
  /** The most that the heap had up to the look, recorded and simulated; null where that is not known. */
  readonly peak: { readonly recordedBytes: Bytes; readonly simulatedBytes: Bytes } | null;
}

/** null for what was not recorded. `peakBytes`: simulated, up to the look. */
export function recordingOf(options: RunOptions, look: Look | undefined, peakBytes: Bytes): Recording | null {
  const { events } = options;
  if (!events.source.startsWith('recorded')) return null;
  const machine = new Map(events.recorded.machine);
  const under = otherSetup(options);
  const thp = recordedThp(options);
  const isLaterLook = under === null && look !== undefined && look.eventsLater >= 0;
  const recorded = isLaterLook ? recordedPeak(events.observations.find(({ row }) => row === look.row)) : null;
  return {
    under,
    hadHugePages: thp === 'always' || (thp === 'madvise' && asksForHugePages(recordedSpec(options))),
    zeroBytes: Number(machine.get(ZEROS_UNWRITTEN) ?? 0),
    ownHugeBytes: Number(machine.get(OWN_HUGE_ZEROS) ?? 0),
    peak: recorded === null ? null : { recordedBytes: recorded, simulatedBytes: peakBytes },
  };
}

function asksForHugePages({ model, options, below }: AllocatorSpec): boolean {
  const asks: Readonly<Record<string, boolean>> = {
    glibc: options['hugetlb'] === 1,
    jemalloc: options['thp'] === 'always' || options['metadata_thp'] !== 'disabled',
    zendmm: options['USE_ZEND_ALLOC_HUGE_PAGES'] === true,
  };
  return asks[model.name] === true || (below !== undefined && asksForHugePages(below));
}

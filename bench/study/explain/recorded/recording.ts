import type { AllocatorSpec } from '../../../../allocators/spec.ts';
import { PAGE_BYTES } from '../../../../sim/contract/units.ts';
import { OWN_HUGE_PAGES, OWN_HUGE_ZEROS, ZEROS_UNWRITTEN } from '../../../../workloads/trace/assumed-writes.ts';
import type { Assembled } from '../../../run/machine.ts';
import { recordedPeak } from '../../../run/recorded-process.ts';
import { otherSetup, recordedSpec, recordedThp } from '../../../run/recorded-setup.ts';
import type { RunOptions } from '../../../run/run-options.ts';
import type { Recording } from '../explanation.ts';
import { isRecorded } from '../going-down/final-frees.ts';
import type { Look } from './process-at.ts';

/** null for what was not recorded. `assembled` stands where the look is, or behind it. */
export function recordingOf(
  options: RunOptions,
  look: Look | undefined,
  { machine: simulated }: Assembled,
): Recording | null {
  const { events } = options;
  if (!isRecorded(events.source)) return null;
  const machine = new Map(events.recorded.machine);
  const under = otherSetup(options);
  const thp = recordedThp(options);
  const isLaterLook = under === null && look !== undefined && look.eventsLater >= 0;
  const recorded = isLaterLook ? recordedPeak(events.observations.filter(({ row }) => row <= look.row)) : null;
  return {
    under,
    hadHugePages: thp === 'always' || (thp === 'madvise' && asksForHugePages(recordedSpec(options))),
    zeroBytes: Number(machine.get(ZEROS_UNWRITTEN) ?? 0),
    ownHugeBytes: Number(machine.get(OWN_HUGE_ZEROS) ?? 0),
    advisedBytes: Number(machine.get(OWN_HUGE_PAGES) ?? 0),
    peak:
      recorded === null
        ? null
        : { recordedBytes: recorded, simulatedBytes: simulated.kernel.residency.residentPeakPages() * PAGE_BYTES },
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

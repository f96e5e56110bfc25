import type { TraceSummary } from '../../sim/contract/event.ts';
import type { Ns } from '../../sim/contract/units.ts';

/** The key of %machine under which a recording of one thread has for how long that waited for a processor, by /proc/PID/schedstat. */
export const PROCESSOR_WAITS = 'processor-waits';

/** 0 where the trace does not say. */
export function processorWaits({ recorded }: Pick<TraceSummary, 'recorded'>): Ns {
  return Number(new Map(recorded.machine).get(PROCESSOR_WAITS) ?? 0);
}

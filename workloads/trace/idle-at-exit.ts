import type { TraceSummary } from '../../sim/contract/event.ts';
import type { Ns } from '../../sim/contract/units.ts';

/** The key of %machine under which a recording has the time from when the last free of a large block came back to the exit. */
export const IDLE_AT_EXIT = 'idle-at-exit';

/** Infinity where the trace does not say. */
export function idleAtExit({ recorded }: Pick<TraceSummary, 'recorded'>): Ns {
  const ns = Number(new Map(recorded.machine).get(IDLE_AT_EXIT));
  return ns > 0 ? ns : Infinity;
}

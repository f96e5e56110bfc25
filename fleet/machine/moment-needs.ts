import type { Moment } from './moments.ts';
import type { PoolProcesses } from './pool-processes.ts';

/** What a moment's requests need beyond what the machine's processes have. */
export interface MomentNeeds {
  readonly atUs: number;
  readonly pages: number;
  /** By pool; less than nothing where requests that were in progress before have ended, and had more. */
  readonly poolPages: readonly number[];
  /** By request in progress: its process's, beyond what that has beside requests. */
  readonly slots: readonly { readonly pool: number; readonly slot: number; readonly pages: number }[];
}

/**
 * Against what is there now, and not against what each worker had before its request: a process that has grown since holds a part of the peak
 * already, one that is not there yet needs what it begins with too.
 */
export function needsOf({ atUs, running }: Moment, processes: readonly PoolProcesses[]): MomentNeeds {
  const slots = running.map(({ pool, slot, peakPages }) => ({
    pool,
    slot,
    pages: processes[pool]!.needed(slot, peakPages),
  }));
  const poolPages = processes.map((own) => -own.inProgressPages);
  for (const { pool, pages } of slots) poolPages[pool]! += pages;
  return { atUs, pages: poolPages.reduce((sum, own) => sum + own, 0), poolPages, slots };
}

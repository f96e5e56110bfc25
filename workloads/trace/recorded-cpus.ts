import type { EventBuffer, PassingTrace } from '../../sim/contract/event.ts';

/** As --cpus takes them. */
export const CPUS_MAX = 4096;

/** Processors of the machine that the program was recorded on; undefined where the trace does not say. */
export function recordedCpus({ recorded }: Pick<EventBuffer | PassingTrace, 'recorded'>): number | undefined {
  const cpus = Number(new Map(recorded.machine).get('cpus'));
  return Number.isInteger(cpus) && cpus >= 1 && cpus <= CPUS_MAX ? cpus : undefined;
}

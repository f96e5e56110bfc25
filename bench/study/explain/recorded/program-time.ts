import type { EventBuffer, Observation } from '../../../../sim/contract/event.ts';
import type { Ns } from '../../../../sim/contract/units.ts';

/**
 * The processor time of the recorded program up to row `end`, all threads, without what the recorder took of it: what its first look from there on
 * says, or the last one before, by the share of the events. Null where the recording has no such look.
 */
export function programTime({ observations }: Pick<EventBuffer, 'observations'>, end: number): Ns | null {
  const looks = observations.filter((look) => ownNs(look) !== undefined);
  const look = looks.find(({ row }) => row >= end) ?? looks.at(-1);
  if (!look) return null;
  const ns = ownNs(look)!;
  return look.row === 0 ? ns : ns * (end / look.row);
}

function ownNs({ values }: Observation): Ns | undefined {
  const seen = new Map(values);
  const cpuNs = seen.get('cpuNs');
  return cpuNs === undefined ? undefined : Math.max(0, cpuNs - (seen.get('recorderNs') ?? 0));
}

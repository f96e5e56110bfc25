import { bytes, count } from '../../../../sim/contract/format.ts';
import type { Bytes, Ns } from '../../../../sim/contract/units.ts';
import { LockstepRun } from '../../../run/modes/lockstep.ts';
import { withClock } from '../settings/other-clock.ts';
import type { Situation } from './mechanism.ts';

export interface OtherPaces {
  /** How far what is resident lies apart, with that at the recorded pace. */
  readonly differenceBytes: Bytes;
  /** Completes "From … to …": what would be resident. */
  readonly text: string;
}

/** The run as it is, made at these paces of the recorded clock; pauses from `keptFromNs` on stay as long as they were. */
export function atPaces(
  { facts, events, options, end }: Situation,
  paces: readonly number[],
  keptFromNs?: Ns,
): OtherPaces {
  const runs = paces.map((pace) => {
    const run = new LockstepRun({
      ...options,
      events: withClock(events, pace, keptFromNs),
      mode: 'lockstep',
      lastSampleOnly: true,
    });
    run.advance(end);
    run.sample('(end)', run.row);
    return run.samples.at(-1)!;
  });
  const resident = runs.map(({ rssBytes }) => rssBytes);
  const all = [facts.sample.rssBytes, ...resident];
  const faults = [facts.sample.faults, ...runs.map((sample) => sample.faults)];
  return {
    differenceBytes: Math.max(...all) - Math.min(...all),
    text: `${rangeOf(all, bytes)} would be resident here, at ${rangeOf(faults, count)} page faults (run). A setting that saves less than these lie apart may save nothing in another run.`,
  };
}

function rangeOf(values: readonly number[], text: (value: number) => string): string {
  const [least, most] = [text(Math.min(...values)), text(Math.max(...values))];
  return least === most ? most : `${least} to ${most}`;
}

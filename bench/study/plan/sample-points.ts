import { type EventBuffer, OP_CLOCK, OP_MASK } from '../../../sim/contract/event.ts';
import type { Ns } from '../../../sim/contract/units.ts';
import type { Mode, RunResult } from '../../run/result.ts';

/** About so many samples of a run, and as many again before idle times. */
const SAMPLES = 1500;

export interface SamplePoints {
  readonly sampleEvery: number;
  readonly sampleIdleNs?: Ns;
  readonly sampleBefore?: readonly number[];
}

/**
 * Where a run is looked at, so that levels and the times for which they stand are told right: every so many events, by a prime, since
 * programs repeat themselves every 2, 4 or 10 events and a sample must not always meet the same one; and before each idle time that
 * matters, since what stands through it is the level at its begin, not that of some event around it.
 */
export function samplePoints(events: EventBuffer, { mode }: { readonly mode: Mode }) {
  const sampleEvery = primeFrom(Math.ceil(events.length / SAMPLES));
  const idleNs = Math.max(1, clockOf(events) / SAMPLES);
  const points: SamplePoints =
    mode === 'lockstep'
      ? { sampleEvery, sampleBefore: idleRows(events, idleNs) }
      : { sampleEvery, sampleIdleNs: idleNs };
  return points;
}

/** The run with the idle time behind the trace's last event, where recorded times have one. */
export function withLastIdleTime(result: RunResult, events: EventBuffer): RunResult {
  const last = result.samples.at(-1);
  const endNs = clockOf(events);
  if (result.run.mode !== 'virtual' || result.run.pace !== 'recorded' || !last || last.virtualNs >= endNs)
    return result;
  return { ...result, samples: [...result.samples, { ...last, virtualNs: endNs }] };
}

/** 1, or the least odd prime that is not less. */
function primeFrom(least: number): number {
  if (least <= 1) return 1;
  for (let n = Math.max(3, least | 1); ; n += 2) {
    let isPrime = true;
    for (let d = 3; d * d <= n && isPrime; d += 2) isPrime = n % d !== 0;
    if (isPrime) return n;
  }
}

const advanceOf = ({ a, b }: EventBuffer, row: number): Ns => b[row]! * 2 ** 32 + a[row]!;
const isClock = ({ head }: EventBuffer, row: number): boolean => (head[row]! & OP_MASK) === OP_CLOCK;

/** How long the recorded program ran; 0 without recorded times. */
export function clockOf(events: EventBuffer): Ns {
  let ns = 0;
  for (let row = 0; row < events.length; row++) if (isClock(events, row)) ns += advanceOf(events, row);
  return ns;
}

function idleRows(events: EventBuffer, idleNs: Ns): number[] {
  const rows: number[] = [];
  for (let row = 1; row < events.length; row++) {
    if (isClock(events, row) && advanceOf(events, row) >= idleNs) rows.push(row);
  }
  return rows;
}

import { count, duration } from '../../sim/contract/format.ts';
import type { Mode, RunResult } from '../run/result.ts';

/** Of an axis: real workers measure time, else it is virtual. */
export function timeLabel(mode: Mode): string {
  return mode === 'threads' ? 'time' : 'virtual time';
}

/** What a run's samples are drawn over: events in file order, or time where threads go at their own pace. */
export interface Axis {
  readonly label: string;
  readonly text: (value: number) => string;
  /** Ascending, one for each sample. */
  readonly values: readonly number[];
}

export function axisOf({ run, samples }: RunResult): Axis {
  if (run.mode === 'lockstep') return { label: 'events', text: count, values: samples.map((s) => s.event) };
  return { label: timeLabel(run.mode), text: duration, values: samples.map((s) => s.virtualNs) };
}

/** Resident bytes of a run at the given places of its axis: its last sample at or before each. */
export function residentAt(result: RunResult, places: readonly number[]): number[] {
  const { values } = axisOf(result);
  let at = 0;
  return places.map((place) => {
    while (at + 1 < values.length && values[at + 1]! <= place) at++;
    return result.samples[at]?.rssBytes ?? 0;
  });
}

import type { Bytes } from '../../../sim/contract/units.ts';
import { normalQuantile, normalShareBelow } from '../../../sim/metrics/normal.ts';
import type { RunResult } from '../../run/result.ts';

/** How much one process keeps resident, over its time. */
export interface Demand {
  readonly meanBytes: Bytes;
  readonly deviationBytes: Bytes;
  /** What each process has at its peak; of several kinds on average. */
  readonly peakBytes: Bytes;
  /** The highest peak of all kinds; where there is one kind, its peak. */
  readonly highestBytes?: Bytes;
}

/** For how long a level of resident bytes stood. */
export interface Level {
  readonly bytes: Bytes;
  readonly weight: number;
}

/** A level that rises or falls is told as so many that stand. */
const RAMP_STEPS = 8;

/**
 * The levels of a run, weighted by how long each stands: by virtual time where it passes, by the trace's clock where that
 * moves, else by events. In file order a level stands until the trace's next event. In virtual time it goes from one sample to the
 * next within the work between them, page by page; idle times have a sample at either end.
 */
export function levelsOf({ run, samples, summary }: RunResult): Level[] {
  const hasClock = samples.length > 0 && samples.at(-1)!.virtualNs > samples[0]!.virtualNs;
  const isByEvents = run.mode === 'lockstep' && !hasClock;
  const stands = run.mode === 'lockstep' && hasClock;
  const at = samples.map((s) => (isByEvents ? s.event : s.virtualNs));
  const levels: Level[] = [];
  for (let i = 0; i + 1 < samples.length; i++) {
    const weight = at[i + 1]! - at[i]!;
    const [from, to] = [samples[i]!.rssBytes, samples[i + 1]!.rssBytes];
    if (weight <= 0) continue;
    const steps = stands || from === to ? 1 : RAMP_STEPS;
    for (let k = 0; k < steps; k++) {
      const bytes = stands ? from : from + ((k + 0.5) / steps) * (to - from);
      levels.push({ bytes, weight: weight / steps });
    }
  }
  return levels.length > 0 ? levels : [{ bytes: summary.rssBytes, weight: 1 }];
}

/** Mean and deviation of one run. */
export function demandOf(result: RunResult): Demand {
  return demandOfRuns([result]);
}

/** Of several runs of the same program, each as weighty as the other. */
export function demandOfRuns(results: readonly RunResult[]): Demand {
  const { mean, variance } = moments(distributionOf(results));
  const peakBytes = Math.max(...results.map((r) => r.summary.rssPeakBytes));
  return { meanBytes: Math.min(mean, peakBytes), deviationBytes: Math.sqrt(variance), peakBytes };
}

/** The levels of all runs, ascending; the weights add up to 1. */
export function distributionOf(results: readonly RunResult[]): Level[] {
  const levels = results.flatMap((result) => {
    const own = levelsOf(result);
    const sum = own.reduce((total, level) => total + level.weight, 0);
    return own.map(({ bytes, weight }) => ({ bytes, weight: weight / sum / results.length }));
  });
  return levels.sort((x, y) => x.bytes - y.bytes);
}

/** The level that is not exceeded for `share` of the time. */
export function percentileOf(levels: readonly Level[], share: number): Bytes {
  let sum = 0;
  for (const { bytes, weight } of levels) {
    sum += weight;
    if (sum >= share - 1e-12) return bytes;
  }
  return levels.at(-1)?.bytes ?? 0;
}

function moments(levels: readonly Level[]): { mean: number; variance: number } {
  let weight = 0;
  let sum = 0;
  for (const level of levels) {
    weight += level.weight;
    sum += level.weight * level.bytes;
  }
  const mean = sum / weight;
  const squares = levels.reduce((total, level) => total + level.weight * (level.bytes - mean) ** 2, 0);
  return { mean, variance: squares / weight };
}

/** Kinds of processes in fixed shares (they add up to 1): the average one of them. */
export function mixed(kinds: readonly { readonly demand: Demand; readonly share: number }[]): Demand {
  const average = (of: (demand: Demand) => number) => kinds.reduce((sum, k) => sum + k.share * of(k.demand), 0);
  return {
    meanBytes: average((d) => d.meanBytes),
    deviationBytes: Math.sqrt(average((d) => d.deviationBytes ** 2)),
    peakBytes: average((d) => d.peakBytes),
    highestBytes: Math.max(...kinds.map((k) => k.demand.peakBytes)),
  };
}

/**
 * Memory that `processes` independent ones exceed with a probability of at most `risk`: the sum of many is normal. Never
 * less than one at its peak beside the others at their mean, never more than all at their peak.
 */
export function memoryFor(demand: Demand, processes: number, risk: number): Bytes {
  const { meanBytes, deviationBytes, peakBytes, highestBytes = peakBytes } = demand;
  const sum = processes * meanBytes + normalQuantile(1 - risk) * deviationBytes * Math.sqrt(processes);
  const onePeak = highestBytes + (processes - 1) * meanBytes;
  return Math.min(Math.max(processes * peakBytes, highestBytes), Math.max(sum, onePeak));
}

/** How probable it is that `processes` independent ones exceed `memory` at a moment. */
export function exceeding(demand: Demand, processes: number, memory: Bytes): number {
  const { meanBytes, deviationBytes, peakBytes, highestBytes = peakBytes } = demand;
  if (Math.max(processes * peakBytes, highestBytes) <= memory) return 0;
  const room = memory - processes * meanBytes;
  if (deviationBytes === 0) return room >= 0 ? 0 : 1;
  return 1 - normalShareBelow(room / (deviationBytes * Math.sqrt(processes)));
}

/** The most processes whose memoryFor is within `memory`. */
export function processesIn(demand: Demand, memory: Bytes, risk: number): number {
  let low = 0;
  let high = Math.max(1, Math.ceil(memory / Math.max(1, demand.meanBytes)) + 1);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (memoryFor(demand, middle, risk) <= memory) low = middle;
    else high = middle - 1;
  }
  return low;
}

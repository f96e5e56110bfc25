import type { Bytes } from '../../../sim/contract/units.ts';
import type { RunResult } from '../../run/result.ts';

/** How much one process keeps resident, over its time. */
export interface Demand {
  readonly meanBytes: Bytes;
  readonly deviationBytes: Bytes;
  readonly peakBytes: Bytes;
}

/**
 * Mean and deviation of the resident bytes, weighted by how long each sample stands: by virtual time where there is one,
 * else by events.
 */
export function demandOf({ run, samples, summary }: RunResult): Demand {
  const at = samples.map((s) => (run.mode === 'lockstep' ? s.event : s.virtualNs));
  let weight = 0;
  let sum = 0;
  let squares = 0;
  for (let i = 0; i + 1 < samples.length; i++) {
    const length = at[i + 1]! - at[i]!;
    // Between two samples the level goes from the one to the other.
    const level = (samples[i]!.rssBytes + samples[i + 1]!.rssBytes) / 2;
    weight += length;
    sum += length * level;
    squares += length * level * level;
  }
  const meanBytes = weight > 0 ? sum / weight : summary.rssBytes;
  const variance = weight > 0 ? Math.max(0, squares / weight - meanBytes * meanBytes) : 0;
  return { meanBytes, deviationBytes: Math.sqrt(variance), peakBytes: summary.rssPeakBytes };
}

/**
 * Memory that `processes` independent ones exceed with a probability of at most `risk`: the sum of many is normal. Never
 * less than one at its peak beside the others at their mean, never more than all at their peak.
 */
export function memoryFor(demand: Demand, processes: number, risk: number): Bytes {
  const { meanBytes, deviationBytes, peakBytes } = demand;
  const sum = processes * meanBytes + quantile(1 - risk) * deviationBytes * Math.sqrt(processes);
  const onePeak = peakBytes + (processes - 1) * meanBytes;
  return Math.min(processes * peakBytes, Math.max(sum, onePeak));
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

/** Quantile of the standard normal distribution, by bisection of its integral (Zelen and Severo's approximation, 7.5e-8). */
export function quantile(probability: number): number {
  let low = -9;
  let high = 9;
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (cumulative(middle) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function cumulative(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  const tail =
    density * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return x >= 0 ? 1 - tail : tail;
}

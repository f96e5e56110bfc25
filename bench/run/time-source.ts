import type { RunResult } from './result.ts';

/** Which figures virtual times rest on, measured or published; null where no time is simulated, or the result does not say. */
export function timeSource({ run, concurrency }: Pick<RunResult, 'run' | 'concurrency'>): string | null {
  const processors = concurrency?.processors;
  if (!processors?.prices) return null;
  const { name, origin, cpus } = processors.prices;
  const how = origin === 'calibrated' && cpus !== null ? `calibrated on ${cpus} processors` : origin;
  const prices = `prices ${name}: ${how}`;
  const { topology } = processors;
  // Lines of a pair are in the price list; a topology named `calibrated` is the price list's machine.
  if (topology === 'pair' || topology === 'calibrated') return prices;
  return `${prices}; lines between the ${run.cpus} processors: ${topology}, published`;
}

import type { RunResult } from '../run/result.ts';

/** One figure of a run: what tables, gates, sweeps and benchmark files are made of. */
export interface Metric {
  /** As in thresholds and benchmark files; for a field of the summary its name there. */
  readonly name: string;
  readonly unit: 'bytes' | 'ns' | 'count' | 'ratio' | 'events/s';
  /** Which way is better. */
  readonly better: 'lower' | 'higher';
  readonly about: string;
  /** False for what the host measures: it differs from run to run. */
  readonly deterministic: boolean;
  /** null where the run has no such figure (latency in lockstep). */
  readonly of: (result: RunResult) => number | null;
}

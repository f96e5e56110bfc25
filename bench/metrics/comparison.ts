import { outOfOrderSentences } from '../run/out-of-order.ts';
import type { Mode, Pace, RunResult } from '../run/result.ts';
import { timeSource } from '../run/time-source.ts';
import { METRICS, metricText } from './index.ts';
import type { Metric } from './metric.ts';
import { differ, isBelow, type Spread, spreadOf } from './statistics.ts';

export const COMPARISON_SCHEMA = 'allocsim-comparison-1';

export interface ComparisonCell extends Spread {
  /** Median over the median of the first column; null where that is 0. */
  readonly ratio: number | null;
  /** Whether the ranges of this and the first column are apart. */
  readonly differsFromFirst: boolean;
  /** best: no column is surely better, and one is surely worse; worst likewise; null where the ranges do not say, or read the same. */
  readonly mark: 'best' | 'worst' | null;
}

export interface ComparisonRow {
  readonly metric: string;
  readonly unit: Metric['unit'];
  readonly better: Metric['better'];
  /** One for each column; null where the run has no such figure. */
  readonly cells: readonly (ComparisonCell | null)[];
}

/** One workload under several allocators, versions or settings. */
export interface Comparison {
  readonly schema: typeof COMPARISON_SCHEMA;
  readonly workload: string;
  /** Interrupted: only what had finished. */
  readonly partial: boolean;
  readonly parameters: RunResult['run']['parameters'];
  readonly mode: Mode;
  readonly pace: Pace;
  /** Why this mode and pace; null where the caller did not say. */
  readonly timeReason: string | null;
  /** The moment that every figure is up to, as in --at; null: the end of the workload. */
  readonly until: string | null;
  /** Which figures the times rest on; null where none is simulated. */
  readonly times: string | null;
  readonly cpus: number;
  readonly seeds: readonly number[];
  /** The allocators, fully named; the first is what ratios refer to. */
  readonly columns: readonly string[];
  readonly rows: readonly ComparisonRow[];
  /** Columns, by index, whose runs did the same in everything: what they were given to differ in, nothing used. */
  readonly same: readonly (readonly number[])[];
  /** What makes figures of memory unreliable, in sentences. */
  readonly cautions: readonly string[];
}

/** `runs[column][seed]`: the same workload everywhere. */
export function compareResults(runs: readonly (readonly RunResult[])[]): Comparison {
  const first = runs[0]![0]!;
  return {
    schema: COMPARISON_SCHEMA,
    workload: first.run.workload,
    partial: false,
    parameters: first.run.parameters,
    mode: first.run.mode,
    pace: first.run.pace,
    timeReason: first.run.timeReason,
    until: first.run.until,
    times: timeSource(first),
    cpus: first.run.cpus,
    seeds: runs[0]!.map((r) => r.run.seed),
    columns: runs.map((column) => column[0]!.run.allocator),
    // The simulator's own speed says nothing of an allocator, a figure that is 0 everywhere nothing at all.
    rows: METRICS.filter((metric) => metric.deterministic)
      .map((metric) => row(metric, runs))
      .filter((r) => r.cells.some((cell) => cell !== null && (cell.max !== 0 || cell.min !== 0))),
    same: sameColumns(runs),
    cautions: outOfOrderSentences(runs.flat()),
  };
}

/** Groups of two or more columns whose summaries are equal, seed by seed. */
function sameColumns(runs: readonly (readonly RunResult[])[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const [i, column] of runs.entries()) {
    const key = JSON.stringify(column.map((r) => [r.summary, r.abort, r.samples.map((s) => s.rssBytes)]));
    const group = groups.get(key);
    if (group) group.push(i);
    else groups.set(key, [i]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

function row(metric: Metric, runs: readonly (readonly RunResult[])[]): ComparisonRow {
  const spreads = runs.map((column) => {
    const values = column.map(metric.of).filter((value) => value !== null);
    return values.length === column.length && values.length > 0 ? spreadOf(values) : null;
  });
  const known = spreads.filter((s) => s !== null);
  // What reads the same is no better: a few nanoseconds of seconds are nothing to choose by.
  const isLower = (x: Spread, y: Spread) => isBelow(x, y) && metricText(metric, x.max) !== metricText(metric, y.min);
  const isBetter = (x: Spread, y: Spread) => (metric.better === 'lower' ? isLower(x, y) : isLower(y, x));
  const base = spreads[0];
  return {
    metric: metric.name,
    unit: metric.unit,
    better: metric.better,
    cells: spreads.map((s) => {
      if (!s) return null;
      const beaten = known.some((other) => isBetter(other, s));
      const beats = known.some((other) => isBetter(s, other));
      return {
        ...s,
        ratio: base && base.median !== 0 ? s.median / base.median : null,
        differsFromFirst: base ? differ(base, s) : false,
        mark: beaten === beats ? null : beats ? 'best' : 'worst',
      };
    }),
  };
}

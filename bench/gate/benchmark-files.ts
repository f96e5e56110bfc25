import { escapeLine, jsonText } from '../../sim/contract/escape.ts';
import { endWords } from '../metrics/end-words.ts';
import { METRICS } from '../metrics/index.ts';
import type { Metric } from '../metrics/metric.ts';
import { type Spread, spreadOf } from '../metrics/statistics.ts';
import type { RunResult } from '../run/result.ts';
import { groupByRun } from './run-key.ts';

const UNIT_TEXT: Readonly<Record<Metric['unit'], string>> = {
  bytes: 'bytes',
  ns: 'ns',
  count: 'count',
  ratio: 'ratio',
  'events/s': 'events/s',
};

interface Figure {
  /** Its name, in one line whatever a file called it. */
  readonly run: string;
  /** Whether the run ended before its workload, where it is judged. */
  readonly isJudged: boolean;
  readonly metric: Metric;
  readonly spread: Spread;
}

function figuresOf(results: readonly RunResult[]): Figure[] {
  return [...groupByRun(results)].flatMap(([run, group]) =>
    METRICS.filter((metric) => metric.deterministic).flatMap((metric) => {
      const values = group.map(metric.of).filter((v) => v !== null);
      const isJudged = group.some((result) => result.run.until !== null);
      return values.length === 0 ? [] : [{ run: escapeLine(run), isJudged, metric, spread: spreadOf(values) }];
    }),
  );
}

/** github-action-benchmark, tool `customSmallerIsBetter`: what is better when larger is left out. */
export function githubActionBenchmark(results: readonly RunResult[]): string {
  const entries = figuresOf(results)
    .filter(({ metric }) => metric.better === 'lower')
    .map(({ run, isJudged, metric, spread }) => ({
      name: `${run} / ${metric.name}`,
      unit: UNIT_TEXT[metric.unit],
      value: spread.median,
      ...(spread.max > spread.min && { range: `${spread.min} to ${spread.max}` }),
      extra: endWords(metric.about, isJudged),
    }));
  return `${jsonText(entries, 2)}\n`;
}

/** Bencher Metric Format: benchmark → measure → value with bounds. */
export function bencherMetrics(results: readonly RunResult[]): string {
  const benchmarks: Record<string, Record<string, { value: number; lower_value: number; upper_value: number }>> = {};
  for (const { run, metric, spread } of figuresOf(results)) {
    (benchmarks[run] ??= {})[metric.name] = {
      value: spread.median,
      lower_value: spread.min,
      upper_value: spread.max,
    };
  }
  return `${jsonText(benchmarks, 2)}\n`;
}

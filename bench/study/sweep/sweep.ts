import { UserError } from '../../../sim/contract/assert.ts';
import { metricNamed } from '../../metrics/index.ts';
import type { Metric } from '../../metrics/metric.ts';
import { type Spread, spreadOf } from '../../metrics/statistics.ts';
import type { Mode, RunResult } from '../../run/result.ts';
import { orFinished, wholePart } from '../parallel/finished.ts';
import { type RunAllOptions, runAll } from '../parallel/run-all.ts';
import type { RunTask } from '../parallel/run-task.ts';
import { allocatorAt, combinations, type GridAxis } from './grid.ts';
import { paretoFront } from './pareto.ts';

export const SWEEP_SCHEMA = 'allocsim-sweep-1';

export interface SweepOptions extends RunAllOptions {
  /** The workload for a seed, and the machine it is meant for. */
  readonly load: (seed: number) => Promise<Omit<RunTask, 'allocator' | 'seed'>>;
  /** Each is combined with every point of the grid. */
  readonly allocators: readonly string[];
  readonly grid?: readonly GridAxis[];
  /** Simulated processors; default: the workload's own. */
  readonly cpus?: readonly number[];
  readonly seeds?: readonly number[];
  /** Names of metrics; points are ordered by the first, and the front is taken over all of them. */
  readonly metrics: readonly string[];
}

export interface SweepPoint {
  readonly allocator: string;
  readonly cpus: number;
  /** By metric; null where the run has no such figure. */
  readonly figures: Readonly<Record<string, Spread | null>>;
  /** No other point is at least as good in every metric and better in one. */
  readonly front: boolean;
  /** The real program would have aborted, or an allocation failed. */
  readonly failed: boolean;
}

export interface SweepResult {
  readonly schema: typeof SWEEP_SCHEMA;
  readonly workload: string;
  /** Interrupted: only what had finished. */
  readonly partial: boolean;
  readonly mode: Mode;
  readonly seeds: readonly number[];
  readonly metrics: readonly string[];
  /** Best first, by the first metric; points that failed last. */
  readonly points: readonly SweepPoint[];
}

/** Most points that one sweep runs: beyond it the grid is a mistake. */
const RUNS_MAX = 100_000;

/** Runs a grid: allocators × option values × processors × seeds. */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const { allocators, grid = [], seeds = [0] } = options;
  const metrics = options.metrics.map(metricNamed);
  if (metrics.length === 0) throw new UserError('a sweep needs a metric, found none');
  const points = combinations(grid);
  const tasks: RunTask[] = [];
  for (const seed of seeds) {
    const loaded = await options.load(seed);
    for (const cpus of options.cpus ?? [loaded.cpus]) {
      const names = new Set(allocators.flatMap((name) => points.map((point) => allocatorAt(name, point, cpus))));
      if (names.size * seeds.length * (options.cpus?.length ?? 1) > RUNS_MAX) {
        throw new UserError(`the grid has more than ${RUNS_MAX} runs`);
      }
      for (const allocator of names) tasks.push({ ...loaded, cpus, allocator, seed });
    }
  }
  const done = await orFinished(runAll(tasks, options));
  const perSeed = tasks.length / seeds.length;
  const table = seeds.map((_, j) => done.runs.slice(j * perSeed, (j + 1) * perSeed));
  const { rows, columns } = wholePart(table);
  const results = rows.flatMap((j) => columns.map((i) => table[j]![i]!.result));
  return {
    schema: SWEEP_SCHEMA,
    workload: results[0]!.run.workload,
    partial: done.partial,
    mode: results[0]!.run.mode,
    seeds: rows.map((j) => seeds[j]!),
    metrics: options.metrics,
    points: sweepPoints(results, metrics),
  };
}

/** Groups the seeds of each point and orders the points. */
export function sweepPoints(results: readonly RunResult[], metrics: readonly Metric[]): SweepPoint[] {
  const groups = new Map<string, RunResult[]>();
  for (const result of results) {
    const key = `${result.run.cpus} ${result.run.allocator}`;
    const group = groups.get(key);
    if (group) group.push(result);
    else groups.set(key, [result]);
  }
  const points = [...groups.values()].map((runs) => ({
    allocator: runs[0]!.run.allocator,
    cpus: runs[0]!.run.cpus,
    figures: Object.fromEntries(
      metrics.map((metric) => {
        const values = runs.map(metric.of).filter((value) => value !== null);
        return [metric.name, values.length === runs.length ? spreadOf(values) : null];
      }),
    ),
    failed: runs.some((r) => r.abort !== null || r.summary.failedAllocations > 0),
  }));
  const costs = points.map((point) =>
    metrics.map((metric) => {
      const median = point.figures[metric.name]?.median ?? null;
      return median === null || point.failed ? null : metric.better === 'lower' ? median : -median;
    }),
  );
  const front = new Set(paretoFront(costs));
  return points
    .map((point, i) => ({ ...point, front: front.has(i) && !point.failed, cost: costs[i]![0] ?? Infinity }))
    .sort((x, y) => x.cost - y.cost || (x.allocator < y.allocator ? -1 : 1))
    .map(({ cost: _, ...point }) => point);
}

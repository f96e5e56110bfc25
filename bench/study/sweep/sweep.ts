import { UserError } from '../../../sim/contract/assert.ts';
import { metricNamed } from '../../metrics/index.ts';
import type { Metric } from '../../metrics/metric.ts';
import { type Spread, spreadOf } from '../../metrics/statistics.ts';
import type { Mode, RunResult } from '../../run/result.ts';
import type { JudgedMoment } from '../judged-moment.ts';
import { orFinished, wholePart } from '../parallel/finished.ts';
import { type RunAllOptions, type Runner, startBatch } from '../parallel/run-all.ts';
import type { RunTask } from '../parallel/run-task.ts';
import { allocatorAt, combinations, type GridAxis } from './grid.ts';
import { paretoFront } from './pareto.ts';

export const SWEEP_SCHEMA = 'allocsim-sweep-1';

export interface SweepOptions extends RunAllOptions {
  /** The workload for a seed, and the machine it is meant for. */
  readonly load: (seed: number) => Promise<Omit<RunTask, 'allocator' | 'seed'>>;
  /** Where that ends, if that is before the workload does. */
  readonly moment?: JudgedMoment | null;
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
  /** The moment that every figure is up to; null: the end of the workload. */
  readonly moment: JudgedMoment | null;
  readonly seeds: readonly number[];
  readonly metrics: readonly string[];
  /** Best first, by the first metric; points that failed last. */
  readonly points: readonly SweepPoint[];
}

/** Most points that one sweep runs: beyond it the grid is a mistake. */
const RUNS_MAX = 100_000;

/** Runs a grid: allocators × option values × processors × seeds. */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const { allocators, grid = [], cpus = [0], seeds = [0] } = options;
  const points = grid.reduce((product, { values }) => product * values.length, 1);
  const runner = startBatch(allocators.length * points * cpus.length * seeds.length, options, allocators);
  try {
    return await sweepOn(runner, options);
  } finally {
    await runner.close();
  }
}

async function sweepOn(runner: Runner, options: SweepOptions): Promise<SweepResult> {
  const { allocators, grid = [], seeds = [0] } = options;
  const metrics = options.metrics.map(metricNamed);
  if (metrics.length === 0) throw new UserError('a sweep needs a metric, found none');
  const first = await options.load(seeds[0]!);
  const machines = options.cpus ?? [first.cpus];
  const settings = settingsOf(allocators, combinations(grid), machines, seeds.length);
  /** A seed after the other, as they are needed: the events of all of them together may be many. */
  async function* tasks(): AsyncGenerator<RunTask> {
    for (const [j, seed] of seeds.entries()) {
      const loaded = j === 0 ? first : await options.load(seed);
      for (const setting of settings) yield { ...loaded, ...setting, seed };
    }
  }
  const total = settings.length * seeds.length;
  const done = await orFinished(runner.runKeeping(tasks(), total, ({ result }) => sweptRun(result, metrics)));
  const table = seeds.map((_, j) => done.runs.slice(j * settings.length, (j + 1) * settings.length));
  const { rows, columns } = wholePart(table);
  const results = rows.flatMap((j) => columns.map((i) => table[j]![i]!));
  return {
    schema: SWEEP_SCHEMA,
    workload: results[0]!.workload,
    partial: done.partial,
    mode: results[0]!.mode,
    moment: options.moment ?? null,
    seeds: rows.map((j) => seeds[j]!),
    metrics: options.metrics,
    points: sweepPoints(results, metrics),
  };
}

/** The columns of a seed's row: each allocator at each point, on each machine. */
function settingsOf(
  allocators: readonly string[],
  points: readonly Record<string, string>[],
  machines: readonly number[],
  seeds: number,
): Pick<RunTask, 'allocator' | 'cpus'>[] {
  const settings: Pick<RunTask, 'allocator' | 'cpus'>[] = [];
  for (const cpus of machines) {
    const names = new Set(allocators.flatMap((name) => points.map((point) => allocatorAt(name, point, cpus))));
    for (const allocator of names) settings.push({ cpus, allocator });
    if (settings.length * seeds > RUNS_MAX) throw new UserError(`the grid has more than ${RUNS_MAX} runs`);
  }
  return settings;
}

/** What a sweep holds of a run: there may be many. */
export interface SweptRun {
  readonly workload: string;
  readonly mode: Mode;
  readonly allocator: string;
  readonly cpus: number;
  /** In the order of the metrics. */
  readonly values: readonly (number | null)[];
  readonly failed: boolean;
}

export function sweptRun(result: RunResult, metrics: readonly Metric[]): SweptRun {
  const { workload, mode, allocator, cpus } = result.run;
  const failed = result.abort !== null || result.summary.failedAllocations > 0;
  return { workload, mode, allocator, cpus, values: metrics.map((metric) => metric.of(result)), failed };
}

/** Groups the seeds of each point and orders the points. */
export function sweepPoints(results: readonly SweptRun[], metrics: readonly Metric[]): SweepPoint[] {
  const groups = new Map<string, SweptRun[]>();
  for (const result of results) {
    const key = `${result.cpus} ${result.allocator}`;
    const group = groups.get(key);
    if (group) group.push(result);
    else groups.set(key, [result]);
  }
  const points = [...groups.values()].map((runs) => ({
    allocator: runs[0]!.allocator,
    cpus: runs[0]!.cpus,
    figures: Object.fromEntries(
      metrics.map((metric, m) => {
        const values = runs.map((run) => run.values[m]!).filter((value) => value !== null);
        return [metric.name, values.length === runs.length ? spreadOf(values) : null];
      }),
    ),
    failed: runs.some((run) => run.failed),
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

import { type AllocatorSpec, formatAllocator } from '../../../allocators/spec.ts';
import type { Metric } from '../../metrics/metric.ts';
import type { RunResult } from '../../run/result.ts';
import { keepsOrder } from '../explain/settings/orders.ts';
import { atFullSpeed } from '../explain/settings/other-orders.ts';
import type { Runner } from '../parallel/run-all.ts';
import type { RunTask } from '../parallel/run-task.ts';
import { type Bound, isWithin, worsening } from './bounds.ts';
import { OF_THREADS } from './candidates.ts';
import type { Point } from './search.ts';

/** The best point with other seeds. */
export interface Validation {
  readonly rows: readonly {
    readonly seed: number;
    readonly from: number;
    readonly best: number;
    readonly within: boolean;
  }[];
  /** At full speed: seeds give other orders of the threads' calls there, and none at the recorded pace. */
  readonly inOrders: boolean;
  /** Better with every seed, and within the bounds. */
  readonly holds: boolean;
}

interface Candidates {
  readonly options: {
    readonly task: Omit<RunTask, 'allocator'>;
    /** The workload for another seed; without it the task with that seed. */
    readonly load?: (seed: number) => Promise<Omit<RunTask, 'allocator' | 'seed'>>;
  };
  readonly runner: Runner;
  readonly objective: Metric;
  readonly bounds: readonly Bound[];
  readonly base: Point;
  readonly seeds: readonly number[];
}

type Pair = readonly [RunResult, RunResult];

export async function validate(candidates: Candidates, point: Point): Promise<Validation> {
  const orders = await inOrders(candidates, point);
  const pairs = orders ?? (await pairsOf(candidates, point, {}));
  const { objective, bounds, seeds } = candidates;
  const held = orders ? bounds.filter(({ metric }) => !isOfTime(metric)) : bounds;
  const rows = seeds.map((seed, i) => {
    const [before, after] = pairs[i]!;
    const within = isWithin(after, before, held);
    return { seed, from: objective.of(before) ?? 0, best: objective.of(after) ?? 0, within };
  });
  const holds = rows.every((r) => r.within && worsening(objective, r.from, r.best) < 0);
  return { rows, inOrders: orders !== null, holds };
}

/** At full speed threads wait for each other where the program, at its own pace, does not. */
const isOfTime = (metric: string): boolean => metric.endsWith('Ns');

/** Where threads come to share heaps: the orders of their calls that seeds give at full speed; null where the trace does not keep the program what it is. */
async function inOrders(candidates: Candidates, point: Point): Promise<Pair[] | null> {
  const { base, objective } = candidates;
  const { mode, pace } = base.result.run;
  const isShared = OF_THREADS.some((option) => option in point.spec.given);
  if (!isShared || mode !== 'virtual' || pace !== 'recorded' || isOfTime(objective.name)) return null;
  const pairs = await pairsOf(candidates, point, atFullSpeed(base.result.run.cpus));
  return pairs.flat().every((run) => keepsOrder(run, base.result.summary)) ? pairs : null;
}

/** The beginning and the point, with each seed. */
async function pairsOf(
  { options: { task, load }, runner, base, seeds }: Candidates,
  point: Point,
  other: ReturnType<typeof atFullSpeed>,
): Promise<Pair[]> {
  const specs: readonly AllocatorSpec[] = [base.spec, point.spec];
  const tasks: RunTask[] = [];
  for (const seed of seeds) {
    const loaded = load ? await load(seed) : task;
    for (const spec of specs) tasks.push({ ...loaded, ...other, seed, allocator: formatAllocator(spec) });
  }
  const results = (await runner.run(tasks)).map((run) => run.result);
  return seeds.map((_, i): Pair => [results[2 * i]!, results[2 * i + 1]!]);
}

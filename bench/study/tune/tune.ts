import { type AllocatorSpec, formatAllocator, parseAllocator } from '../../../allocators/spec.ts';
import { Interrupted, UserError } from '../../../sim/contract/assert.ts';
import { metricNamed } from '../../metrics/index.ts';
import type { Metric } from '../../metrics/metric.ts';
import type { ReportRun } from '../../report/build-page.ts';
import type { RunResult } from '../../run/result.ts';
import { withOption } from '../explain/what-if.ts';
import { BatchInterrupted } from '../parallel/finished.ts';
import { createRunner, type RunAllOptions, type Runner } from '../parallel/run-all.ts';
import type { RunTask } from '../parallel/run-task.ts';
import { candidateValues } from './candidates.ts';

export const TUNE_SCHEMA = 'allocsim-tune-1';

export interface TuneOptions extends RunAllOptions {
  /** The workload and its machine. */
  readonly task: Omit<RunTask, 'allocator'>;
  /** Where the search begins, as in --allocator. */
  readonly allocator: string;
  /** The metric to improve. */
  readonly objective: string;
  /** How much worse other metrics may become, in percent of the beginning. */
  readonly keep?: readonly { readonly metric: string; readonly percent: number }[];
  /** Options to try; default: all of the allocator and of the one below it. */
  readonly options?: readonly string[];
  /** Most runs to make. */
  readonly budget?: number;
}

export interface TuneStep {
  readonly allocator: string;
  readonly value: number;
  /** Runs made up to here. */
  readonly runs: number;
}

export interface TuneResult {
  readonly schema: typeof TUNE_SCHEMA;
  readonly workload: string;
  /** Interrupted: the best up to there. */
  readonly partial: boolean;
  readonly objective: string;
  readonly from: { readonly allocator: string; readonly value: number };
  readonly best: { readonly allocator: string; readonly value: number };
  /** Each improvement, in order. */
  readonly steps: readonly TuneStep[];
  readonly runs: number;
  /** No single option makes it better any more; false where the budget ended first. */
  readonly settled: boolean;
  /** The kept metrics at the beginning and at the best point. */
  readonly kept: readonly { readonly metric: string; readonly from: number | null; readonly best: number | null }[];
}

interface Point {
  readonly spec: AllocatorSpec;
  readonly result: RunResult;
  readonly value: number;
}

const BUDGET = 200;

/**
 * Looks for a better setting, one option after another: all values of an option are run in parallel, the best that keeps
 * the limits stays, until a whole round brings nothing. What it finds is a best point for steps of one option; that
 * there is no better one far away it does not show.
 */
export async function tune(options: TuneOptions): Promise<TuneResult> {
  const runner = createRunner(options);
  try {
    return await search(options, runner);
  } finally {
    await runner.close();
  }
}

async function search(options: TuneOptions, runner: Runner): Promise<TuneResult> {
  const { task, budget = BUDGET, keep = [] } = options;
  const objective = metricNamed(options.objective);
  const limits = keep.map((k) => ({ metric: metricNamed(k.metric), percent: k.percent }));
  const start = parseAllocator(options.allocator, task.cpus);
  const dimensions = dimensionsOf(start, task.cpus, options.options);
  const seen = new Set([formatAllocator(start)]);
  let runs = 0;
  let partial = false;

  async function measure(specs: readonly AllocatorSpec[]): Promise<Point[]> {
    runs += specs.length;
    const tasks = specs.map((spec) => ({ ...task, allocator: formatAllocator(spec) }));
    const done = await runner.run(tasks).catch((error: unknown) => {
      if (!(error instanceof BatchInterrupted)) throw error;
      partial = true;
      runs -= error.finished.filter((run) => run === undefined).length;
      return error.finished as readonly (ReportRun | undefined)[];
    });
    return done.flatMap((run, i) => {
      const value = run ? objective.of(run.result) : null;
      return run && value !== null ? [{ spec: specs[i]!, result: run.result, value }] : [];
    });
  }

  const [base] = await measure([start]);
  if (partial) throw new Interrupted('interrupted');
  if (!base) throw new UserError(`${objective.name} is no figure of a run in mode ${task.mode}`);
  let best = base;
  const steps: TuneStep[] = [{ allocator: formatAllocator(start), value: base.value, runs }];
  let settled = false;
  while (!settled && runs < budget && !partial) {
    settled = true;
    for (const { option, values } of dimensions) {
      const specs = values
        .map((value) => withOption(best.spec, option, value))
        .filter((spec) => !seen.has(formatAllocator(spec)))
        .slice(0, budget - runs);
      for (const spec of specs) seen.add(formatAllocator(spec));
      if (specs.length === 0) continue;
      for (const point of await measure(specs)) {
        if (!isBetter(objective, point.value, best.value) || !keeps(point.result, base.result, limits)) continue;
        best = point;
        settled = false;
      }
      if (best.value !== steps.at(-1)!.value)
        steps.push({ allocator: formatAllocator(best.spec), value: best.value, runs });
      if (runs >= budget || partial) {
        settled = false;
        break;
      }
    }
  }
  return {
    schema: TUNE_SCHEMA,
    workload: base.result.run.workload,
    partial,
    objective: objective.name,
    from: { allocator: formatAllocator(start), value: base.value },
    best: { allocator: formatAllocator(best.spec), value: best.value },
    steps,
    runs,
    settled,
    kept: limits.map(({ metric }) => ({
      metric: metric.name,
      from: metric.of(base.result),
      best: metric.of(best.result),
    })),
  };
}

const isBetter = (metric: Metric, x: number, y: number) => (metric.better === 'lower' ? x < y : x > y);

function keeps(
  result: RunResult,
  base: RunResult,
  limits: readonly { readonly metric: Metric; readonly percent: number }[],
): boolean {
  if (result.abort || result.summary.failedAllocations > base.summary.failedAllocations) return false;
  return limits.every(({ metric, percent }) => {
    const value = metric.of(result);
    const before = metric.of(base);
    if (value === null || before === null) return true;
    const worse = metric.better === 'lower' ? value - before : before - value;
    return worse <= (Math.abs(before) * percent) / 100;
  });
}

function dimensionsOf(spec: AllocatorSpec, cpus: number, names: readonly string[] | undefined) {
  const layers: AllocatorSpec[] = [];
  for (let s: AllocatorSpec | undefined = spec; s; s = s.below) layers.push(s);
  const known = layers.flatMap((s) => s.model.options.map((option) => ({ option, version: s.version })));
  for (const name of names ?? []) {
    if (!known.some(({ option }) => option.name === name)) {
      throw new UserError(`--options: ${spec.model.name} has no option '${name}'`);
    }
  }
  return known
    .filter(({ option }) => !names || names.includes(option.name))
    .map(({ option, version }) => ({ option: option.name, values: candidateValues(option, { version, cpus }) }))
    .filter(({ values }) => values.length > 0);
}

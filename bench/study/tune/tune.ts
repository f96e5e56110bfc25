import { type AllocatorSpec, formatAllocator, parseAllocator } from '../../../allocators/spec.ts';
import { Interrupted, UserError } from '../../../sim/contract/assert.ts';
import type { Ns } from '../../../sim/contract/units.ts';
import { metricNamed } from '../../metrics/index.ts';
import type { Metric } from '../../metrics/metric.ts';
import type { ReportRun } from '../../report/report-run.ts';
import type { Environment } from '../../run/recorded-settings.ts';
import { ownEnvironment } from '../../run/recorded-setup.ts';
import type { Mode, Pace } from '../../run/result.ts';
import { DECAY_OF_A_SECOND, highThresholds, PAGES_AT_ONCE } from '../explain/mechanisms/shared-settings.ts';
import type { JudgedMoment } from '../judged-moment.ts';
import { BatchInterrupted, leavesRuns } from '../parallel/finished.ts';
import { createRunner, type RunAllOptions, type Runner } from '../parallel/run-all.ts';
import type { RunTask } from '../parallel/run-task.ts';
import { type Paste, pasteOf } from '../paste.ts';
import { type Costs, dominates, paretoFront } from '../sweep/pareto.ts';
import { type Bound, boundsFor, isWithin, worsening } from './bounds.ts';
import { OF_THREADS } from './candidates.ts';
import { addsTo, type Dimension, dimensionsOf, type Found, type Point, search } from './search.ts';
import { type Validation, validate } from './validate.ts';

export const TUNE_SCHEMA = 'allocsim-tune-1';

export interface TuneOptions extends RunAllOptions {
  /** The workload and its machine. */
  readonly task: Omit<RunTask, 'allocator'>;
  /** Where the task ends, if that is before the workload does. */
  readonly moment?: JudgedMoment | null;
  /** Processor time that the recorded program took up to there, of all threads; null: it is not known. */
  readonly programNs?: Ns | null;
  /** The workload for another seed, for the validation; without it the task with that seed. */
  readonly load?: (seed: number) => Promise<Omit<RunTask, 'allocator' | 'seed'>>;
  /** Where the search begins, as in --allocator. */
  readonly allocator: string;
  /** The metric to improve. */
  readonly objective: string;
  /** How much worse other metrics may become, over DEFAULT_BOUNDS. */
  readonly keep?: readonly Bound[];
  /** Options to try; default: what people set in production, of the allocator and of the one below it. */
  readonly options?: readonly string[];
  /** Most runs of the search. */
  readonly budget?: number;
  /** Other seeds that the best point is tried with. */
  readonly validationSeeds?: number;
}

export interface TuneStep {
  readonly allocator: string;
  readonly value: number;
  /** Runs made up to here. */
  readonly runs: number;
}

/** One setting that was run. */
export interface TunePoint {
  readonly allocator: string;
  /** By metric; null where the run has no such figure. */
  readonly figures: Readonly<Record<string, number | null>>;
  /** No other point is as good in every column and better in one. */
  readonly front: boolean;
  readonly withinBounds: boolean;
  readonly failed: boolean;
}

export interface TuneResult {
  readonly schema: typeof TUNE_SCHEMA;
  readonly workload: string;
  /** Interrupted: the best up to there. */
  readonly partial: boolean;
  readonly mode: Mode;
  readonly pace: Pace;
  /** What every figure is up to; null: the end. */
  readonly moment: JudgedMoment | null;
  readonly objective: string;
  readonly from: { readonly allocator: string; readonly value: number };
  readonly best: { readonly allocator: string; readonly value: number };
  /** Each improvement, in order. */
  readonly steps: readonly TuneStep[];
  /** Of the search. */
  readonly runs: number;
  /** No single option, and no two that work on the same thing, make it better any more; false where the budget ended first. */
  readonly settled: boolean;
  readonly bounds: readonly Bound[];
  /** The columns of `points`: the goal first. */
  readonly columns: readonly string[];
  /** Everything that was run, the beginning first. */
  readonly points: readonly TunePoint[];
  /** Options none of whose values changed anything. */
  readonly inert: readonly string[];
  /** Settings that helped on the way and that the best point does without. */
  readonly dropped: readonly string[];
  /** null where there is nothing to validate: nothing was gained, or no seed changes anything. */
  readonly validation: Validation | null;
  /** Better in the search, not with other seeds: passed over, and all that adds to them. */
  readonly refuted: readonly string[];
  /** The best point, ready to paste; empty where it is the beginning. */
  readonly paste: readonly Paste[];
}

const BUDGET = 200;
const VALIDATION_SEEDS = 3;
/** So many points are validated, until one holds. */
const VALIDATED_MAX = 3;

/**
 * Looks for a better setting within bounds. What it finds is a best point for steps of one option, or of two that work on the same thing; that there is no better one far away
 * it does not show. The answer is one that other seeds confirm, or the beginning.
 */
export async function tune(options: TuneOptions): Promise<TuneResult> {
  const runner = createRunner(options);
  try {
    return await tuneWith(options, runner);
  } finally {
    await runner.close();
  }
}

/** A budget may end before all has been tried: what one thread does not use comes last. */
function likelyFirst(dimensions: readonly Dimension[], { events }: Pick<RunTask, 'events'>): readonly Dimension[] {
  if (!events || events.threadSlots > 1) return dimensions;
  const isLate = ({ option }: Dimension) => OF_THREADS.includes(option);
  return [...dimensions.filter((each) => !isLate(each)), ...dimensions.filter(isLate)];
}

/** The program's own settings, where it is run under them. */
const environmentOf = ({ events, cpus }: Omit<RunTask, 'allocator'>, spec: AllocatorSpec): Environment =>
  events ? ownEnvironment({ events, cpus, spec }) : [];

async function tuneWith(options: TuneOptions, runner: Runner): Promise<TuneResult> {
  const { task, budget = BUDGET } = options;
  const objective = metricNamed(options.objective);
  if (!objective.deterministic) {
    throw new UserError(
      `found '${objective.name}', expected a figure of the program: this one is the simulator's own speed`,
    );
  }
  const bounds = boundsFor(objective.name, options.keep ?? [], options.programNs);
  const start = parseAllocator(options.allocator, task.cpus);
  let partial = false;
  const found = await search({
    start,
    cpus: task.cpus,
    objective,
    bounds,
    dimensions: likelyFirst(dimensionsOf(start, task.cpus, options.options), task),
    together: (peak) => [...highThresholds(peak), DECAY_OF_A_SECOND, PAGES_AT_ONCE],
    budget,
    mode: task.mode,
    measure: async (specs) => {
      if (partial) return specs.map(() => null);
      const tasks = specs.map((spec) => ({ ...task, allocator: formatAllocator(spec) }));
      const runs = await runner.run(tasks).catch((error: unknown) => {
        if (!leavesRuns(error)) throw error;
        partial ||= error instanceof BatchInterrupted; // a setting whose run died is one without a result
        if (specs[0] === start && error.finished[0] === undefined)
          throw partial ? new Interrupted('interrupted') : error;
        return error.finished as readonly (ReportRun | undefined)[];
      });
      return runs.map((run, i) => {
        const value = run ? objective.of(run.result) : null;
        return run && value !== null ? { spec: specs[i]!, result: run.result, value } : null;
      });
    },
    isInterrupted: () => partial,
  });
  const { base, steps, settled, inert, dropped } = found;
  const columns = columnsFor(objective.name, base);
  const cheapest = cheapestOf(found, bounds, columns);
  let outcome: Confirmed = { best: cheapest, validation: null, refuted: [] };
  if (!partial) {
    try {
      outcome = await confirmed(options, runner, objective, bounds, { ...found, best: cheapest });
    } catch (error) {
      if (!leavesRuns(error)) throw error;
      partial = true;
    }
  }
  const { best, validation, refuted } = outcome;
  const named = (point: Point) => ({ allocator: formatAllocator(point.spec), value: point.value });
  return {
    schema: TUNE_SCHEMA,
    workload: base.result.run.workload,
    partial,
    mode: base.result.run.mode,
    pace: base.result.run.pace,
    moment: options.moment ?? null,
    objective: objective.name,
    from: named(base),
    best: named(best),
    steps: steps.map(({ point, runs }) => ({ ...named(point), runs })),
    runs: found.points.length,
    settled,
    bounds,
    columns,
    points: tunePoints(found.points, base, bounds, columns),
    inert,
    dropped,
    validation,
    refuted,
    paste: best === base ? [] : pasteOf(best.spec, environmentOf(task, start)),
  };
}

/** The goal, and what it may cost: time where it passes, the peak, the end, calls, faults. */
function columnsFor(objective: string, base: Point): string[] {
  const { mode, pace } = base.result.run;
  const time = mode === 'lockstep' ? [] : pace === 'recorded' ? ['cpuNs'] : ['virtualNs', 'cpuNs'];
  return [...new Set([objective, ...time, 'rssPeakBytes', 'rssBytes', 'syscalls', 'faults'])];
}

function tunePoints(points: readonly Point[], base: Point, bounds: readonly Bound[], columns: readonly string[]) {
  const failed = points.map(
    ({ result }) => result.abort !== null || result.summary.failedAllocations > base.result.summary.failedAllocations,
  );
  const costs = points.map((point, i) => (failed[i] ? columns.map(() => null) : costsOf(point, columns)));
  const front = new Set(paretoFront(costs));
  return points.map(
    ({ spec, result }, i): TunePoint => ({
      allocator: formatAllocator(spec),
      figures: Object.fromEntries(columns.map((name) => [name, metricNamed(name).of(result)])),
      front: front.has(i) && !failed[i],
      withinBounds: isWithin(result, base.result, bounds),
      failed: failed[i]!,
    }),
  );
}

function costsOf({ result }: Point, columns: readonly string[]): Costs {
  return columns.map((name) => {
    const metric = metricNamed(name);
    const value = metric.of(result);
    return value === null ? null : metric.better === 'lower' ? value : -value;
  });
}

/** In place of the best one a point that is as good, costs less in a column and more in none, and sets no more options. */
function cheapestOf({ base, best, points }: Found, bounds: readonly Bound[], columns: readonly string[]): Point {
  if (best === base) return best;
  const isCheaper = (p: Point, than: Point) =>
    p.value === than.value &&
    settingsOf(p.spec) <= settingsOf(than.spec) &&
    dominates(costsOf(p, columns), costsOf(than, columns)) &&
    isWithin(p.result, base.result, bounds);
  return points.reduce((pick, p) => (isCheaper(p, pick) ? p : pick), best);
}

const settingsOf = ({ given, below }: AllocatorSpec): number =>
  Object.keys(given).length + (below ? settingsOf(below) : 0);

interface Confirmed {
  readonly best: Point;
  readonly validation: Validation | null;
  readonly refuted: string[];
}

/** The best point that other seeds confirm; the beginning where none is. */
async function confirmed(
  options: TuneOptions,
  runner: Runner,
  objective: Metric,
  bounds: readonly Bound[],
  { base, best, points }: Found,
): Promise<Confirmed> {
  const seeds = Array.from(
    { length: options.validationSeeds ?? VALIDATION_SEEDS },
    (_, i) => options.task.seed + 1 + i,
  );
  if (best === base || seeds.length === 0 || !seedsMatter(options)) return { best, validation: null, refuted: [] };
  const better = points.filter(
    (p) => worsening(objective, base.value, p.value) < 0 && isWithin(p.result, base.result, bounds),
  );
  better.sort((x, y) => worsening(objective, y.value, x.value));
  const refuted: Point[] = [];
  for (const point of [best, ...better.filter((p) => p !== best)]) {
    if (refuted.length === VALIDATED_MAX) break;
    if (refuted.some((r) => addsTo(point.spec, r.spec, base.spec))) continue;
    const validation = await validate({ options, runner, objective, bounds, base, seeds }, point);
    if (validation.holds) return { best: point, validation, refuted: refuted.map(nameOf) };
    refuted.push(point);
  }
  return { best: base, validation: null, refuted: refuted.map(nameOf) };
}

const nameOf = ({ spec }: Point): string => formatAllocator(spec);

/** In file order a trace runs alike with every seed. */
function seedsMatter({ task, load }: TuneOptions): boolean {
  return task.mode !== 'lockstep' || load !== undefined;
}

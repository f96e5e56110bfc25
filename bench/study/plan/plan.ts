import { Interrupted, UserError } from '../../../sim/contract/assert.ts';
import { bytes } from '../../../sim/contract/format.ts';
import type { Bytes, Ns } from '../../../sim/contract/units.ts';
import { outOfOrderSentences } from '../../run/out-of-order.ts';
import type { RecordedProcessSample } from '../../run/recorded-process.ts';
import type { Mode, Pace, RunResult } from '../../run/result.ts';
import { orFinished } from '../parallel/finished.ts';
import { type RunAllOptions, runAll } from '../parallel/run-all.ts';
import type { RunTask } from '../parallel/run-task.ts';
import { eventsOf } from '../parallel/task-events.ts';
import {
  type Demand,
  demandOfRuns,
  distributionOf,
  exceeding,
  type Level,
  memoryFor,
  mixed,
  percentileOf,
  processesIn,
} from './demand.ts';
import { samplePoints, withLastIdleTime } from './sample-points.ts';

export const PLAN_SCHEMA = 'allocsim-plan-1';

/** One of the workloads of the machine. */
export interface PlanKind {
  /** One task for each seed, without the allocator. */
  readonly tasks: readonly Omit<RunTask, 'allocator'>[];
  /** Of all processes; only their ratios count. */
  readonly share: number;
}

export interface PlanOptions extends RunAllOptions {
  /** The workload, or the first of `kinds`. */
  readonly task?: Omit<RunTask, 'allocator'>;
  /** A mix of workloads, in place of `task`. */
  readonly kinds?: readonly PlanKind[];
  readonly allocators: readonly string[];
  /** Of the machine. */
  readonly memory: Bytes;
  /** Kept free of it. */
  readonly reserve?: Bytes;
  /** What all processes have once, together: code, shared memory, a cache. */
  readonly shared?: Bytes;
  /** Of each process beyond what its allocator holds: stacks, data. */
  readonly extra?: Bytes;
  /** How many processes there are to be; without it only what fits is told. */
  readonly processes?: number;
  /** Probability with which the memory may be exceeded at some moment. */
  readonly risk?: number;
}

export interface PlanRow extends Demand {
  readonly allocator: string;
  /** Levels that one process does not exceed for this share of its time, over all seeds and kinds. */
  readonly p50Bytes: Bytes;
  readonly p95Bytes: Bytes;
  readonly p99Bytes: Bytes;
  /** Median length of a run; null in lockstep. */
  readonly virtualNs: Ns | null;
  /** Processes that fit where all reach their peak at once; null where nothing is needed. */
  readonly fitsAtPeak: number | null;
  /** … where their peaks fall independently; null likewise. */
  readonly fitsIndependent: number | null;
  /** Memory for the wanted number of processes, either way, with what is shared and the reserve. */
  readonly needsAtPeakBytes: Bytes | null;
  readonly needsIndependentBytes: Bytes | null;
  /** How probable it is that the wanted number exceeds the memory at a moment. */
  readonly exceedingProbability: number | null;
}

export interface PlanResult {
  readonly schema: typeof PLAN_SCHEMA;
  readonly workload: string;
  /** Interrupted: only what had finished. */
  readonly partial: boolean;
  readonly mode: Mode;
  readonly pace: Pace;
  readonly memory: Bytes;
  readonly reserve: Bytes;
  readonly shared: Bytes;
  readonly extra: Bytes;
  readonly processes: number | null;
  readonly risk: number;
  readonly mix: readonly { readonly workload: string; readonly share: number; readonly seeds: number }[];
  readonly rows: readonly PlanRow[];
  /** What the answer rests on, in words. */
  readonly assumed: readonly string[];
}

const RISK = 1e-4;
const KIB = 1024;

/** Sizes a machine for many processes that each do one of the workloads. */
export async function plan(options: PlanOptions): Promise<PlanResult> {
  const { allocators, memory, reserve = 0, shared = 0, extra = 0, processes = null, risk = RISK } = options;
  if (!(risk > 0 && risk < 0.5)) throw new UserError(`a risk is a probability below 0.5, found ${risk}`);
  if (reserve + shared >= memory) throw new UserError('the reserve and what is shared leave nothing of the memory');
  const kinds = options.kinds ?? [{ tasks: [options.task!], share: 1 }];
  const shares = kinds.reduce((sum, kind) => sum + kind.share, 0);
  const tasks = allocators.flatMap((allocator) =>
    kinds.flatMap((kind) =>
      kind.tasks.map(
        (task): RunTask => ({
          ...task,
          allocator,
          ...(task.sampleEvery ? {} : samplePoints(eventsOf(task), task)),
        }),
      ),
    ),
  );
  const { runs, partial } = await orFinished(runAll(tasks, options));
  const perAllocator = tasks.length / allocators.length;
  const whole = allocators.flatMap((_, i) => {
    const own = runs.slice(i * perAllocator, (i + 1) * perAllocator).filter((run) => run !== undefined);
    return own.length === perAllocator
      ? [own.map((run, k) => withLastIdleTime(run.result, eventsOf(tasks[i * perAllocator + k]!)))]
      : [];
  });
  if (whole.length === 0) throw new Interrupted('interrupted');
  const results = whole.flat();
  const rows = whole.map((own): PlanRow => {
    const groups = kinds.map((kind, k) => {
      const from = kinds.slice(0, k).reduce((sum, before) => sum + before.tasks.length, 0);
      return { results: own.slice(from, from + kind.tasks.length), share: kind.share / shares };
    });
    return planRow(groups, { memory, reserve, shared, extra, processes, risk });
  });
  const { run } = results[0]!;
  const mix = kinds.map(({ tasks, share }) => ({
    workload: tasks[0]!.workload,
    share: share / shares,
    seeds: tasks.length,
  }));
  return {
    schema: PLAN_SCHEMA,
    workload: mix.map((m) => m.workload).join(' and '),
    partial,
    mode: run.mode,
    pace: run.pace,
    memory,
    reserve,
    shared,
    extra,
    processes,
    risk,
    mix,
    rows,
    assumed: assumptions(results, kinds, risk, extra),
  };
}

interface Group {
  readonly results: readonly RunResult[];
  readonly share: number;
}

type Terms = Required<Pick<PlanResult, 'memory' | 'reserve' | 'shared' | 'extra' | 'processes' | 'risk'>>;

function planRow(groups: readonly Group[], terms: Terms): PlanRow {
  const { memory, reserve, shared, extra, processes, risk } = terms;
  const average = mixed(groups.map(({ results, share }) => ({ demand: demandOfRuns(results), share })));
  const demand: Demand = {
    meanBytes: average.meanBytes + extra,
    deviationBytes: average.deviationBytes,
    peakBytes: average.peakBytes + extra,
    highestBytes: average.highestBytes! + extra,
  };
  const levels: Level[] = groups
    .flatMap(({ results, share }) =>
      distributionOf(results).map(({ bytes, weight }) => ({ bytes: bytes + extra, weight: weight * share })),
    )
    .sort((x, y) => x.bytes - y.bytes);
  const first = groups[0]!.results[0]!;
  const room = memory - reserve - shared;
  const beside = reserve + shared;
  return {
    allocator: first.run.allocator,
    ...demand,
    p50Bytes: percentileOf(levels, 0.5),
    p95Bytes: percentileOf(levels, 0.95),
    p99Bytes: percentileOf(levels, 0.99),
    virtualNs: first.run.mode === 'lockstep' ? null : medianOf(groups.flatMap((g) => g.results)),
    fitsAtPeak: demand.peakBytes > 0 ? Math.floor(room / demand.peakBytes) : null,
    fitsIndependent: demand.peakBytes > 0 ? processesIn(demand, room, risk) : null,
    needsAtPeakBytes: processes === null ? null : beside + processes * demand.peakBytes,
    needsIndependentBytes: processes === null ? null : beside + memoryFor(demand, processes, risk),
    exceedingProbability: processes === null ? null : exceeding(demand, processes, room),
  };
}

function medianOf(results: readonly RunResult[]): Ns {
  const sorted = results.map((r) => r.summary.virtualNs).sort((x, y) => x - y);
  return sorted[sorted.length >> 1]!;
}

function assumptions(results: readonly RunResult[], kinds: readonly PlanKind[], risk: number, extra: Bytes): string[] {
  const { run, samples } = results[0]!;
  const time =
    run.mode !== 'lockstep'
      ? 'by the time that passes in the run, idle time with it'
      : samples.at(-1)!.virtualNs > samples[0]!.virtualNs
        ? 'by the clock of the trace, idle time with it'
        : 'by events: the trace has no times, so idle time is not known';
  return [
    `A process is as the run: its levels are weighted ${time}.`,
    ...(extra > 0 ? [] : besideHeap(results)),
    'When it ends the next one begins; nothing else of the machine needs memory but what was given.',
    `Independent: processes do not wait for each other, and the memory is exceeded with a probability of ${risk} at a moment.`,
    ...(kinds.length > 1 ? ['The kinds are there in their shares at any time.'] : []),
    ...(kinds.some((kind) => kind.tasks.length > 1) ? ['Mean and percentiles are over all seeds.'] : []),
    ...outOfOrderSentences(results),
  ];
}

/** What a recorded process has beside its heap, where it was not given: the most of it that the recordings say. */
function besideHeap(results: readonly RunResult[]): string[] {
  const seen = results.flatMap(({ recordedProcess }) => recordedProcess?.samples ?? []);
  if (seen.length === 0) return [];
  const ownOf = ({ anonymous, stack, data }: RecordedProcessSample) => anonymous + stack + data;
  const most = seen.reduce((x, y) => (ownOf(y) > ownOf(x) ? y : x));
  const own = ownOf(most);
  const files = Math.max(...seen.map((sample) => sample.files));
  return [
    `Of a process the heap alone counts: beside it a recorded one had ${bytes(own)} of its own at '${most.label}'${seen.length > 1 ? ', the most of all looks' : ', the only look, which need not be its mean'} (--extra ${Math.ceil(own / KIB)}K), and ${bytes(files)} of files, which processes of one program share (--shared).`,
  ];
}

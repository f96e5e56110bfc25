import { UserError } from '../../../sim/contract/assert.ts';
import type { Bytes, Ns } from '../../../sim/contract/units.ts';
import type { Mode } from '../../run/result.ts';
import { orFinished } from '../parallel/finished.ts';
import { type RunAllOptions, runAll } from '../parallel/run-all.ts';
import type { RunTask } from '../parallel/run-task.ts';
import { type Demand, demandOf, memoryFor, processesIn } from './demand.ts';

export const PLAN_SCHEMA = 'allocsim-plan-1';

export interface PlanOptions extends RunAllOptions {
  readonly task: Omit<RunTask, 'allocator'>;
  readonly allocators: readonly string[];
  /** For all processes together. */
  readonly memory: Bytes;
  /** Of each process beyond what its allocator holds: code, stacks, data. */
  readonly extra?: Bytes;
  /** How many processes there are to be; without it only what fits is told. */
  readonly processes?: number;
  /** Probability with which the memory may be exceeded at some moment. */
  readonly risk?: number;
}

export interface PlanRow extends Demand {
  readonly allocator: string;
  /** Length of a run; null in lockstep. */
  readonly virtualNs: Ns | null;
  /** Processes that fit where all reach their peak at once. */
  readonly fitsAtPeak: number;
  /** … where their peaks fall independently. */
  readonly fitsIndependent: number;
  /** Memory for the wanted number of processes, either way. */
  readonly needsAtPeakBytes: Bytes | null;
  readonly needsIndependentBytes: Bytes | null;
}

export interface PlanResult {
  readonly schema: typeof PLAN_SCHEMA;
  readonly workload: string;
  /** Interrupted: only what had finished. */
  readonly partial: boolean;
  readonly mode: Mode;
  readonly memory: Bytes;
  readonly extra: Bytes;
  readonly processes: number | null;
  readonly risk: number;
  readonly rows: readonly PlanRow[];
}

const SAMPLES = 400;
const RISK = 1e-4;

/** Sizes a machine for many processes that each do the workload. */
export async function plan(options: PlanOptions): Promise<PlanResult> {
  const { task, allocators, memory, extra = 0, processes = null, risk = RISK } = options;
  if (!(risk > 0 && risk < 0.5)) throw new UserError(`a risk is a probability below 0.5, found ${risk}`);
  const sampleEvery = task.sampleEvery || Math.max(1, Math.ceil(task.events.length / SAMPLES));
  const { partial, ...done } = await orFinished(
    runAll(
      allocators.map((allocator) => ({ ...task, allocator, sampleEvery })),
      options,
    ),
  );
  const runs = done.runs.filter((run) => run !== undefined);
  const rows = runs.map(({ result }): PlanRow => {
    const own = demandOf(result);
    const demand = { ...own, meanBytes: own.meanBytes + extra, peakBytes: own.peakBytes + extra };
    return {
      ...demand,
      allocator: result.run.allocator,
      virtualNs: result.run.mode === 'lockstep' ? null : result.summary.virtualNs,
      fitsAtPeak: demand.peakBytes > 0 ? Math.floor(memory / demand.peakBytes) : Infinity,
      fitsIndependent: processesIn(demand, memory, risk),
      needsAtPeakBytes: processes === null ? null : processes * demand.peakBytes,
      needsIndependentBytes: processes === null ? null : memoryFor(demand, processes, risk),
    };
  });
  const { run } = runs[0]!.result;
  const { workload, mode } = run;
  return { schema: PLAN_SCHEMA, workload, partial, mode, memory, extra, processes, risk, rows };
}

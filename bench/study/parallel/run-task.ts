import { parseAllocator } from '../../../allocators/spec.ts';
import type { EventBuffer, Touch } from '../../../sim/contract/event.ts';
import type { Start } from '../../../sim/contract/start.ts';
import type { Ns } from '../../../sim/contract/units.ts';
import type { KernelOptions } from '../../../sim/kernel/kernel.ts';
import type { Costs } from '../../../sim/time/costs.ts';
import type { PassingFile } from '../../../workloads/trace/passing.ts';
import type { Recorded, ReportRun } from '../../report/report-run.ts';
import { samplesOnTheWay } from '../../run/modes/virtual-events.ts';
import type { Mode, Pace, RunResult } from '../../run/result.ts';
import { runInMode } from '../../run/run-in-mode.ts';
import { type RunOptions, timedRows } from '../../run/run-options.ts';
import { openTraceFile, type TraceFile } from './trace-file.ts';

/** A whole run as plain data, so that it can be sent to a worker. The columns of `events` are shared, not copied. */
export interface RunTask {
  /** May be left out where they are generated: then whoever executes the run generates them. */
  readonly events?: EventBuffer;
  /** In place of events, where the run is made by this process and records nothing: it reads them itself. */
  readonly file?: TraceFile;
  /** The events are those of the built-in `workload` with these `parameters`, and of no trace. */
  readonly generated?: boolean;
  readonly workload: string;
  readonly parameters: Readonly<Record<string, number | string | boolean>>;
  /** As in --allocator. */
  readonly allocator: string;
  readonly cpus: number;
  readonly affinity?: number;
  readonly mode: Mode;
  readonly pace: Pace;
  readonly pausesFromNs?: Ns;
  readonly timeReason?: string;
  readonly until?: string;
  readonly seed: number;
  readonly touch?: Touch;
  readonly kernel?: Partial<KernelOptions>;
  readonly costs?: Costs;
  readonly topology?: string;
  readonly hz?: number;
  readonly start?: Start;
  readonly sampleEvery?: number;
  readonly sampleIdleNs?: number;
  readonly sampleBefore?: readonly number[];
  readonly lastSampleOnly?: boolean;
  /** Keep what pictures draw beyond the result. */
  readonly record?: Recorded;
}

export type RunTaskOptions = Pick<RunOptions, 'signal' | 'machine'>;

/** Executes one task; what a worker does, and what is done without workers. */
export async function runTask(task: RunTask, { signal, machine }: RunTaskOptions = {}): Promise<ReportRun> {
  const { allocator, record, generated: _, file, ...rest } = task;
  const given = { ...rest, spec: parseAllocator(allocator, task.cpus), ...(signal && { signal }), machine };
  if (file) return { result: await runReading(file, given) };
  const events = task.events ?? (await import('./task-events.ts')).eventsOf(task);
  const options = { ...given, events };
  return record ? (await import('../record.ts')).recordRun(options, record) : { result: await runInMode(options) };
}

async function runReading(file: TraceFile, options: Omit<RunOptions, 'events'>): Promise<RunResult> {
  const { machine } = options;
  const kept = machine?.keeper.look(machine.shape);
  const trace = openTraceFile(file, kept?.events as PassingFile | undefined);
  const { events, waitedNs } = timedRows(trace);
  try {
    const given = { ...options, events, loadNs: waitedNs, rowsNs: waitedNs };
    return await runInMode({ ...given, machine: samplesOnTheWay(given) ? undefined : machine });
  } finally {
    await trace.close();
  }
}

import { parseAllocator } from '../../allocators/spec.ts';
import type { EventBuffer, Touch } from '../../sim/event.ts';
import type { KernelOptions } from '../../sim/kernel/kernel.ts';
import type { Mode, RunResult } from '../../sim/report/result.ts';
import { runVirtual } from '../modes/virtual.ts';
import { runLockstep, type SessionOptions } from '../session.ts';

/** A whole run as plain data, so that it can be sent to a worker. The columns of `events` are shared, not copied. */
export interface RunTask {
  readonly events: EventBuffer;
  readonly workload: string;
  readonly parameters: Readonly<Record<string, number | string | boolean>>;
  /** As in --allocator. */
  readonly allocator: string;
  readonly cpus: number;
  readonly mode: Mode;
  readonly pace: 'asap' | 'recorded';
  readonly seed: number;
  readonly touch?: Touch;
  readonly kernel?: Partial<KernelOptions>;
  readonly sampleEvery?: number;
}

/** Executes one task; what a worker does, and what is done without workers. */
export async function runTask(task: RunTask, signal?: AbortSignal): Promise<RunResult> {
  const { allocator, ...rest } = task;
  return runSession({ ...rest, spec: parseAllocator(allocator, task.cpus), ...(signal && { signal }) });
}

/** Runs to the end in the mode that the options name. */
export function runSession(options: SessionOptions): Promise<RunResult> {
  return options.mode === 'virtual' ? runVirtual(options) : runLockstep(options);
}

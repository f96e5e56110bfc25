import { createHash } from 'node:crypto';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import { buildIdentity } from './build-identity.ts';
import { canonicalPlain } from './plain-json.ts';
import type { RunTask } from './run-task.ts';
import type { FleetRunTask, MachineTask, ObserveTask, Task } from './task.ts';
import { traceHash } from './trace-content.ts';

export interface DescribedRun extends Omit<RunTask, 'events' | 'file'> {
  /** traceHash of the events; of a file that each run reads what it is known by; null where they are generated. */
  readonly trace: string | null;
}

/** With the traceHash of each trace. */
type WithHashes<T> = Omit<T, 'traces' | 'threads'> & { readonly traces: Readonly<Record<string, string>> };
export type DescribedFleetRun = WithHashes<FleetRunTask>;
export type DescribedMachine = WithHashes<MachineTask>;

export interface DescribedLook extends Pick<ObserveTask, 'observe'> {
  readonly trace: string;
}

/** A task without its events: what is written down, sent and hashed. */
export type DescribedTask = DescribedRun | DescribedFleetRun | DescribedMachine | DescribedLook;

export function describeTask(task: Task): DescribedTask {
  if ('fleet' in task) return { fleet: task.fleet, logs: task.logs, traces: hashesOf(task.traces) };
  if ('machine' in task) return { machine: task.machine, traces: hashesOf(task.traces) };
  if ('observe' in task) return { observe: task.observe, trace: traceHash(task.events) };
  const { events, file, ...rest } = task;
  if (file) return { ...rest, trace: file.sha256 };
  if (rest.generated) return { ...rest, trace: null };
  if (!events) throw new Error(`${rest.workload}: a task without events, and none that can be generated`);
  return { ...rest, trace: traceHash(events) };
}

const hashesOf = (traces: Readonly<Record<string, EventBuffer>>): Record<string, string> =>
  Object.fromEntries(Object.entries(traces).map(([name, events]) => [name, traceHash(events)]));

/** The events that travel with the task. */
export function eventsWith(task: Task): readonly EventBuffer[] {
  if ('traces' in task) return Object.values(task.traces);
  if ('observe' in task) return [task.events];
  return task.events && !task.generated ? [task.events] : [];
}

/** Two tasks with the same key compute the same. */
export function runKey(task: DescribedTask): string {
  return createHash('sha256').update(buildIdentity()).update('\0').update(canonicalPlain(task)).digest('hex');
}

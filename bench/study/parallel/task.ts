import type { FleetOutcome, FleetTask } from '../../../fleet/index.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import type { ReportRun } from '../../report/report-run.ts';
import type { MachinePlace } from '../../run/kept-machine.ts';
import type { Observed, ObserveOptions } from '../explain/observed.ts';
import type { MachineAnswer, MachineQuestion } from '../machine/machine-answer.ts';
import type { RunTask } from './run-task.ts';

/** A run of a fleet with the files that its scenario names, by the names that it has for them. */
export interface FleetRunTask {
  readonly fleet: FleetTask;
  readonly traces: Readonly<Record<string, EventBuffer>>;
  readonly logs: Readonly<Record<string, string>>;
  /** For its heaps; they change nothing but how long it takes. Default: as many as there are processors. */
  readonly threads?: number;
}

/** A machine's script with the traces that it names. */
export interface MachineTask {
  readonly machine: MachineQuestion;
  readonly traces: Readonly<Record<string, EventBuffer>>;
}

/** A run that is looked at where `explain` judges it. */
export interface ObserveTask {
  readonly observe: Omit<ObserveOptions, 'events' | 'spec'> & { readonly allocator: string };
  readonly events: EventBuffer;
}

/** What is executed as one piece, by a thread or by a worker on another machine. Plain data but for the events. */
export type Task = RunTask | FleetRunTask | MachineTask | ObserveTask;

export type OutcomeOf<T extends Task> = T extends FleetRunTask
  ? FleetOutcome
  : T extends MachineTask
    ? MachineAnswer
    : T extends ObserveTask
      ? Observed
      : ReportRun;

export interface TaskOptions {
  readonly signal?: AbortSignal;
  /** Of a single run. */
  readonly machine?: MachinePlace | undefined;
  /** Of a fleet: between 0 and 1. */
  readonly onProgress?: (share: number) => void;
}

/** For people. */
type Named =
  | Omit<RunTask, 'events'>
  | { readonly fleet: FleetTask }
  | { readonly machine: MachineQuestion }
  | Pick<ObserveTask, 'observe'>;

export function taskText(task: Named): string {
  if ('machine' in task) return task.machine.name;
  if ('observe' in task) return `${task.observe.workload} under ${task.observe.allocator}, looked at`;
  if (!('fleet' in task)) return `${task.workload} under ${task.allocator}, seed ${task.seed}`;
  const { from, name, asks } = task.fleet;
  return `${from}, ${name}${asks.plan ? `, ${asks.plan.horizons.at(-1)!.name}` : ''}`;
}

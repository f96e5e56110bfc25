import { workerData } from 'node:worker_threads';
import { UserError } from '../../../sim/contract/assert.ts';
import { rememberOperationSet } from '../../../sim/contract/operation-set.ts';
import { createMachineKeeper } from '../../run/kept-machine.ts';
import { type Expected, executeTask, loadCode } from './execute-task.ts';
import type { OutcomeOf, Task } from './task.ts';
import { loadThreadPlugins } from './thread-plugins.ts';

export type TaskOutcome = { readonly run: OutcomeOf<Task> } | { readonly userError: string };

await loadThreadPlugins();
const { expected } = (workerData ?? {}) as { readonly expected?: Expected };
if (expected) loadCode(expected).catch(() => {}); // the task itself tells what is wrong

const keeper = createMachineKeeper();

/** A task, and of its events what its sender has found out about them. */
export interface SentTask {
  readonly task: Task;
  readonly operations: number | undefined;
  /** Of the machine that it can be made in, and then leaves to the next of that shape (machine-shape.ts). */
  readonly shape: string | undefined;
}

/** Piscina's entry. Errors lose their class between threads, so the user's own mistakes come back as data. */
export default async function work({ task, operations, shape }: SentTask): Promise<TaskOutcome> {
  if ('events' in task && task.events && operations !== undefined) rememberOperationSet(task.events, operations);
  try {
    return { run: await executeTask(task, { machine: shape === undefined ? undefined : { shape, keeper } }) };
  } catch (error) {
    if (error instanceof UserError) return { userError: error.message };
    throw error;
  }
}

import { workerData } from 'piscina';
import { UserError } from '../../../sim/contract/assert.ts';
import { executeTask, loadCode, type TaskKind } from './execute-task.ts';
import type { OutcomeOf, Task } from './task.ts';
import { loadThreadPlugins } from './thread-plugins.ts';

export type TaskOutcome = { readonly run: OutcomeOf<Task> } | { readonly userError: string };

await loadThreadPlugins();
const { prepares } = (workerData ?? {}) as { readonly prepares?: TaskKind };
if (prepares) void loadCode(prepares);

/** Piscina's entry. Errors lose their class between threads, so the user's own mistakes come back as data. */
export default async function work(task: Task): Promise<TaskOutcome> {
  try {
    return { run: await executeTask(task) };
  } catch (error) {
    if (error instanceof UserError) return { userError: error.message };
    throw error;
  }
}

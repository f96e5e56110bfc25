import { workerData } from 'piscina';
import { UserError } from '../../../sim/contract/assert.ts';
import { executeTask } from './execute-task.ts';
import type { OutcomeOf, Task } from './task.ts';

export type TaskOutcome = { readonly run: OutcomeOf<Task> } | { readonly userError: string };

// Models and metrics of plugins, before the first task.
const plugins = (workerData as { readonly plugins?: readonly string[] } | null)?.plugins ?? [];
if (plugins.length > 0) await (await import('../../metrics/plugins.ts')).loadPlugins(plugins);

/** Piscina's entry. Errors lose their class between threads, so the user's own mistakes come back as data. */
export default async function work(task: Task): Promise<TaskOutcome> {
  try {
    return { run: await executeTask(task) };
  } catch (error) {
    if (error instanceof UserError) return { userError: error.message };
    throw error;
  }
}

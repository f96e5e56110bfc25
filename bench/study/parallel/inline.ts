import type { Executor } from './executor.ts';
import { runTask } from './run-task.ts';

/** No threads: one run after another, here. */
export function createInline(signal?: AbortSignal): Executor {
  return {
    width: 1,
    async execute(task) {
      const run = await runTask(task, signal);
      if (run.result.partial) throw new Error('interrupted');
      return run;
    },
    close: async () => {},
  };
}

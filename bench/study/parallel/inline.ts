import { executeTask } from './execute-task.ts';
import type { Executor } from './executor.ts';
import type { OutcomeOf, Task, TaskOptions } from './task.ts';

/** No threads but those of a fleet: one run after another, here. */
export function createInline(options: TaskOptions = {}): Executor {
  return {
    width: 1,
    async execute<T extends Task>(task: T): Promise<OutcomeOf<T>> {
      const outcome = await executeTask(task, options);
      if ('result' in outcome && outcome.result.partial) throw new Error('interrupted');
      return outcome;
    },
    close: async () => {},
  };
}

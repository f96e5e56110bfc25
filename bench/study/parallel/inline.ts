import { createMachineKeeper, type MachinePlace } from '../../run/kept-machine.ts';
import { executeTask } from './execute-task.ts';
import type { Executor } from './executor.ts';
import type { OutcomeOf, Task, TaskOptions } from './task.ts';
import { shapeOf } from './task-shape.ts';

/** No threads but those of a fleet: one run after another, here. */
export function createInline(options: TaskOptions = {}): Executor {
  const keeper = createMachineKeeper();
  return {
    width: 1,
    async execute<T extends Task>(task: T): Promise<OutcomeOf<T>> {
      const outcome = await executeTask(task, { ...options, machine: placeOf(task) });
      if ('result' in outcome && outcome.result.partial) throw new Error('interrupted');
      return outcome;
    },
    close: async () => {},
  };

  function placeOf(task: Task): MachinePlace | undefined {
    const shape = shapeOf(task);
    return shape === undefined ? undefined : { shape, keeper };
  }
}

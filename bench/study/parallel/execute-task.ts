import type { OutcomeOf, Task, TaskOptions } from './task.ts';

/** Executes one task here. Throws Interrupted where the signal comes, and leaves nothing that can be told. */
export async function executeTask<T extends Task>(task: T, options?: TaskOptions): Promise<OutcomeOf<T>>;
export async function executeTask(task: Task, options: TaskOptions = {}): Promise<OutcomeOf<Task>> {
  if ('machine' in task) return (await import('../machine/execute-machine.ts')).executeMachine(task);
  if ('fleet' in task) return (await import('../fleet/execute-fleet.ts')).executeFleet(task, options);
  if ('observe' in task) return (await import('../explain/execute-observe.ts')).executeObserve(task);
  return (await import('./run-task.ts')).runTask(task, options.signal);
}

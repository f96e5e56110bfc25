import type { OutcomeOf, Task, TaskOptions } from './task.ts';

const CODE = {
  observe: () => import('../explain/execute-observe.ts'),
  run: async () => {
    await Promise.all([
      import('./run-task.ts'),
      import('../../run/modes/lockstep.ts'),
      import('../../../allocators/all.ts'),
    ]);
  },
};
export type TaskKind = keyof typeof CODE;

/** Loads what a task of the kind needs, which executeTask() else does itself. */
export async function loadCode(kind: TaskKind): Promise<void> {
  await CODE[kind]();
}

/** Executes one task here. Throws Interrupted where the signal comes, and leaves nothing that can be told. */
export async function executeTask<T extends Task>(task: T, options?: TaskOptions): Promise<OutcomeOf<T>>;
export async function executeTask(task: Task, options: TaskOptions = {}): Promise<OutcomeOf<Task>> {
  if ('machine' in task) return (await import('../machine/execute-machine.ts')).executeMachine(task);
  if ('fleet' in task) return (await import('../fleet/execute-fleet.ts')).executeFleet(task, options);
  if ('observe' in task) return (await CODE.observe()).executeObserve(task);
  return (await import('./run-task.ts')).runTask(task, options.signal);
}

import { loadModel } from '../../../allocators/load.ts';
import { parseAllocator } from '../../../allocators/spec.ts';
import type { OutcomeOf, Task, TaskOptions } from './task.ts';

/** What a thread will be asked for. */
export interface Expected {
  readonly kind: 'observe' | 'run';
  readonly allocator: string;
}

/** Loads what such a task needs, which executeTask() else does itself. */
export async function loadCode({ kind, allocator }: Expected): Promise<void> {
  await Promise.all([
    kind === 'observe' ? import('../explain/execute-observe.ts') : import('./run-task.ts'),
    import('../../run/modes/lockstep.ts'),
    loadModel(parseAllocator(allocator, 1)),
  ]);
}

/** Executes one task here. Throws Interrupted where the signal comes, and leaves nothing that can be told. */
export async function executeTask<T extends Task>(task: T, options?: TaskOptions): Promise<OutcomeOf<T>>;
export async function executeTask(task: Task, options: TaskOptions = {}): Promise<OutcomeOf<Task>> {
  if ('machine' in task) return (await import('../machine/execute-machine.ts')).executeMachine(task);
  if ('fleet' in task) return (await import('../fleet/execute-fleet.ts')).executeFleet(task, options);
  if ('observe' in task) return (await import('../explain/execute-observe.ts')).executeObserve(task);
  return (await import('./run-task.ts')).runTask(task, options);
}

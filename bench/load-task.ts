import type { RunTask } from './parallel/run-task.ts';
import { type MachineArguments, prepare } from './run-options.ts';

/** A workload and its machine as plain data, for workers. */
export async function loadTask(argv: MachineArguments): Promise<Omit<RunTask, 'allocator' | 'seed'>> {
  const { session } = await prepare(argv);
  const { events, workload, parameters = {}, cpus, kernel, touch } = session;
  return {
    events,
    workload,
    parameters,
    cpus,
    mode: 'lockstep',
    pace: 'asap',
    ...(kernel && { kernel }),
    ...(touch && { touch }),
  };
}

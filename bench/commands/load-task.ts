import { describeRun, isBuiltIn, type MachineArguments, prepare } from '../cli/run-options.ts';
import { type TimeArguments, timing } from '../cli/time-options.ts';
import type { RunTask } from '../study/parallel/run-task.ts';

/** A workload and its machine as plain data, for workers. */
export async function loadTask(argv: MachineArguments & TimeArguments): Promise<Omit<RunTask, 'allocator' | 'seed'>> {
  const { options, time } = await prepare(argv);
  const { events, workload, parameters = {}, cpus, kernel, touch, start } = options;
  return {
    events,
    ...((await isBuiltIn(argv.workload)) && { generated: true }),
    workload,
    parameters,
    cpus,
    ...timing(argv, events, time),
    ...(kernel && { kernel }),
    ...(touch && { touch }),
    ...(start && { start }),
  };
}

/** The same; where whoever executes the run can generate the events, they are left out. */
export async function describeTask(
  argv: MachineArguments & TimeArguments,
): Promise<Omit<RunTask, 'allocator' | 'seed'>> {
  const described = await describeRun(argv);
  if (!described) return loadTask(argv);
  const { time, ...rest } = described;
  return { ...rest, generated: true, ...timing(argv, undefined, time) };
}

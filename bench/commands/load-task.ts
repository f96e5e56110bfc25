import type { EngineArguments } from '../cli/batch-options.ts';
import { passingOrder } from '../cli/passing-order.ts';
import {
  describeRun,
  isBuiltIn,
  type MachineArguments,
  type Prepared,
  prepare,
  prepareFile,
} from '../cli/run-options.ts';
import { type TimeArguments, timing } from '../cli/time-options.ts';
import { recordedAllocator } from '../run/recorded-allocator.ts';
import type { RunTask } from '../study/parallel/run-task.ts';
import { describeTraceFile } from '../study/parallel/trace-file.ts';

/** `prepared`: a trace that has been read already; a pipe cannot be read twice. */
type TaskArguments = MachineArguments & TimeArguments & { readonly prepared?: Prepared | undefined };
type LoadedTask = Omit<RunTask, 'allocator' | 'seed'>;

/** A workload and its machine as plain data, for workers. */
export async function loadTask(argv: TaskArguments): Promise<LoadedTask> {
  const { options, time } = argv.prepared ?? (await prepare(argv));
  const { events } = options;
  return {
    events,
    ...((await isBuiltIn(argv.workload)) && { generated: true }),
    ...machineOf(options),
    ...timing(argv, events, time),
  };
}

/** What `load` gives for a seed. A trace is the same under all: it is loaded once, since it may come through a pipe. */
export function loadOfSeeds<T>(workload: string, load: (seed: number) => Promise<T>): (seed: number) => Promise<T> {
  let loaded: Promise<T> | undefined;
  return async (seed) => ((await isBuiltIn(workload)) ? load(seed) : (loaded ??= load(seed)));
}

/**
 * For runs of which nobody asks for events afterwards, and the allocator that was recorded. Here each run reads its file where that can be; elsewhere
 * events are sent, unless they are generated.
 */
export async function loadForBatch(
  argv: TaskArguments & Pick<EngineArguments, 'engine'>,
): Promise<{ task: LoadedTask; recorded: string; source: string }> {
  const order = argv.engine === undefined && !argv.prepared ? passingOrder(argv) : undefined;
  const passing = order && (await prepareFile(argv, order));
  if (!order || !passing) {
    const task = await (argv.engine === undefined || argv.prepared ? loadTask : describeTask)(argv);
    const { events } = task;
    return { task, recorded: events ? recordedAllocator(events) : 'glibc', source: events?.source ?? '' };
  }
  const { events } = passing;
  await events.close();
  const file = describeTraceFile(argv.workload, order, events);
  const task = { file, ...machineOf(passing), ...timing(argv, events, undefined) };
  return { task, recorded: recordedAllocator(events), source: events.source };
}

/** The same as loadTask; where whoever executes the run can generate the events, they are left out. */
export async function describeTask(argv: TaskArguments): Promise<LoadedTask> {
  const described = await describeRun(argv);
  if (!described) return loadTask(argv);
  const { time, ...rest } = described;
  return { ...rest, generated: true, ...timing(argv, undefined, time) };
}

function machineOf({ workload, parameters = {}, cpus, kernel, touch, start }: Omit<Prepared['options'], 'events'>) {
  return {
    workload,
    parameters,
    cpus,
    ...(kernel && { kernel }),
    ...(touch && { touch }),
    ...(start && { start }),
  };
}

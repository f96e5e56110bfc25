import { formatAllocator } from '../../../allocators/spec.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import { type EventBuffer, OP_CLOCK, OP_MASK } from '../../../sim/contract/event.ts';
import type { RunResult } from '../../run/result.ts';
import type { RunOptions } from '../../run/run-options.ts';
import type { Runner } from '../parallel/run-all.ts';
import type { RunTask } from '../parallel/run-task.ts';
import type { RunTimes } from './explanation.ts';
import { type Trial, taskOf } from './what-if.ts';

/** The run as it is, in virtual time up to row `end`. */
export const timedAsItIs = (options: RunOptions, end: number): RunTask =>
  inTime(options, taskOf(options, end, formatAllocator(options.spec)));

export const timedTrial = (options: RunOptions, { task }: Trial): RunTask => inTime(options, task);

/** At the recorded pace where there are times. */
const inTime = ({ events }: RunOptions, task: RunTask): RunTask => ({
  ...task,
  mode: 'virtual',
  pace: isTimed(task.events ?? events) ? 'recorded' : task.pace,
});

/** Lock waits of a trace without times are not known. */
export function timesOf({ summary, run }: RunResult, threads: number): RunTimes {
  return {
    cpuNs: summary.cpuNs ?? 0,
    lockWaitNs: run.pace === 'recorded' ? (summary.waitNs ?? 0) : null,
    threadNs: (summary.virtualNs ?? 0) * threads,
  };
}

/** undefined where virtual time does not take the events. */
export async function runTimed(tasks: readonly RunTask[], runner: Runner): Promise<RunResult[] | undefined> {
  try {
    return (await runner.run(tasks)).map(({ result }) => result);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

function isTimed({ head, length }: EventBuffer): boolean {
  for (let row = 0; row < length; row++) if ((head[row]! & OP_MASK) === OP_CLOCK) return true;
  return false;
}

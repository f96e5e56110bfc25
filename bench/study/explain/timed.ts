import { formatAllocator } from '../../../allocators/spec.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import { type EventBuffer, OP_CLOCK, OP_MASK } from '../../../sim/contract/event.ts';
import type { RunOptions } from '../../run/run-options.ts';
import type { Runner } from '../parallel/run-all.ts';
import type { RunTask } from '../parallel/run-task.ts';
import type { RunTimes } from './explanation.ts';
import { type Trial, taskOf } from './what-if.ts';

/**
 * What trials take, undefined standing for the run as it is, each up to the same event in virtual time; undefined where virtual time
 * does not take the events. Lock waits of a trace without times are not known.
 */
export async function timesOf(
  options: RunOptions,
  end: number,
  trials: readonly (Trial | undefined)[],
  runner: Runner,
): Promise<readonly RunTimes[] | undefined> {
  const hasTimes = isTimed(options.events, end);
  const inTime = (task: RunTask): RunTask => ({ ...task, mode: 'virtual', pace: hasTimes ? 'recorded' : task.pace });
  const asItIs = () => taskOf(options, end, formatAllocator(options.spec));
  try {
    const runs = await runner.run(trials.map((trial) => inTime(trial?.task ?? asItIs())));
    return runs.map(({ result: { summary } }) => ({
      cpuNs: summary.cpuNs ?? 0,
      lockWaitNs: hasTimes ? (summary.waitNs ?? 0) : null,
      threadNs: (summary.virtualNs ?? 0) * options.events.threadSlots,
    }));
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

export function isTimed({ head }: EventBuffer, end: number): boolean {
  for (let row = 0; row < end; row++) if ((head[row]! & OP_MASK) === OP_CLOCK) return true;
  return false;
}

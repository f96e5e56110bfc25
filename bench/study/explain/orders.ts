import { UserError } from '../../../sim/contract/assert.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import type { Runner } from '../parallel/run-all.ts';
import type { RunTask } from '../parallel/run-task.ts';
import type { OrderRange, Trial, WhatIf } from './what-if.ts';

/** What counts for a setting: the most that it leaves in any order that was run. */
export const worstBytes = ({ rssBytes, orders }: WhatIf): Bytes => Math.max(rssBytes, orders?.mostBytes ?? 0);

const HEAPS = ['arena_max', 'narenas'];

/** Threads come to share heaps: what they leave there depends on how their calls fall between each other. */
export const sharesHeaps = ({ setting }: Pick<Trial, 'setting'>): boolean =>
  HEAPS.some((name) => name in setting.options);

/**
 * The same events in other orders: each thread goes on until it waits or its slice is over, and all threads go on at the same time.
 * With recorded times threads wait as they did, so that what never overlapped does not; but a recording slows the work down, and the
 * least may be what one thread after the other leaves. undefined where virtual time does not take the events.
 */
export async function runInOrders(
  { task }: Trial,
  threads: number,
  hasTimes: boolean,
  runner: Runner,
): Promise<OrderRange | undefined> {
  const order = (cpus: number, pace: RunTask['pace']): RunTask => ({ ...task, mode: 'virtual', pace, cpus });
  const pace = hasTimes ? 'recorded' : 'asap';
  const orders = [order(1, pace), order(threads, pace), ...(hasTimes ? [order(1, 'asap')] : [])];
  try {
    const ends = (await runner.run(orders)).map(({ result }) => result.samples.at(-1)!.rssBytes);
    return { leastBytes: Math.min(...ends), mostBytes: Math.max(ends[0]!, ends[1]!) };
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

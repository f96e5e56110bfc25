import type { EventBuffer } from '../../../../sim/contract/event.ts';
import { schedLatencyNs } from '../../../../sim/time/fair.ts';
import { isTimed } from '../../../run/machine-shape.ts';
import type { RunTask } from '../../parallel/run-task.ts';
import { isRecorded } from '../going-down/final-frees.ts';
import { keepingArenas } from './kept-arenas.ts';

/** The allocator stays the one of the timed run, which may have as many arenas as its processors say. */
const onProcessors = (task: RunTask, cpus: number): RunTask => ({
  ...task,
  cpus,
  allocator: keepingArenas(task.allocator, task.cpus),
});

/** For a range so many events are run in other orders of one setting, in so many runs at most; longer traces are not run so for what saves nothing in their own order. */
export const EVENTS_IN_ORDERS = 3e6;
const MOST = 6;
/** As it is: those that differ most. */
const MOST_AS_IT_IS = 2;

/**
 * The same events in other orders, beside that of the timed run, at least one: on one processor of the machine, where each thread goes on until it waits or its slice
 * is over; with other seeds, by which ticks fall elsewhere. A recording slows each call down, so it is run at full speed, but for long pauses, which are the program's own: a
 * thread that napped while others worked naps. All of these can be made in the machine of the timed run. Where nobody knows what overlaps, also where all threads do: with a processor for each.
 */
export function otherOrders(timed: RunTask, events: EventBuffer, isAsItIs: boolean): RunTask[] {
  const { source, length, threadSlots } = events;
  const isSlowed = isRecorded(source) && timed.pace === 'recorded';
  const fast = isSlowed ? { ...timed, ...atFullSpeed(timed.cpus) } : timed;
  const alone: RunTask = isSlowed ? fast : { ...timed, pace: 'asap' };
  const orders: RunTask[] = [
    ...(isSlowed ? [fast] : []),
    ...(isTimed(events) || timed.cpus >= threadSlots ? [] : [onProcessors(timed, threadSlots)]),
    ...(timed.cpus > 1 ? [{ ...alone, affinity: 1 }] : []),
    ...Array.from({ length: MOST }, (_, i) => ({ ...fast, seed: timed.seed + 2 + i })),
  ];
  const affordable = Math.max(1, Math.floor(EVENTS_IN_ORDERS / Math.max(1, length)));
  return orders.slice(0, Math.min(affordable, isAsItIs ? MOST_AS_IT_IS : MOST));
}

/** A recorder takes less time for a call, and so long, twice what the scheduler lets pass until each thread had its turn, waits who wants a processor that another process has too. */
export const atFullSpeed = (cpus: number): Pick<RunTask, 'pausesFromNs'> => ({
  pausesFromNs: 2 * schedLatencyNs(cpus),
});

/** Of other orders, for what is named beside what is advised. */
export const fewOf = (orders: readonly RunTask[]): RunTask[] => orders.slice(0, orders.length >> 1);

/** And by chance: with another seed, at the recorded pace and at full speed where there are two. */
export const otherSeeds = (timed: RunTask): RunTask[] =>
  timed.pace === 'asap'
    ? [1, 2].map((more) => ({ ...timed, seed: timed.seed + more }))
    : [{}, atFullSpeed(timed.cpus)].map((pace) => ({ ...timed, ...pace, seed: timed.seed + 1 }));

import type { EventBuffer } from '../../../../sim/contract/event.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import { schedLatencyNs } from '../../../../sim/time/fair.ts';
import { isTimed } from '../../../run/machine-shape.ts';
import type { RunResult } from '../../../run/result.ts';
import type { RunTask } from '../../parallel/run-task.ts';
import type { Facts } from '../explanation.ts';
import { isRecorded } from '../going-down/final-frees.ts';
import { keepingArenas } from './kept-arenas.ts';
import type { OrderRange, Trial, WhatIf } from './what-if.ts';

/** What counts for a setting: the most that it leaves in any order that was run. */
export const worstBytes = ({ rssBytes, orders }: WhatIf): Bytes => Math.max(rssBytes, orders?.mostBytes ?? 0);

/** What counts for the run as it is: the least. */
export const bestBytes = ({ sample, orders }: Pick<Facts, 'sample' | 'orders'>): Bytes =>
  Math.min(sample.rssBytes, orders?.leastBytes ?? Infinity);

/** Runs that lie by this share apart. */
const WIDE = 0.05;

/** No figure of one run is the answer. */
export const isWide = ({ leastBytes, mostBytes }: OrderRange): boolean => mostBytes - leastBytes >= mostBytes * WIDE;

/**
 * What a setting saves in every order that was run, whichever the program then takes. What leaves the same in every run is held against the run as it is in
 * the order of the trace: at full speed a program does not wait where it really does.
 */
export const savedBytes = (facts: Pick<Facts, 'sample' | 'orders'>, w: WhatIf): Bytes =>
  (hasSharedHeaps(w) || (w.orders && isWide(w.orders)) ? bestBytes(facts) : facts.sample.rssBytes) - worstBytes(w);

/** Both together; null where neither is known. */
export const wider = (x: OrderRange | null, y: OrderRange | null): OrderRange | null =>
  x && y
    ? {
        leastBytes: Math.min(x.leastBytes, y.leastBytes),
        mostBytes: Math.max(x.mostBytes, y.mostBytes),
        leftOut: x.leftOut + y.leftOut,
        leftOutMostBytes: Math.max(x.leftOutMostBytes, y.leftOutMostBytes),
      }
    : (x ?? y);

const HEAPS = ['arena_max', 'narenas'];

/** Threads come to share heaps: what they leave there depends on how their calls fall between each other. */
export const sharesHeaps = ({ setting }: Pick<Trial, 'setting'>): boolean =>
  HEAPS.some((name) => name in setting.options);

/** The same of a setting by its name. */
export const hasSharedHeaps = ({ setting }: WhatIf): boolean =>
  setting.split(',').some((part) => HEAPS.includes(part.split('=')[0]!));

/** A program that holds more at once than this many times its most in the trace's order is another one. */
const HOLDS_MORE = 1.2;

/** Whether the run holds no more at once than the program did: of waits outside of malloc a trace has joins at most. */
export const keepsOrder = ({ summary }: RunResult, { requestedPeakBytes }: EventBuffer): boolean =>
  summary.requestedPeakBytes <= requestedPeakBytes * HOLDS_MORE;

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
  const fast = isSlowed ? atFullSpeed(timed) : timed;
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
const atFullSpeed = (timed: RunTask): RunTask => ({ ...timed, pausesFromNs: 2 * schedLatencyNs(timed.cpus) });

/** Of other orders, for what is named beside what is advised. */
export const fewOf = (orders: readonly RunTask[]): RunTask[] => orders.slice(0, orders.length >> 1);

/** And by chance: with another seed, at the recorded pace and at full speed where there are two. */
export const otherSeeds = (timed: RunTask): RunTask[] =>
  timed.pace === 'asap'
    ? [1, 2].map((more) => ({ ...timed, seed: timed.seed + more }))
    : [timed, atFullSpeed(timed)].map((task) => ({ ...task, seed: timed.seed + 1 }));

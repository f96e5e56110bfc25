import type { Bytes } from '../../../sim/contract/units.ts';
import type { RunTask } from '../parallel/run-task.ts';
import type { Trial, WhatIf } from './what-if.ts';

/** What counts for a setting: the most that it leaves in any order that was run. */
export const worstBytes = ({ rssBytes, orders }: WhatIf): Bytes => Math.max(rssBytes, orders?.mostBytes ?? 0);

const HEAPS = ['arena_max', 'narenas'];

/** Threads come to share heaps: what they leave there depends on how their calls fall between each other. */
export const sharesHeaps = ({ setting }: Pick<Trial, 'setting'>): boolean =>
  HEAPS.some((name) => name in setting.options);

/** The same of a setting by its name. */
export const hasSharedHeaps = ({ setting }: WhatIf): boolean =>
  setting.split(',').some((part) => HEAPS.includes(part.split('=')[0]!));

/** One more order of the threads' calls. */
export interface Order {
  readonly task: RunTask;
  /** Whether its end can be the most, or only the least. */
  readonly isWhole: boolean;
}

/**
 * The same events in other orders, beside that of the timed run: as many processors as threads, so that all go on at the same time; and
 * one, on which each goes on until it waits or its slice is over. With recorded times threads wait as they did, so that what never
 * overlapped does not; but a recording slows the work down, and the least may be what one thread after the other leaves.
 */
export function otherOrders(timed: RunTask, threads: number): Order[] {
  const isPaced = timed.pace === 'recorded';
  return [
    { task: { ...timed, cpus: threads }, isWhole: true },
    { task: { ...timed, cpus: 1, pace: 'asap' as const }, isWhole: !isPaced },
  ].filter(({ task }) => task.cpus !== timed.cpus || task.pace !== timed.pace);
}

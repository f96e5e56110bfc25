import type { EventBuffer } from '../../../../sim/contract/event.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import type { RunResult } from '../../../run/result.ts';
import type { Facts } from '../explanation.ts';
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

const isOfHeaps = (part: string): boolean => HEAPS.includes(part.split('=')[0]!);

/** The same of a setting by its name. */
export const hasSharedHeaps = ({ setting }: WhatIf): boolean => setting.split(',').some(isOfHeaps);

/** What else it sets; '' where that is all. */
export const withoutHeaps = ({ setting }: WhatIf): string =>
  setting
    .split(',')
    .filter((part) => !isOfHeaps(part))
    .join();

/** A program that holds more at once than this many times its most in the trace's order is another one. */
const HOLDS_MORE = 1.2;

/** Whether the run holds no more at once than the program did: of waits outside of malloc a trace has joins at most. */
export const keepsOrder = (
  { summary }: RunResult,
  { requestedPeakBytes }: Pick<EventBuffer, 'requestedPeakBytes'>,
): boolean => summary.requestedPeakBytes <= requestedPeakBytes * HOLDS_MORE;

import {
  askedBytes,
  type EventBuffer,
  isAllocating,
  OP_BITS,
  OP_CLOCK,
  OP_JOIN,
  OP_MASK,
  OP_SAMPLE,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
} from '../../../../sim/contract/event.ts';
import type { Bytes, Ns } from '../../../../sim/contract/units.ts';
import { CALLS_BEHIND, isFree, isRecorders, PASSING, WORK_BYTES } from './final-frees.ts';
import { handedOver } from './handed-over.ts';
import { IDLE_NS, LOOKED_BACK_NS, nsOf, STOPPED_NS } from './pauses.ts';

/** Ends of threads behind which the program does no more work. */
export interface FinalEnds {
  /** Of the first one. */
  readonly row: number;
  /** Of the last one. */
  readonly lastRow: number;
  readonly threadEnds: number;
  readonly frees: number;
  /** Other calls of malloc's family behind the first one. */
  readonly callsBehind: number;
}

/**
 * The ends of threads with which a program goes down to row `end`: behind the first of them it frees, ends and has a last word, no thread
 * begins, and no more than a moment passes without any of it: while it waits for a thread that has not ended, or may (a trace says of joins alone), a
 * longer one. Threads that still work off what they were given are at work.
 */
export function finalEnds(events: EventBuffer, end: number): FinalEnds | undefined {
  const { head } = events;
  let found: FinalEnds | undefined;
  const behind = { threadEnds: 0, frees: 0, callsBehind: 0 };
  for (let row = end - 1, from = workEnds(events, end); row >= from; row--) {
    const op = head[row]! & OP_MASK;
    if (isFree(op)) behind.frees++;
    else if (isAllocating(op)) behind.callsBehind++;
    else if (op === OP_THREAD_EXIT) {
      behind.threadEnds++;
      found = { row, lastRow: found?.lastRow ?? row, ...behind };
    }
  }
  return found;
}

/** The row from which on it does no work, without a pause, until row `end`. */
function workEnds(events: EventBuffer, end: number): number {
  const { head, labels, a, begins } = events;
  const pause = createPause(events);
  const begun = begins.findLast(({ row }) => row < end)?.row ?? 0;
  const isGiven = handedOver(events);
  let asked: Bytes = 0;
  let given = -CALLS_BEHIND;
  let row = end;
  for (; row > begun; row--) {
    const op = head[row - 1]! & OP_MASK;
    if (op === OP_SAMPLE) {
      if (!isRecorders(labels[a[row - 1]!]!)) break;
    } else if (op === OP_CLOCK) {
      if (pause.isTooLong(nsOf(events, row - 1))) break;
    } else {
      if (isAllocating(op)) asked += askedBytes(events, row - 1);
      else if (op === OP_THREAD_BEGIN || (!isFree(op) && !PASSING.has(op))) break;
      else if (op === OP_THREAD_EXIT) {
        given--; // std::thread's state, which each frees as it ends
        pause.endOf(row - 1);
      } else if (op === OP_JOIN) pause.joined(row - 1);
      else if (isGiven(row - 1)) given++;
      pause.over(isAllocating(op));
      if (asked > WORK_BYTES || given > 0 || pause.isQuietWork()) break;
    }
  }
  return row;
}

/** A program that frees all that it has is busy; one that waits for most of the time, and allocates again and again, is at work. */
const MOSTLY = 0.9;

/** What passes without a call, going back. Behind the last end nothing is waited for; then a thread may be, unless the trace has when it was. */
function createPause({ head, a, b, begins }: EventBuffer) {
  const joined = new Set<number>();
  let [ownNs, allNs, mostNs, waitedNs]: [Ns, Ns, Ns, Ns] = [0, 0, STOPPED_NS, 0];
  // As far back as to the end of a thread; time from the first allocation on, the last one that comes.
  let [allocations, idleNs, passedNs]: [number, Ns, Ns] = [0, 0, 0];
  return {
    joined(row: number): void {
      joined.add(a[row]!);
      waitedNs = Math.max(waitedNs, b[row] === 0xffffffff ? Infinity : b[row]!);
    },
    endOf(row: number): void {
      const thread = head[row]! >>> OP_BITS;
      const number = begins.findLast((begun) => begun.row <= row && begun.thread === thread)?.id ?? 0;
      if (!joined.has(number)) mostNs = LOOKED_BACK_NS;
      [allocations, idleNs, passedNs] = [0, 0, 0];
    },
    isTooLong(ns: Ns): boolean {
      const waited = Math.min(waitedNs, ns);
      waitedNs -= waited;
      ownNs += ns - waited;
      allNs += ns;
      return ownNs > mostNs || allNs > LOOKED_BACK_NS;
    },
    /** Calls far apart, as long together as no program is stopped. */
    isQuietWork: () => allocations > CALLS_BEHIND && idleNs > STOPPED_NS && idleNs >= passedNs * MOSTLY,
    /** A call comes: of the pause behind it. */
    over(allocates: boolean): void {
      if (allocations > 0) {
        passedNs += ownNs;
        if (ownNs > IDLE_NS) idleNs += ownNs;
      }
      if (allocates) allocations++;
      [ownNs, allNs] = [0, 0];
    },
  };
}

import type { ThreadSlot } from '../contract/allocator.ts';
import type { Beginning } from '../contract/beginning.ts';
import type { Ns } from '../contract/units.ts';
import { DURATION_BUCKETS, durationBucket } from '../time/durations.ts';
import { KIND_BITS, MARK, USER } from '../time/segments.ts';
import type { VirtualLocks } from '../time/virtual-locks.ts';
import type { VirtualTime } from '../time/virtual-time.ts';

/** Durations of calls, by bucket (durations.ts); calls that a thread's cache served are counted, not listed. */
export interface CallDurations {
  calls: number;
  slow: number;
  /** One element: as a field each double would be an object of the host's. */
  readonly longestNs: Float64Array;
  readonly counts: Int32Array;
}

// Marks in the log of a thread: what has happened when the log has been played up to there.
export const MARK_BEGIN = 0; // a call has begun
export const MARK_MALLOC = 1; // it has ended: one of malloc's kind,
export const MARK_FREE = 2; // of free's
export const MARK_USED = 3; // an object has been used: its slot
export const MARK_BEGUN = 4; // another thread has been made, or is to be woken: that one

/** What calls to the allocator take in virtual time. */
export interface Calls {
  readonly mallocs: CallDurations;
  readonly frees: CallDurations;
  beginCall(t: ThreadSlot): void;
  /** The running call of `t` has ended, but for the work that every call is: it is measured, then the program goes on. */
  endCall(mark: typeof MARK_MALLOC | typeof MARK_FREE, t: ThreadSlot, callNs: Ns): void;
  /** The mark has been reached. */
  reached(mark: number, t: ThreadSlot): void;
}

export function createCalls({ beginning, clocks, costs, log, threads }: VirtualTime, locks: VirtualLocks): Calls {
  const { eventNs } = costs;
  const { append, appendTime, tail } = log;
  const { settleCall } = locks;
  const callStart = beginning.keep(new Float64Array(threads));
  const mallocs = noCalls(beginning);
  const frees = noCalls(beginning);

  function reached(mark: number, t: ThreadSlot): void {
    if (mark === MARK_BEGIN) {
      callStart[t] = clocks[t]!;
      return;
    }
    took(mark, clocks[t]! - callStart[t]!);
  }

  function took(mark: number, ns: Ns): void {
    const durations = mark === MARK_MALLOC ? mallocs : frees;
    durations.calls++;
    durations.slow++;
    durations.counts[durationBucket(ns)]!++;
    if (ns > durations.longestNs[0]!) durations.longestNs[0] = ns;
  }

  function beginCall(t: ThreadSlot): void {
    if (tail[t] === 0) callStart[t] = clocks[t]!;
    else append(t, MARK | (MARK_BEGIN << KIND_BITS), 0);
  }

  function endCall(code: number, t: ThreadSlot, callNs: Ns): void {
    settleCall(t);
    if (tail[t] === 0) {
      const at = clocks[t]! + callNs;
      clocks[t] = at + eventNs;
      took(code, at - callStart[t]!);
      return;
    }
    appendTime(t, USER, callNs);
    append(t, MARK | (code << KIND_BITS), 0);
    appendTime(t, USER, eventNs);
  }

  return { mallocs, frees, beginCall, endCall, reached };
}

function noCalls({ keep, also }: Beginning): CallDurations {
  const durations = {
    calls: 0,
    slow: 0,
    longestNs: keep(new Float64Array(1)),
    counts: keep(new Int32Array(DURATION_BUCKETS)),
  };
  also(() => {
    durations.calls = 0;
    durations.slow = 0;
  });
  return durations;
}

import type { ThreadSlot } from '../contract/allocator.ts';
import type { Ns } from '../contract/units.ts';
import { DURATION_BUCKETS, durationBucket } from '../time/durations.ts';
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

/** What calls to the allocator take in virtual time. */
export interface Calls {
  readonly mallocs: CallDurations;
  readonly frees: CallDurations;
  /** One element: when the running call began. */
  readonly callStart: Float64Array;
  /** The running call of `t` has ended, but for the work that every call is: it is measured, then the program goes on. */
  endCall(durations: CallDurations, t: ThreadSlot, callNs: Ns): void;
}

export function createCalls({ clocks, costs }: VirtualTime, { settleCall }: VirtualLocks): Calls {
  const { eventNs } = costs;
  const callStart = new Float64Array(1);

  function endCall(durations: CallDurations, t: ThreadSlot, callNs: Ns): void {
    settleCall(t);
    const end = clocks[t]! + callNs;
    const ns = end - callStart[0]!;
    clocks[t] = end + eventNs;
    durations.calls++;
    durations.slow++;
    durations.counts[durationBucket(ns)]!++;
    if (ns > durations.longestNs[0]!) durations.longestNs[0] = ns;
  }

  return { mallocs: noCalls(), frees: noCalls(), callStart, endCall };
}

function noCalls(): CallDurations {
  return { calls: 0, slow: 0, longestNs: new Float64Array(1), counts: new Int32Array(DURATION_BUCKETS) };
}

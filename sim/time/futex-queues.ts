import type { ThreadSlot } from '../contract/allocator.ts';
import type { LockId } from '../contract/locks.ts';
import type { Ns } from '../contract/units.ts';

/**
 * Threads that sleep for a lock before their call has done anything, since whoever has the lock has lost its processor. They wake as in a
 * futex's queue: the holder, once it runs again, wakes the first; whoever was woken takes the lock as one that others wait for, and so
 * wakes the next when it releases it. Until then that one is not even ready: the queue comes out one by one, as each gets a processor.
 *
 *   holder   ──[ has the lock ┊ tick             runs ┊─]─▶
 *   first          sleeps ··························· ┊···▶ ready ····▶ runs [ has it ]─▶
 *   second            sleeps ························ ┊································· ▶ ready ···▶
 */
export interface FutexQueues {
  /** `t` goes to the end of the lock's queue, which `holder` begins to wake when it runs again. */
  sleep(t: ThreadSlot, id: LockId, holder: ThreadSlot, since: Ns): void;
  /** The first of the lock's queue is taken from it; -1: there is none. */
  take(id: LockId): ThreadSlot | -1;
  /** The locks whose queues `holder` wakes now that it runs; they are forgotten. */
  runs(holder: ThreadSlot): readonly LockId[];
  /** By thread: the lock that it was woken for and has not taken yet, + 1; 0 for none. */
  readonly wokenFor: Int32Array;
  /** By thread: since when it sleeps. */
  readonly since: Float64Array;
}

const NONE: readonly LockId[] = [];

export function createFutexQueues(threads: number, locks: number): FutexQueues {
  const first = new Int32Array(locks); // thread + 1
  const last = new Int32Array(locks);
  const next = new Int32Array(threads);
  const wokenFor = new Int32Array(threads);
  const since = new Float64Array(threads);
  const heldBy = new Map<ThreadSlot, LockId[]>();

  return {
    sleep(t, id, holder, at) {
      if (first[id] === 0) first[id] = t + 1;
      else next[last[id]! - 1] = t + 1;
      last[id] = t + 1;
      next[t] = 0;
      since[t] = at;
      wokenFor[t] = 0;
      const held = heldBy.get(holder);
      if (held === undefined) heldBy.set(holder, [id]);
      else if (!held.includes(id)) held.push(id);
    },
    take(id) {
      const t = first[id]! - 1;
      if (t < 0) return -1;
      first[id] = next[t]!;
      wokenFor[t] = id + 1;
      return t;
    },
    runs(holder) {
      if (heldBy.size === 0) return NONE;
      const held = heldBy.get(holder);
      if (held === undefined) return NONE;
      heldBy.delete(holder);
      return held;
    },
    wokenFor,
    since,
  };
}

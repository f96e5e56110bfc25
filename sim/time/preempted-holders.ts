import type { ThreadSlot } from '../contract/allocator.ts';
import type { LockId } from '../contract/locks.ts';
import type { Ns } from '../contract/units.ts';
import type { VirtualTime } from './virtual-time.ts';

/**
 * Locks whose holder has lost its processor. The call that took the lock has run to its end before the tick is seen to have come in
 * the middle of it; what is left of it is that the lock stays taken until the holder runs again:
 *
 *   holder    ──[ has the lock ──┊ tick                        runs again ┊── ]──
 *   others             tries: finds it taken      needs it: sleeps ······ ┊ ····▶ awake, one after the other
 *
 * When that is, nobody knows before: the sleepers are handed to the scheduler (`VirtualTime.sleepsFor`).
 */
export interface PreemptedHolders {
  /** Who holds the lock without a processor, or -1. */
  holderOf(id: LockId): ThreadSlot | -1;
  /** When `holder` runs again it needs the lock for so long. */
  restOf(id: LockId): Ns;
  /** `t` sleeps for its turn with the lock of the kernel that all readers share, which is its own before it runs. */
  keepsKernelLock(t: ThreadSlot): void;
  /** The lock was held over the end of its holder's time on the processor, which acts on in the same call, maybe with the same lock. */
  heldOver(id: LockId, from: Ns, to: Ns): void;
  /** `t` begins to sleep for the lock, at its clock. */
  sleep(t: ThreadSlot, id: LockId): void;
  /** `holder` runs again from `at` on: wakes `t`, the next of those that sleep for it. */
  wake(holder: ThreadSlot, t: ThreadSlot, at: Ns): WakenSleeper;
}

/** Filled anew at each call. */
export interface WakenSleeper {
  id: LockId;
  since: Ns;
  awake: Ns;
}

export interface HolderOptions {
  readonly time: VirtualTime;
  /** Room for so many locks. */
  readonly locks: number;
  /** Who had the lock last, -1 where nobody had or it is none of those that a program waits for asleep. */
  readonly ownerOf: (id: LockId) => ThreadSlot | -1;
  /** Of the last holding of each lock. */
  readonly heldFrom: Float64Array;
  readonly heldTo: Float64Array;
  /** How long it is held usually. */
  readonly usualHold: Float64Array;
  readonly wakeUp: (waker: ThreadSlot, t: ThreadSlot) => Ns;
  /** mmap_lock, -1 as long as there is none. */
  readonly kernelLock: () => LockId | -1;
}

export function createPreemptedHolders(options: HolderOptions): PreemptedHolders {
  const { time, locks, ownerOf, heldFrom, heldTo, usualHold, wakeUp, kernelLock } = options;
  const { clocks, preemptedAt, sleepsFor } = time;
  const { futexWakeNs } = time.costs;
  const holders = new Int32Array(locks); // those found so far, + 1: later ones take the lock in their name
  const since = new Float64Array(locks); // when they lost their processor
  const rest = new Float64Array(locks); // and for how long they need the lock once they run
  const handedAt = new Float64Array(locks); // when the next of the sleepers can be woken
  const handedBy = new Int32Array(locks);
  const overFrom = new Float64Array(locks); // of the last holding that outlasted its holder's time on the processor
  const overTo = new Float64Array(locks);
  const sleepsAt = new Int32Array(time.threads); // by thread: the lock
  const sleepsSince = new Float64Array(time.threads);
  const woken: WakenSleeper = { id: 0, since: 0, awake: 0 };

  const readers: ThreadSlot[] = []; // of mmap_lock, that sleep or slept until they had it

  /** A reader gets the lock from the last writer, whether it runs or not. */
  function readerOff(id: LockId): ThreadSlot | -1 {
    for (const t of readers) {
      if (preemptedAt[t]! < 0) continue;
      holders[id] = t + 1;
      since[id] = preemptedAt[t]!;
      rest[id] = 0;
      return t;
    }
    return -1;
  }

  function holderOf(id: LockId): ThreadSlot | -1 {
    if (readers.length > 0 && id === kernelLock()) return readerOff(id);
    const known = holders[id]! - 1;
    if (known >= 0) {
      if (preemptedAt[known] === since[id]) return known;
      holders[id] = 0;
    }
    const owner = ownerOf(id);
    if (owner < 0) return -1;
    const at = preemptedAt[owner]!;
    const isLast = at >= heldFrom[id]! && at < heldTo[id]!;
    if (!isLast && (at < overFrom[id]! || at >= overTo[id]!)) return -1;
    holders[id] = owner + 1;
    since[id] = at;
    rest[id] = (isLast ? heldTo[id]! : overTo[id]!) - at;
    return owner;
  }

  function heldOver(id: LockId, from: Ns, to: Ns): void {
    overFrom[id] = from;
    overTo[id] = to;
  }

  function sleep(t: ThreadSlot, id: LockId): void {
    sleepsFor[t] = holders[id]!;
    sleepsAt[t] = id;
    sleepsSince[t] = clocks[t]!;
  }

  function wake(holder: ThreadSlot, t: ThreadSlot, at: Ns): WakenSleeper {
    const id = sleepsAt[t]!;
    const released = at + rest[id]!;
    // Each release wakes one, and whoever has been woken releases it soon.
    const isFirst = handedAt[id]! < released;
    const handed = isFirst ? released : handedAt[id]!;
    const awake = handed + wakeUp(isFirst ? holder : handedBy[id]!, t);
    handedAt[id] = handed + usualHold[id]! + futexWakeNs;
    handedBy[id] = t;
    sleepsFor[t] = 0;
    woken.id = id;
    woken.since = sleepsSince[t]!;
    woken.awake = awake;
    return woken;
  }

  return {
    holderOf,
    restOf: (id) => rest[id]!,
    keepsKernelLock: (t) => readers.push(t),
    heldOver,
    sleep,
    wake,
  };
}

import type { ThreadSlot } from '../contract/allocator.ts';
import { assert, InvariantError } from '../contract/assert.ts';
import type { LockId, LockKind, Locks } from '../contract/locks.ts';
import type { Ns } from '../contract/units.ts';
import { createDraws } from './draws.ts';
import { DURATION_BUCKETS, durationBucket } from './durations.ts';
import { createFutexQueues } from './futex-queues.ts';
import { createPreemptedHolders } from './preempted-holders.ts';
import { createSettlement, type Settlement } from './settlement.ts';
import { createStretches } from './stretches.ts';
import {
  CROWDED_OUT,
  CROWDED_TO_COME,
  type VirtualTime,
  WAITS_FOR_KERNEL_LOCK,
  WAITS_FOR_LOCK,
} from './virtual-time.ts';
import { createWakeUps } from './wake-ups.ts';

/**
 * Locks in virtual time. A call of the model runs to its end before another thread moves, yet its acquisitions happen at
 * the thread's own time, and two calls overlap in virtual time. So a lock keeps the stretches of time for which it is
 * taken: those that have not yet passed for every thread.
 *
 *   lock   ──────█████────────██──►     an acquisition at a time that is free takes the lock there and then; one that
 *            c ↑              ↑         falls into a stretch waits for its end. Where a woken thread will need the lock
 *              held now       reserved  only later, another may still come before it, if what it needs fits.
 *
 * Waiting by kind. `futex`: one system call; where the lock is released before the kernel looks at it, the call fails and
 * costs only itself, else the thread sleeps, and its waker pays for a system call too. `spin-then-futex`: the processor
 * is kept for up to `spinLimitNs` first. `kernel`: spins as a writer of mmap_lock does while the owner runs.
 */
export interface VirtualLocks extends Locks {
  /** As in settlement.ts. */
  readonly settle: Settlement['settle'];
  readonly settleCall: Settlement['settleCall'];
  /** Whether no other thread has wanted the lock for long. */
  isOwn(t: ThreadSlot, id: LockId): boolean;
  /** `t` goes on, after a sleep or with its processor back: does what was left for then. */
  goesOn(t: ThreadSlot): void;
  /** `holder` has its processor again at `at`: when `t`, which sleeps for a lock that it holds, is awake. */
  wakeSleeper(holder: ThreadSlot, t: ThreadSlot, at: Ns): Ns;
  /**
   * Whether `t` has to sleep for the lock before its call, as who has it lost its processor. Then it sleeps from now on, and is woken
   * through `onWoken`.
   */
  sleepsFirst(t: ThreadSlot, id: LockId | -1): boolean;
  /** The call that `t` was woken for has been made: should it not have taken the lock, the next one is woken. */
  called(t: ThreadSlot): void;
  /** `holder` has its processor again at `at`: those that sleep before their calls are woken, one by one. */
  runs(holder: ThreadSlot, at: Ns): void;
  /** What to do with a thread that will be awake at `at`. */
  onWoken(wake: (t: ThreadSlot, at: Ns) => void): void;
  /** All locks, in the order of their creation. */
  readonly measured: readonly MeasuredLock[];
}

/** What is known of a lock; the fields below `kind` are figures over the whole run. */
export interface MeasuredLock {
  readonly name: string;
  readonly kind: LockKind;
  acquisitions: number;
  contended: number;
  /** tryAcquire that found the lock taken. */
  failedTries: number;
  waitNs: Ns;
  waitNsMax: Ns;
  /** Waits by duration; made at the first. */
  waits: Int32Array | undefined;
  holdNs: Ns;
  ownerSwitches: number;
  futexWaits: number;
  futexWakes: number;
}

/** Locks of a run at most, in 4,095 arenas of jemalloc; arrays of this size cost nothing where no lock is. */
const LOCKS_MAX = 262_144;
/** Stretches of all locks, at most. */
const STRETCHES_MAX = 524_288;
/** A lock that had one owner for so long is taken for that thread's own. */
const OWN_AFTER_NS = 100_000;
/** So many may have passed before it pays to look which. */
const FEW_STRETCHES = 8;

/** What is remembered of how a lock is used: so many acquisitions, so long; what takes longer than a fault with its way is no habit. */
const RECENT = 8;
const RECENT_NS = 50_000;
const LONG_HOLD_NS = 5_000;
/** A lock that is always taken is free now and then. */
const TAKEN_AT_MOST = 0.95;
/** Of a futex wait that fails: so far into the call the kernel looks at the lock's word. */
const LOOK_SHARE = 0.9;
/**
 * How often whoever holds a lock for a moment only does not release it in that moment: an interrupt, or the hypervisor. Of 6,800 futex
 * waits in the article's loop on one arena, 44 slept.
 */
const HELD_UP = 0.007;

export interface VirtualLockOptions {
  readonly time: VirtualTime;
  /** The machine's counters. */
  readonly operations: Float64Array;
  /** Since Linux 6.4 faults, and since 6.17 madvise, lock the mapping they concern and not the whole address space. */
  readonly perVmaLocks: boolean;
}

/** For so long a writer of mmap_lock looks at it before it sleeps, where readers have it (rwsem_rspin_threshold). */
const READERS_SPIN_NS = 12_000;

export function createVirtualLocks(options: VirtualLockOptions): VirtualLocks {
  const LG_LOCK_WORDS = 4; // of each lock:
  const HELD = 0; // the stretch that the running call holds, -1 for none
  const ACQUISITIONS = 1;
  const OWNER_SWITCHES = 2;
  const LAST_OWNER = 3;
  const LAST_PROCESSOR = 4;
  const IN_KERNEL = 5;
  const LINE = 6; // processor + 1 that has pushed something since the lock was taken last, 0 for none
  const PUSHED = 7; // by other processors than the one that had the lock last, and not pulled yet
  const SOLE = 8; // the only thread that has ever wanted it, for long, + 1: of its stretches only the last one is known, and not listed
  const LG_FLAGS = 2;
  const SHARED = 1; // flags of a stretch
  const WAKES = 2; // its owner has to wake somebody when it releases: priced already, or known to be due then
  const { time, operations, perVmaLocks } = options;
  const { crowded, sliceEnd } = time;
  const { clocks, debts, sleepFrom, sleepNs, processor, horizon, costs, lockWaitNs, spinNs, timeline } = time;
  const { lockNs, lineTransferNs, guardedTransferNs, spinLimitNs, syscallNs } = costs;
  const { futexWaitNs, futexWakeNs } = costs;
  const { wakeUp } = createWakeUps(time);
  const draws = createDraws(time.seed, 'waits for locks');
  /** Names, and the figures that only waiting changes; the others lie in arrays, as every acquisition counts. */
  const locks: MeasuredLock[] = [];
  const words = new Int32Array(LOCKS_MAX << LG_LOCK_WORDS);
  const holdNs = new Float64Array(LOCKS_MAX);
  const latest = new Float64Array(LOCKS_MAX); // end of a stretch
  const heldFrom = new Float64Array(LOCKS_MAX); // begin of the running call's
  const heldTo = new Float64Array(LOCKS_MAX); // and its end; others may have been simulated with later ones
  const releasedAt = new Float64Array(LOCKS_MAX);
  const usualHold = new Float64Array(LOCKS_MAX);
  const takenShare = new Float64Array(LOCKS_MAX); // of the time, by one thread that uses it
  const ownedFrom = new Float64Array(LOCKS_MAX); // when the last owner got it from another thread
  const preempted = createPreemptedHolders({
    time,
    locks: LOCKS_MAX,
    ownerOf: (id) => (words[(id << LG_LOCK_WORDS) + IN_KERNEL] !== 0 ? -1 : words[(id << LG_LOCK_WORDS) + LAST_OWNER]!),
    heldFrom,
    heldTo,
    usualHold,
    wakeUp,
    kernelLock: () => mmapLock,
  });
  const queues = createFutexQueues(time.threads, LOCKS_MAX);
  const { wokenFor } = queues;
  let schedule: (t: ThreadSlot, at: Ns) => void = () => {};
  const stretches = createStretches({ locks: LOCKS_MAX, room: STRETCHES_MAX, horizon });
  const { spans, takers, next } = stretches;
  let mmapLock = -1;
  const left = new Map<ThreadSlot, () => void>(); // what calls do when their threads go on
  // In an array: a variable that functions share is looked up, checked and stored at every use.
  const state = new Int32Array(2);
  const HELD_NOW = 0; // locks of the allocator that the running call has
  const BEFORE = 1; // the stretch that the search passed last, 0 for none
  const { settle, settleLong, settleCall, noteKernelEntry, noteRelease } = createSettlement({
    time,
    operations,
    onFaults: perVmaLocks ? () => {} : faultsAsReader,
  });

  /** Page faults hold mmap_lock as readers: they wait for writers, and keep writers waiting. */
  function faultsAsReader(t: ThreadSlot, ns: Ns): void {
    if (mmapLock < 0) return;
    const w = mmapLock << LG_LOCK_WORDS;
    if (words[w + HELD]! >= 0) return;
    take(t, mmapLock, true);
    const end = clocks[t]! + ns;
    spans[2 * words[w + HELD]! + 1] = end;
    if (end > latest[mmapLock]!) latest[mmapLock] = end;
    words[w + HELD] = -1;
  }

  function create(name: string, kind: LockKind): LockId {
    const id = locks.length;
    assert(id < LOCKS_MAX, 'a run with more locks than there is room for');
    locks.push({
      name,
      kind,
      acquisitions: 0,
      contended: 0,
      failedTries: 0,
      waitNs: 0,
      waitNsMax: 0,
      waits: undefined,
      holdNs: 0,
      ownerSwitches: 0,
      futexWaits: 0,
      futexWakes: 0,
    });
    const w = id << LG_LOCK_WORDS;
    words[w + HELD] = -1;
    words[w + LAST_OWNER] = -1;
    words[w + LAST_PROCESSOR] = -1;
    words[w + IN_KERNEL] = kind === 'kernel' ? 1 : 0;
    if (name === 'mmap_lock') mmapLock = id;
    return id;
  }

  /** The stretch that keeps an acquisition at the thread's time waiting, of those that begin after `passed`; or 0. */
  function obstacle(t: ThreadSlot, id: LockId, shared: boolean, passed: number): number {
    const at = clocks[t]!;
    const acquisitions = words[(id << LG_LOCK_WORDS) + ACQUISITIONS]!;
    const needed = acquisitions === 0 ? 0 : holdNs[id]! / acquisitions;
    let before = passed;
    let s = before === 0 ? stretches.first(id) : next[before]!;
    while (s !== 0 && (spans[2 * s + 1]! <= at || (shared && (takers[s]! & SHARED) !== 0))) {
      before = s;
      s = next[s]!;
    }
    state[BEFORE] = before;
    return s !== 0 && spans[2 * s]! < at + needed ? s : 0;
  }

  /** The running call holds the lock from the thread's time on. */
  function take(t: ThreadSlot, id: LockId, shared: boolean): void {
    const w = id << LG_LOCK_WORDS;
    if (words[w + SOLE] !== 0) listOwn(id);
    let flags = shared ? SHARED : 0;
    const count = stretches.forgetPassed(id);
    state[BEFORE] = 0;
    words[w + ACQUISITIONS]!++;
    if (wokenFor[t] === id + 1) {
      wokenFor[t] = 0;
      flags |= WAKES;
    }
    if (isHeldOffFor(t, id)) flags |= sleepForHolder(t, id);
    else if (count > 0 && latest[id]! > clocks[t]! && obstacle(t, id, shared, 0) !== 0) flags |= wait(t, id, shared);
    let takingNs = lockNs;
    if (words[w + LAST_OWNER] !== t) {
      if (words[w + LAST_OWNER]! >= 0) words[w + OWNER_SWITCHES]!++;
      words[w + LAST_OWNER] = t;
      ownedFrom[id] = clocks[t]!;
      const p = processor[t]!;
      if (words[w + LAST_PROCESSOR] !== p) {
        if (words[w + LAST_PROCESSOR]! >= 0) {
          clocks[t]! += lineTransferNs;
          takingNs += guardedTransferNs;
        }
        words[w + LAST_PROCESSOR] = p;
      }
      words[w + LINE] = 0;
    } else {
      if (words[w + LINE] !== 0) takeLine(t, w);
      noteRound(t, id);
    }
    if (words[w + IN_KERNEL] === 0) state[HELD_NOW]!++;
    const at = clocks[t]!;
    heldFrom[id] = at;
    clocks[t] = at + takingNs;
    const taker = (t << LG_FLAGS) | flags;
    if (count > FEW_STRETCHES && takers[stretches.last(id)] === taker) {
      // One thread again and again, ahead of the others: one stretch.
      words[w + HELD] = stretches.last(id);
      return;
    }
    spans[0] = at;
    words[w + HELD] = stretches.insert(id, shared ? 0 : state[BEFORE]!, taker);
  }

  function push(t: ThreadSlot, id: LockId): void {
    const w = id << LG_LOCK_WORDS;
    const p = processor[t]! + 1;
    if (words[w + LAST_PROCESSOR]! + 1 !== p) words[w + PUSHED]!++;
    if ((words[w + LINE]! || words[w + LAST_PROCESSOR]! + 1) === p) return;
    words[w + LINE] = p;
    clocks[t]! += lineTransferNs;
  }

  function pull(t: ThreadSlot, id: LockId, count: number): void {
    const w = id << LG_LOCK_WORDS;
    const others = Math.min(count, words[w + PUSHED]!);
    if (others === 0) return;
    words[w + PUSHED]! -= others;
    clocks[t]! += others * lineTransferNs;
  }

  /** The line of the lock comes from whoever has pushed something. */
  function takeLine(t: ThreadSlot, w: number): void {
    if (words[w + LINE] !== processor[t]! + 1) clocks[t]! += lineTransferNs;
    words[w + LINE] = 0;
  }

  function isHeldOffFor(t: ThreadSlot, id: LockId): boolean {
    const w = id << LG_LOCK_WORDS;
    if (words[w + LAST_OWNER] === t && words[w + IN_KERNEL] === 0) return false;
    const holder = preempted.holderOf(id);
    return holder >= 0 && holder !== t;
  }

  function sleepsFirst(t: ThreadSlot, id: LockId | -1): boolean {
    if (id < 0) return false;
    const holder = preempted.holderOf(id);
    if (holder < 0 || holder === t) return false;
    if (wokenFor[t] !== id + 1) called(t);
    const lock = locks[id]!;
    lock.contended++;
    lock.futexWaits++;
    clocks[t]! += futexWaitNs;
    spinNs[t]! += futexWaitNs;
    lockWaitNs[t]! += futexWaitNs;
    queues.sleep(t, id, holder, clocks[t]!);
    return true;
  }

  /** The next in the lock's queue is woken by `waker`, whose call for that has been counted. */
  function wakeNext(id: LockId, waker: ThreadSlot, at: Ns): void {
    const t = queues.take(id);
    if (t < 0) return;
    const awake = Math.max(at, queues.since[t]!) + futexWakeNs + wakeUp(waker, t);
    noteWait(t, locks[id]!, queues.since[t]!, awake - queues.since[t]!);
    schedule(t, awake);
  }

  function called(t: ThreadSlot): void {
    const id = wokenFor[t]! - 1;
    if (id < 0) return;
    wokenFor[t] = 0;
    callToWake(id, t, clocks[t]!);
  }

  /** As it releases the lock, in a call that it pays for at its next event. */
  function callToWake(id: LockId, waker: ThreadSlot, at: Ns): void {
    locks[id]!.futexWakes++;
    debts[waker]! += futexWakeNs;
    wakeNext(id, waker, at);
  }

  function runs(holder: ThreadSlot, at: Ns): void {
    for (const id of queues.runs(holder)) callToWake(id, holder, at + preempted.restOf(id));
  }

  /** Waits until the lock can be had; returns WAKES where a futex wait may have left other waiters behind. */
  function wait(t: ThreadSlot, id: LockId, shared: boolean): number {
    const lock = locks[id]!;
    const since = clocks[t]!;
    let result = 0;
    let spun = 0;
    lock.contended++;
    for (;;) {
      const now = clocks[t]!;
      const stretch = obstacle(t, id, shared, state[BEFORE]!);
      if (stretch === 0) break;
      const free = spans[2 * stretch + 1]!;
      if (lock.kind === 'kernel') {
        spun += free - now;
        clocks[t] = free;
        continue;
      }
      // Less than a nanosecond would be lost in the clock's last digits, and nothing would move.
      if (lock.kind === 'spin-then-futex' && spinLimitNs - spun >= 1) {
        const until = Math.min(free, now + spinLimitNs - spun);
        spun += until - now;
        clocks[t] = until;
        continue;
      }
      // A futex: the lock's word now says that there are waiters, so whoever holds it makes a system call to release it,
      // and so will this thread, which cannot know whether it was the last waiter.
      result = WAKES;
      lock.futexWaits++;
      const owner = takers[stretch]! >> LG_FLAGS;
      if (!(takers[stretch]! & WAKES)) {
        takers[stretch]! |= WAKES;
        lock.futexWakes++;
        debts[owner]! += futexWakeNs;
      }
      const looks = now + LOOK_SHARE * futexWaitNs;
      spun += futexWaitNs;
      if (free <= looks && draws.next() >= HELD_UP) {
        clocks[t] = now + futexWaitNs;
      } else {
        const awake = Math.max(free, looks) + futexWakeNs + wakeUp(owner, t) + waitAgain(t, id, owner);
        if (sleepNs[t] === 0) sleepFrom[t] = looks;
        sleepNs[t]! += awake - looks;
        clocks[t] = awake;
      }
    }
    spinNs[t]! += spun;
    noteWait(t, lock, since, clocks[t]! - since);
    return result;
  }

  /** Sleeps until whoever holds the lock has its processor again; returns WAKES. */
  function sleepForHolder(t: ThreadSlot, id: LockId): number {
    const lock = locks[id]!;
    const isKernel = lock.kind === 'kernel';
    const spins = isKernel ? READERS_SPIN_NS : (lock.kind === 'spin-then-futex' ? spinLimitNs : 0) + futexWaitNs;
    lock.contended++;
    if (!isKernel) {
      lock.futexWaits++;
      lock.futexWakes++;
    }
    clocks[t]! += spins;
    spinNs[t]! += spins;
    lockWaitNs[t]! += spins;
    if (sleepNs[t] === 0) sleepFrom[t] = clocks[t]!;
    sleepNs[t]! += futexWakeNs;
    time.sleepsBare[t] = state[HELD_NOW] === 0 ? 1 : 0;
    preempted.sleep(t, id);
    clocks[t]! += futexWakeNs;
    return isKernel ? 0 : WAKES;
  }

  function wakeSleeper(holder: ThreadSlot, t: ThreadSlot, at: Ns): Ns {
    const { id, since, awake } = preempted.wake(holder, t, at);
    noteWait(t, locks[id]!, since, awake - since);
    return awake;
  }

  function noteWait(t: ThreadSlot, lock: MeasuredLock, since: Ns, waited: Ns): void {
    lock.waitNs += waited;
    if (waited > lock.waitNsMax) lock.waitNsMax = waited;
    lock.waits ??= new Int32Array(DURATION_BUCKETS);
    lock.waits[durationBucket(waited)]!++;
    lockWaitNs[t]! += waited;
    timeline.add(lock.kind === 'kernel' ? WAITS_FOR_KERNEL_LOCK : WAITS_FOR_LOCK, since, waited);
  }

  /**
   * A woken thread has no right to the lock: where another one takes it again and again it is as likely taken as free. That thread acts
   * later here, so what it has done lately stands for what it will do. Returns how long `t` waits once more.
   */
  function waitAgain(t: ThreadSlot, id: LockId, owner: ThreadSlot): Ns {
    const lock = locks[id]!;
    let ns = 0;
    while (draws.next() < takenShare[id]!) {
      const taken = draws.next() * usualHold[id]!;
      lock.futexWaits++;
      if (taken <= LOOK_SHARE * futexWaitNs) {
        ns += futexWaitNs;
      } else {
        lock.futexWakes++;
        debts[owner]! += futexWakeNs;
        ns += taken + futexWakeNs + wakeUp(owner, t);
      }
    }
    return ns;
  }

  /** The thread that had the lock last has it again. */
  function noteRound(t: ThreadSlot, id: LockId): void {
    const round = Math.max(1, usualHold[id]! + clocks[t]! - releasedAt[id]!); // of using the lock, and of doing something else
    const share = Math.min(TAKEN_AT_MOST, usualHold[id]! / round);
    takenShare[id]! += Math.min(1, round / RECENT_NS) * (share - takenShare[id]!);
  }

  function enterKernel(t: ThreadSlot): void {
    settle(t);
    noteKernelEntry();
    clocks[t]! += syscallNs;
    if (crowded[t] === CROWDED_TO_COME) {
      crowded[t] = CROWDED_OUT;
      preempted.keepsKernelLock(t);
      if (clocks[t]! < sliceEnd[t]!) sliceEnd[t] = clocks[t]!;
    }
  }

  function acquire(t: ThreadSlot, id: LockId): void {
    if (words[(id << LG_LOCK_WORDS) + IN_KERNEL] !== 0) {
      enterKernel(t);
    } else {
      settleLong(t);
    }
    const w = id << LG_LOCK_WORDS;
    if (words[w + LAST_PROCESSOR] === processor[t] && (words[w + SOLE] === t + 1 || becomesSole(t, id))) {
      if (words[w + LINE] !== 0) takeLine(t, w);
      words[w + ACQUISITIONS]!++;
      words[w + HELD] = 0;
      if (words[w + IN_KERNEL] === 0) state[HELD_NOW]!++;
      heldFrom[id] = clocks[t]!;
      clocks[t]! += lockNs;
    } else {
      take(t, id, false);
    }
  }

  function becomesSole(t: ThreadSlot, id: LockId): boolean {
    const w = id << LG_LOCK_WORDS;
    if (words[w + OWNER_SWITCHES] !== 0 || !isOwn(t, id)) return false;
    words[w + SOLE] = t + 1;
    return true;
  }

  /** Another thread may want the lock: its owner's last stretch must be found. */
  function listOwn(id: LockId): void {
    const w = id << LG_LOCK_WORDS;
    stretches.forgetAll(id);
    spans[0] = heldFrom[id]!;
    const s = stretches.insert(id, 0, (words[w + SOLE]! - 1) << LG_FLAGS);
    spans[2 * s + 1] = latest[id]!;
    words[w + SOLE] = 0;
  }

  function tryAcquire(t: ThreadSlot, id: LockId): boolean {
    settleLong(t);
    if (words[(id << LG_LOCK_WORDS) + SOLE] !== 0) listOwn(id);
    if (preempted.holderOf(id) >= 0 || (latest[id]! > clocks[t]! && obstacle(t, id, false, 0) !== 0)) {
      locks[id]!.failedTries++;
      clocks[t]! += lineTransferNs;
      return false;
    }
    take(t, id, false);
    return true;
  }

  function release(t: ThreadSlot, id: LockId): void {
    settle(t);
    const w = id << LG_LOCK_WORDS;
    const held = words[w + HELD]!;
    if (held < 0) throw new InvariantError(`thread ${t} releases ${locks[id]!.name}, which it does not hold`);
    const now = clocks[t]!;
    noteRelease();
    const duration = now - heldFrom[id]!;
    if (sliceEnd[t]! < now && sliceEnd[t]! >= heldFrom[id]!) preempted.heldOver(id, heldFrom[id]!, now);
    if (now > latest[id]!) latest[id] = now;
    heldTo[id] = now;
    holdNs[id]! += duration;
    words[w + HELD] = -1;
    if (words[w + IN_KERNEL] === 0) state[HELD_NOW]!--;
    if (words[w + SOLE] !== 0) return;
    releasedAt[id] = now;
    usualHold[id]! += (Math.min(duration, LONG_HOLD_NS) - usualHold[id]!) / RECENT;
    spans[2 * held + 1] = now;
    if (takers[held]! & WAKES) {
      locks[id]!.futexWakes++;
      clocks[t]! += futexWakeNs;
      wakeNext(id, t, now);
    }
  }

  function isOwn(t: ThreadSlot, id: LockId): boolean {
    return id >= 0 && words[(id << LG_LOCK_WORDS) + LAST_OWNER] === t && clocks[t]! > ownedFrom[id]! + OWN_AFTER_NS;
  }

  function whenBack(t: ThreadSlot, action: () => void): void {
    if (sleepNs[t] === 0 && clocks[t]! < sliceEnd[t]!) {
      action();
      return;
    }
    const before = left.get(t);
    left.set(t, () => {
      before?.();
      action();
    });
  }

  function goesOn(t: ThreadSlot): void {
    const action = left.get(t);
    if (action === undefined) return;
    left.delete(t);
    action();
  }

  function acquireShared(t: ThreadSlot, id: LockId): void {
    enterKernel(t);
    if (!perVmaLocks) take(t, id, true);
  }

  function releaseShared(t: ThreadSlot, id: LockId): void {
    if (perVmaLocks) settle(t);
    else release(t, id);
  }

  return {
    create,
    acquire,
    tryAcquire,
    release,
    acquireShared,
    releaseShared,
    push,
    pull,
    isHeldOff: (id) => preempted.holderOf(id) >= 0,
    whenBack,
    goesOn,
    sleepsFirst,
    called,
    runs,
    onWoken: (wake) => {
      schedule = wake;
    },
    settle,
    settleCall,
    isOwn,
    wakeSleeper,
    get measured() {
      return locks.map((lock, id) => ({
        ...lock,
        acquisitions: words[(id << LG_LOCK_WORDS) + ACQUISITIONS]!,
        ownerSwitches: words[(id << LG_LOCK_WORDS) + OWNER_SWITCHES]!,
        holdNs: holdNs[id]!,
      }));
    },
  };
}

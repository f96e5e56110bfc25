import type { ThreadSlot } from '../contract/allocator.ts';
import { assert, InvariantError } from '../contract/assert.ts';
import type { LockId, LockKind, Locks } from '../contract/locks.ts';
import type { Memory } from '../contract/memory.ts';
import type { Ns } from '../contract/units.ts';
import { DURATION_BUCKETS, durationBucket } from './durations.ts';
import { type MeasuredLock, unusedLock } from './lock-table.ts';

// Each lock has a line of its own ─►  ┌──────┬───────┬──────────────┐   WORDS_PER_LOCK int32
//                                     │ word │ owner │  (padding)   │
//                                     └──────┴───────┴──────────────┘
// word   0 free, 1 taken, 2 taken and somebody may be asleep: glibc's low-level lock
// owner  the thread that had it last, + 1
const WORDS_PER_LOCK = 16;
const OWNER = 1;
/** In 4,095 arenas of jemalloc. */
const LOCKS_MAX = 262_144;
const FREE = 0;
const TAKEN = 1;
const CONTENDED = 2;

/** Looks at a taken lock before a spinning waiter goes to sleep. */
const SPINS = 200;
/** A sleeper looks up this often, to see whether the run has been given up. */
const LOOK_UP_MS = 50;
/** Holding times are measured on one acquisition in so many. */
const HOLD_EVERY = 64;

/** Thrown in a thread that waits when the run is given up because another thread has failed. */
export class RunAborted extends Error {
  override readonly name = 'RunAborted';
}

/** Figures of one worker; summed up over all of them afterwards. */
export type WorkerLock = MeasuredLock;

export interface AtomicLocks extends Locks {
  readonly measured: readonly WorkerLock[];
}

export interface AtomicLockOptions {
  readonly memory: Memory;
  /** True once the run is given up. */
  readonly isAborted: () => boolean;
  /** Called where another order of threads could matter; a test delays the thread there. */
  readonly perturb?: () => void;
}

/** Locks between real threads, in shared memory, with the granularity and the ways of waiting of the real ones. */
export function createAtomicLocks(options: AtomicLockOptions): AtomicLocks {
  const { isAborted, perturb } = options;
  const words = options.memory.int32('threads.locks', LOCKS_MAX * WORDS_PER_LOCK);
  const locks: WorkerLock[] = [];
  const heldSince = new Float64Array(LOCKS_MAX);

  function lockOf(id: LockId): WorkerLock {
    // Made by another worker after the start: known here by its number alone.
    while (locks.length <= id) create(`lock ${locks.length}`, 'futex');
    return locks[id]!;
  }

  function create(name: string, kind: LockKind): LockId {
    assert(locks.length < LOCKS_MAX, `more than ${LOCKS_MAX} locks`);
    return locks.push(unusedLock(name, kind)) - 1;
  }

  function acquired(t: ThreadSlot, id: LockId, lock: WorkerLock): void {
    const at = id * WORDS_PER_LOCK;
    const last = words[at + OWNER]!;
    if (last !== t + 1) {
      if (last !== 0) lock.ownerSwitches++;
      words[at + OWNER] = t + 1;
    }
    if (lock.acquisitions++ % HOLD_EVERY === 0) heldSince[id] = nowNs();
  }

  function acquire(t: ThreadSlot, id: LockId): void {
    const lock = lockOf(id);
    if (perturb) perturb();
    if (Atomics.compareExchange(words, id * WORDS_PER_LOCK, FREE, TAKEN) !== FREE) wait(id, lock);
    acquired(t, id, lock);
  }

  function wait(id: LockId, lock: WorkerLock): void {
    const at = id * WORDS_PER_LOCK;
    const since = nowNs();
    lock.contended++;
    let got = false;
    if (lock.kind !== 'futex') {
      for (let i = 0; i < SPINS && !got; i++) {
        got = Atomics.load(words, at) === FREE && Atomics.compareExchange(words, at, FREE, TAKEN) === FREE;
      }
    }
    while (!got && Atomics.exchange(words, at, CONTENDED) !== FREE) {
      if (isAborted()) throw new RunAborted(`gave up waiting for ${lock.name}`);
      lock.futexWaits++;
      Atomics.wait(words, at, CONTENDED, LOOK_UP_MS);
    }
    const waited = nowNs() - since;
    lock.waitNs += waited;
    if (waited > lock.waitNsMax) lock.waitNsMax = waited;
    lock.waits ??= new Int32Array(DURATION_BUCKETS);
    lock.waits[durationBucket(waited)]!++;
  }

  function tryAcquire(t: ThreadSlot, id: LockId): boolean {
    const lock = lockOf(id);
    if (perturb) perturb();
    if (Atomics.compareExchange(words, id * WORDS_PER_LOCK, FREE, TAKEN) !== FREE) {
      lock.failedTries++;
      return false;
    }
    acquired(t, id, lock);
    return true;
  }

  function release(_t: ThreadSlot, id: LockId): void {
    const lock = locks[id]!;
    const at = id * WORDS_PER_LOCK;
    if (heldSince[id] !== 0) {
      lock.holdNs += (nowNs() - heldSince[id]!) * HOLD_EVERY;
      heldSince[id] = 0;
    }
    const old = Atomics.exchange(words, at, FREE);
    if (old === FREE) throw new InvariantError(`${lock.name} is released, but nobody holds it`);
    if (old === CONTENDED) {
      lock.futexWakes++;
      Atomics.notify(words, at, 1);
    }
    if (perturb) perturb();
  }

  return {
    create,
    acquire,
    tryAcquire,
    release,
    // Readers of mmap_lock exclude each other here: the tables behind it are not made for readers beside each other.
    acquireShared: acquire,
    releaseShared: release,
    downgrade: () => {},
    push: () => {},
    pull: () => {},
    measured: locks,
  };
}

function nowNs(): Ns {
  return performance.now() * 1e6;
}

/** What all workers measured about each lock. Locks have the same number in every worker. */
export function mergeLocks(workers: readonly (readonly WorkerLock[])[]): MeasuredLock[] {
  const merged: MeasuredLock[] = [];
  for (const locks of workers) {
    locks.forEach((lock, id) => {
      const sum = merged[id];
      if (sum === undefined) {
        merged[id] = { ...lock, waits: lock.waits?.slice() };
        return;
      }
      sum.acquisitions += lock.acquisitions;
      sum.contended += lock.contended;
      sum.failedTries += lock.failedTries;
      sum.waitNs += lock.waitNs;
      sum.waitNsMax = Math.max(sum.waitNsMax, lock.waitNsMax);
      sum.holdNs += lock.holdNs;
      sum.ownerSwitches += lock.ownerSwitches;
      sum.futexWaits += lock.futexWaits;
      sum.futexWakes += lock.futexWakes;
      if (lock.waits) {
        sum.waits ??= new Int32Array(DURATION_BUCKETS);
        for (let i = 0; i < DURATION_BUCKETS; i++) sum.waits[i]! += lock.waits[i]!;
      }
    });
  }
  return merged;
}

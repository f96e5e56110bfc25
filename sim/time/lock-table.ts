import type { ThreadSlot } from '../contract/allocator.ts';
import { assert, InvariantError } from '../contract/assert.ts';
import type { Column } from '../contract/beginning.ts';
import type { LockId, LockKind } from '../contract/locks.ts';
import type { Ns } from '../contract/units.ts';
import { DURATION_BUCKETS, durationBucket } from './durations.ts';
import { WAITS_FOR_KERNEL_LOCK, WAITS_FOR_LOCK } from './timeline.ts';
import type { VirtualTime } from './virtual-time.ts';

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

/** A lock that nobody has taken yet. */
export const unusedLock = (name: string, kind: LockKind): MeasuredLock => ({
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

/** Sums of many doubles: they agree up to so much of the whole. */
export const ROUNDING = 1e-6;

/** The kinds of the kernel's locks. */
export const SEMAPHORE = 1;
export const SPIN_LOCK = 2;

/** Locks of a run at most, in 4,095 arenas of jemalloc; arrays of this size cost nothing where no lock is. */
const LOCKS_MAX = 262_144;

/** The locks of a run, as they stand at the time that has been played. */
export interface LockTable {
  readonly locks: MeasuredLock[];
  /** By lock: who has it (for mmap_lock: as a writer), -1 for nobody; since when; and when it was released last. */
  readonly owner: Int32Array;
  readonly heldFrom: Float64Array;
  readonly freeAt: Float64Array;
  /** 1: a thread may sleep for it (the word is 2); 2: one spins: whoever releases it has to look. */
  readonly isMarked: Uint8Array;
  /** The only thread that has ever had it, + 1; 0: nobody has, -1: several have. */
  readonly sole: Int32Array;
  /** When somebody found it taken last. */
  readonly contendedAt: Float64Array;
  /** Of the kernel: SEMAPHORE or SPIN_LOCK; else 0. */
  readonly inKernel: Uint8Array;
  /** The processor that has the lock's line, -1 for none, or that it is on its way to; when that used it last; how many things others have pushed that nobody has pulled yet, and the last one's. */
  readonly lineAt: Int32Array;
  readonly lineUsedAt: Float64Array;
  readonly pushed: Int32Array;
  readonly pushedFrom: Int32Array;
  create(name: string, kind: LockKind): LockId;
  /** An atomic operation of processor `p` on the lock's line from `at` on: when it is done. One after the other. */
  useLine(id: LockId, p: number, at: Ns): Ns;
  /** `t` has the lock from `at` on; returns when it can go on: what the lock guards comes over with it. */
  take(t: ThreadSlot, id: LockId, at: Ns): Ns;
  /** The same at the thread's clock, for the only one that has ever had it, with its line. */
  takeAlone(t: ThreadSlot, id: LockId): void;
  /** The same where nothing more comes over: what the lock guards is in the price of what is done under it. */
  hand(t: ThreadSlot, id: LockId): void;
  /** Somebody has it beside others (mmap_lock, readers). */
  share(id: LockId): void;
  /** `t`, at its clock, gives it back. */
  give(t: ThreadSlot, id: LockId): void;
  readonly measured: readonly MeasuredLock[];
  /** Nobody has any: what was done before the run is not played. */
  letGoOfAll(): void;
  /** `t` waits for the lock from `at` on, having been `onNs` on its processors by then. */
  beginWait(t: ThreadSlot, id: LockId, at: Ns, onNs: Ns): void;
  /** While it waits: it sleeps from `from` to `to`. */
  slept(t: ThreadSlot, from: Ns, to: Ns): void;
  endWait(t: ThreadSlot, id: LockId, at: Ns, onNs: Ns): void;
}

export function createLockTable(time: VirtualTime): LockTable {
  const { threads, topology, processor, clocks, costs, lockWaitNs, spinNs, timeline } = time;
  const { keep, also } = time.beginning;
  const { lineKeepNs, lockNs } = costs;
  /** Lines that a lock guards and that come over with it: measured as a time, in lines of the machine that it was measured on. */
  const guardedLines = costs.guardedTransferNs === 0 ? 0 : costs.guardedTransferNs / costs.lineTransferNs;
  const { transferNs } = topology;
  const locks: MeasuredLock[] = [];
  const made = keep(new Int32Array(1)); // so many
  also(() => {
    locks.length = made[0]!;
    for (const lock of locks) Object.assign(lock, unusedLock(lock.name, lock.kind));
  });
  const perLock = <T extends Column>(column: T): T => keep(column, () => locks.length);
  const owner = perLock(new Int32Array(LOCKS_MAX));
  const lastOwner = perLock(new Int32Array(LOCKS_MAX));
  const lineAt = perLock(new Int32Array(LOCKS_MAX));
  const acquisitions = perLock(new Int32Array(LOCKS_MAX));
  const switches = perLock(new Int32Array(LOCKS_MAX));
  const sole = perLock(new Int32Array(LOCKS_MAX));
  const pushed = perLock(new Int32Array(LOCKS_MAX));
  const pushedFrom = perLock(new Int32Array(LOCKS_MAX));
  const isMarked = perLock(new Uint8Array(LOCKS_MAX));
  const inKernel = perLock(new Uint8Array(LOCKS_MAX));
  const heldFrom = perLock(new Float64Array(LOCKS_MAX));
  const freeAt = perLock(new Float64Array(LOCKS_MAX));
  const lineFreeAt = perLock(new Float64Array(LOCKS_MAX)); // when it arrives there
  const lineBefore = perLock(new Int32Array(LOCKS_MAX)); // where it was before
  const lineUsedAt = perLock(new Float64Array(LOCKS_MAX));
  const holdNs = perLock(new Float64Array(LOCKS_MAX));
  const takenAgain = perLock(new Uint8Array(LOCKS_MAX)); // 1: by the same thread as before, which got it from another one
  const contendedAt = perLock(new Float64Array(LOCKS_MAX));
  const waitFrom = keep(new Float64Array(threads));
  const onFrom = keep(new Float64Array(threads));
  const sleptNs = keep(new Float64Array(threads));

  function create(name: string, kind: LockKind): LockId {
    const id = locks.length;
    assert(id < LOCKS_MAX, 'a run with more locks than there is room for');
    locks.push(unusedLock(name, kind));
    made[0]!++;
    // Here and not for all at once: memory that is never written costs nothing.
    owner[id] = -1;
    lastOwner[id] = -1;
    lineAt[id] = -1;
    lineBefore[id] = -1;
    contendedAt[id] = -Infinity;
    inKernel[id] = kind === 'kernel' ? SEMAPHORE : kind === 'kernel-spin' ? SPIN_LOCK : 0;
    return id;
  }

  /** Whether `from` has taken the lock again and again, and used its line since a time: then it keeps it for a while. */
  function isKept(id: LockId, from: number, since: Ns): boolean {
    return takenAgain[id] === 1 && lineUsedAt[id]! > since && processor[lastOwner[id]!] === from;
  }

  function useLine(id: LockId, p: number, at: Ns): Ns {
    const from = lineAt[id]!;
    if (from === p || from < 0) {
      lineAt[id] = p;
      lineUsedAt[id] = at;
      return at;
    }
    const arrives = lineFreeAt[id]!;
    if (lineBefore[id] === p && at < arrives) return at; // it is asked for, and still here
    const asked = Math.max(at, arrives);
    const transfer = transferNs(from, p);
    const done = isKept(id, from, asked - transfer) ? asked + Math.max(transfer, lineKeepNs) : asked + transfer;
    lineBefore[id] = from;
    lineAt[id] = p;
    lineFreeAt[id] = done;
    lineUsedAt[id] = done;
    return done;
  }

  function take(t: ThreadSlot, id: LockId, at: Ns): Ns {
    if (owner[id]! >= 0) throw new InvariantError(`${locks[id]!.name} has two holders, ${owner[id]!} and ${t}`);
    acquisitions[id]!++;
    owner[id] = t;
    if (freeAt[id]! > at) at = freeAt[id]!; // who had it last is ahead of the others
    heldFrom[id] = at;
    if (lastOwner[id] === t) {
      takenAgain[id] = 1;
      return at + lockNs;
    }
    const before = lastOwner[id]!;
    lastOwner[id] = t;
    takenAgain[id] = 0;
    if (before < 0) {
      sole[id] = t + 1;
      return at + lockNs;
    }
    switches[id]!++;
    sole[id] = -1;
    return at + lockNs + guardedLines * transferNs(processor[before]!, processor[t]!);
  }

  function takeAlone(t: ThreadSlot, id: LockId): void {
    const at = clocks[t]!;
    acquisitions[id]!++;
    owner[id] = t;
    heldFrom[id] = at;
    lineUsedAt[id] = at;
    takenAgain[id] = 1;
    clocks[t] = at + lockNs;
  }

  function hand(t: ThreadSlot, id: LockId): void {
    if (owner[id]! >= 0) throw new InvariantError(`${locks[id]!.name} has two holders, ${owner[id]!} and ${t}`);
    acquisitions[id]!++;
    if (lastOwner[id]! >= 0 && lastOwner[id] !== t) switches[id]!++;
    owner[id] = t;
    lastOwner[id] = t;
    heldFrom[id] = clocks[t]!;
  }

  function give(t: ThreadSlot, id: LockId): void {
    const at = clocks[t]!;
    if (owner[id] !== t) throw new InvariantError(`thread ${t} releases ${locks[id]!.name}, which it does not hold`);
    owner[id] = -1;
    freeAt[id] = at;
    holdNs[id]! += at - heldFrom[id]!;
    if (time.observer !== undefined) time.observer.held(t, id, heldFrom[id]!, at);
  }

  function beginWait(t: ThreadSlot, id: LockId, at: Ns, onNs: Ns): void {
    locks[id]!.contended++;
    contendedAt[id] = at;
    waitFrom[t] = at;
    onFrom[t] = onNs;
    sleptNs[t] = 0;
  }

  function endWait(t: ThreadSlot, id: LockId, at: Ns, onNs: Ns): void {
    const lock = locks[id]!;
    const waited = at - waitFrom[t]!;
    if (waited < 0) throw new InvariantError(`thread ${t} waits ${waited} ns for ${lock.name}`);
    const spentNs = onNs - onFrom[t]! + sleptNs[t]!;
    if (spentNs > waited * (1 + ROUNDING) + 1) {
      throw new InvariantError(`thread ${t} waits ${waited} ns for ${lock.name}, and spends ${spentNs} on it`);
    }
    contendedAt[id] = at;
    lock.waitNs += waited;
    if (waited > lock.waitNsMax) lock.waitNsMax = waited;
    lock.waits ??= new Int32Array(DURATION_BUCKETS);
    lock.waits[durationBucket(waited)]!++;
    spinNs[t]! += onNs - onFrom[t]!;
    lockWaitNs[t]! += spentNs;
    time.observer?.waited(t, id, waitFrom[t]!, at);
    timeline.add(inKernel[id] !== 0 ? WAITS_FOR_KERNEL_LOCK : WAITS_FOR_LOCK, waitFrom[t]!, waited);
  }

  return {
    locks,
    owner,
    heldFrom,
    freeAt,
    isMarked,
    sole,
    contendedAt,
    inKernel,
    lineAt,
    lineUsedAt,
    pushed,
    pushedFrom,
    create,
    useLine,
    take,
    takeAlone,
    hand,
    letGoOfAll: () => {
      owner.fill(-1, 0, locks.length);
    },
    share: (id) => {
      acquisitions[id]!++;
    },
    give,
    beginWait,
    slept: (t, from, to) => {
      sleptNs[t]! += to - from;
    },
    endWait,
    get measured() {
      return locks.map((lock, id) => ({
        ...lock,
        acquisitions: acquisitions[id]!,
        ownerSwitches: switches[id]!,
        holdNs: holdNs[id]!,
      }));
    },
  };
}

import type { ThreadSlot } from '../contract/allocator.ts';
import type { LockId, Locks } from '../contract/locks.ts';
import type { Ns } from '../contract/units.ts';
import { type Charging, createCharging } from './charging.ts';
import { createFutexes, type Futexes } from './futex.ts';
import { createLockTable, type LockTable, type MeasuredLock, SEMAPHORE } from './lock-table.ts';
import { createPageLists } from './page-lists.ts';
import { createRwSemaphore, type RwSemaphore } from './rwsem.ts';
import type { Scheduler } from './scheduling.ts';
import * as segments from './segments.ts';
import { createSpinLocks, type SpinLocks } from './spin-lock.ts';
import type { VirtualTime } from './virtual-time.ts';

/**
 * What models see of locks in virtual time. A call runs to its end at once and leaves what it did in the thread's log, which is played
 * afterwards (player.ts). Where nobody else can act before, it is played on the spot, without the log: a lock that is free is taken and
 * given back while the call runs. Once something has to be logged, all that follows in the call is.
 */
export interface VirtualLocks extends Locks, Pick<Charging, 'begin' | 'settle' | 'settleCall'> {
  readonly table: LockTable;
  readonly futexes: Futexes;
  readonly rwsem: RwSemaphore;
  readonly spinLocks: SpinLocks;
  /** How far beyond the limit the thread may begin a call; see AHEAD_ALONE_NS. */
  readonly leeway: Float64Array;
  /** All locks, in the order of their creation. */
  readonly measured: readonly MeasuredLock[];
  /** Where threads sleep and wake; before the first event. */
  runOn(scheduler: Scheduler): void;
}

export interface VirtualLockOptions {
  readonly time: VirtualTime;
  /** The machine's counters. */
  readonly operations: Float64Array;
  /** Since Linux 6.4 faults, and since 6.17 madvise, lock the mapping they concern and not the whole address space. */
  readonly perVmaLocks: boolean;
}

/**
 * How far a thread may run ahead of the others with a lock that nobody else has ever had: should another one come then, it finds the lock
 * taken up to where the owner is.
 */
export const AHEAD_ALONE_NS = 5_000;
/** The same with one that nobody has found taken for CALM_NS: of two that take it within this time either may be first. */
const AHEAD_CALM_NS = 500;
const CALM_NS = 100_000;

export function createVirtualLocks({ time, operations, perVmaLocks }: VirtualLockOptions): VirtualLocks {
  const { ACQUIRE, DOWN_READ, DOWNGRADE, KIND_BITS, PUSH, RELEASE, REPEAT, UP_READ } = segments;
  const { clocks, costs, inKernel, kernelNs, limit, log, processor, spend, spendInKernel, threads, topology } = time;
  const { append, codes, tail } = log;
  const { syscallNs, zoneBatchNs } = costs;
  const { socket, transferNs } = topology;
  let scheduler: Scheduler | undefined;
  const table = createLockTable(time);
  const {
    contendedAt,
    freeAt,
    inKernel: ofKernel,
    isMarked,
    lineAt,
    lineUsedAt,
    locks,
    owner,
    pushed,
    pushedFrom,
    sole,
  } = table;
  const futexes = createFutexes(time, table, () => scheduler!);
  const rwsem = createRwSemaphore(time, table, () => scheduler!);
  const spinLocks = createSpinLocks(time, table, () => scheduler!);
  const { keep, also } = time.beginning;
  const pageLists = createPageLists(time.cpus, time.beginning);
  const zoneLocks: LockId[] = []; // by socket, once they are there
  also(() => {
    zoneLocks.length = 0;
  });
  const leeway = keep(new Float64Array(threads));
  const isReader = keep(new Uint8Array(threads)); // of mmap_lock, which it has taken as a writer
  let mmapLock = -1;
  const charging = createCharging({
    time,
    operations,
    onFaults: perVmaLocks ? takePages : faultsAsReader,
    onReleases: (t, ns, pages) => spendAtZone(t, ns, pageLists.give(processor[t]!, pages)),
  });
  const { begin, settle, settleLong, settleCall, noteKernelEntry, noteRelease } = charging;

  /** Each page fault holds mmap_lock as a reader: it waits for writers, and keeps writers waiting. */
  function faultsAsReader(t: ThreadSlot, ns: Ns, pages: number): void {
    if (mmapLock < 0 || owner[mmapLock] === t || threads === 1) {
      takePages(t, ns, pages);
      return;
    }
    for (let left = pages; left > 0; left--) {
      append(t, DOWN_READ | (mmapLock << KIND_BITS), 0);
      takePages(t, ns / pages, 1);
      append(t, UP_READ | (mmapLock << KIND_BITS), 0);
      left -= repeatFaults(t, ns / pages, left - 1);
    }
  }

  /** Faults that go as the one before: those whose pages are in the processor's list. */
  function repeatFaults(t: ThreadSlot, ns: Ns, most: number): number {
    if (codes[t]![tail[t]! - 3] !== (DOWN_READ | (mmapLock << KIND_BITS))) return 0; // that one went to the zone
    const times = Math.min(most, pageLists.held(processor[t]!));
    if (times === 0) return 0;
    append(t, REPEAT | (times << KIND_BITS), 0);
    pageLists.take(processor[t]!, times);
    // One after the other: the sum is rounded as it is where each has an entry.
    for (let i = 0; i < times; i++) kernelNs[t]! += ns;
    return times;
  }

  function takePages(t: ThreadSlot, ns: Ns, pages: number): void {
    spendAtZone(t, ns, pageLists.take(processor[t]!, pages));
  }

  /** `ns` in the kernel, part of it for so many batches of pages under the lock of the node's zone. */
  function spendAtZone(t: ThreadSlot, ns: Ns, batches: number): void {
    if (batches === 0 || threads === 1) {
      spendInKernel(t, ns);
      return;
    }
    const id = zoneLockOf(socket[processor[t]!]!);
    const heldNs = Math.min(zoneBatchNs, ns / batches);
    for (let i = 0; i < batches; i++) {
      spendInKernel(t, ns / batches - heldNs);
      append(t, ACQUIRE | (id << KIND_BITS), 0);
      spendInKernel(t, heldNs);
      append(t, RELEASE | (id << KIND_BITS), 0);
    }
  }

  /** A node's normal zone has a lock; nodes are sockets. */
  function zoneLockOf(node: number): LockId {
    return (zoneLocks[node] ??= table.create(node === 0 ? 'zone->lock' : `zone->lock (node ${node})`, 'kernel-spin'));
  }

  function create(name: string, kind: MeasuredLock['kind']): LockId {
    const id = table.create(name, kind);
    if (name === 'mmap_lock') mmapLock = id;
    return id;
  }

  /** Whether `t` is too far ahead of the others to use the lock without them. */
  function isTooFar(t: ThreadSlot, id: LockId): boolean {
    const at = clocks[t]!;
    if (at <= limit[0]!) return false;
    if (sole[id] === t + 1) return at > limit[0]! + AHEAD_ALONE_NS;
    return at - contendedAt[id]! <= CALM_NS || at > limit[0]! + AHEAD_CALM_NS;
  }

  function acquire(t: ThreadSlot, id: LockId): void {
    if (ofKernel[id] === SEMAPHORE) {
      acquireInKernel(t, id);
      return;
    }
    settleLong(t);
    if (tail[t] !== 0 || owner[id]! >= 0 || isTooFar(t, id)) {
      append(t, ACQUIRE | (id << KIND_BITS), 0);
      leeway[t] = 0;
    } else if (sole[id] === t + 1 && lineAt[id] === processor[t] && freeAt[id]! <= clocks[t]!) {
      // Nearly always: the thread's own arena, once more.
      table.takeAlone(t, id);
      leeway[t] = AHEAD_ALONE_NS;
    } else {
      takeNow(t, id);
    }
  }

  function acquireInKernel(t: ThreadSlot, id: LockId): void {
    enterKernel(t);
    if (tail[t] !== 0 || clocks[t]! > limit[0]! || !rwsem.isFree() || !rwsem.isQuiet()) {
      append(t, ACQUIRE | (id << KIND_BITS), 0);
      return;
    }
    inKernel[t] = 1;
    if (lineAt[id] !== processor[t]) clocks[t] = table.useLine(id, processor[t]!, clocks[t]!);
    rwsem.downWrite(t, id);
  }

  function takeNow(t: ThreadSlot, id: LockId): void {
    const p = processor[t]!;
    if (freeAt[id]! > clocks[t]!) {
      contendedAt[id] = clocks[t]!; // it ran ahead too far
      clocks[t] = freeAt[id]!;
    }
    if (lineAt[id] !== p) clocks[t] = table.useLine(id, p, clocks[t]!);
    else lineUsedAt[id] = clocks[t]!;
    clocks[t] = table.take(t, id, clocks[t]!);
    leeway[t] = sole[id] === t + 1 ? AHEAD_ALONE_NS : AHEAD_CALM_NS;
  }

  function tryAcquire(t: ThreadSlot, id: LockId): boolean {
    settleLong(t);
    if (owner[id]! >= 0 || freeAt[id]! > clocks[t]!) {
      locks[id]!.failedTries++;
      useLine(t, id); // its compare-and-exchange takes the line all the same
      return false;
    }
    if (tail[t] === 0) takeNow(t, id);
    else append(t, ACQUIRE | (id << KIND_BITS), 0);
    return true;
  }

  function release(t: ThreadSlot, id: LockId): void {
    settle(t);
    noteRelease();
    if (isReader[t] !== 0 && id === mmapLock) {
      isReader[t] = 0;
      append(t, UP_READ | (id << KIND_BITS), 0);
    } else if (tail[t] !== 0 || isMarked[id] !== 0 || ofKernel[id] !== 0 || isTooFar(t, id)) {
      append(t, RELEASE | (id << KIND_BITS), 0);
    } else {
      table.give(t, id);
    }
  }

  function enterKernel(t: ThreadSlot): void {
    settle(t);
    noteKernelEntry();
    spendInKernel(t, syscallNs);
  }

  function acquireShared(t: ThreadSlot, id: LockId): void {
    enterKernel(t);
    if (!perVmaLocks) append(t, DOWN_READ | (id << KIND_BITS), 0);
  }

  function releaseShared(t: ThreadSlot, id: LockId): void {
    settle(t);
    if (!perVmaLocks) append(t, UP_READ | (id << KIND_BITS), 0);
  }

  function downgrade(t: ThreadSlot, id: LockId): void {
    settle(t);
    noteKernelEntry(); // it is still there, and counts go on
    isReader[t] = 1;
    append(t, DOWNGRADE | (id << KIND_BITS), 0);
  }

  /** An atomic operation on the line that the lock lies in. */
  function useLine(t: ThreadSlot, id: LockId): void {
    if (lineAt[id] === processor[t]) return;
    if (tail[t] !== 0 || clocks[t]! > limit[0]! + AHEAD_CALM_NS) append(t, PUSH | (id << KIND_BITS), 0);
    else clocks[t] = table.useLine(id, processor[t]!, clocks[t]!);
  }

  function push(t: ThreadSlot, id: LockId): void {
    if (lineAt[id] === processor[t]) return;
    pushed[id]!++;
    pushedFrom[id] = processor[t]!;
    useLine(t, id);
  }

  function pull(t: ThreadSlot, id: LockId, count: number): void {
    const others = Math.min(count, pushed[id]!);
    if (others === 0) return;
    pushed[id]! -= others;
    spend(t, others * transferNs(pushedFrom[id]!, processor[t]!));
  }

  return {
    create,
    acquire,
    tryAcquire,
    release,
    acquireShared,
    releaseShared,
    downgrade,
    push,
    pull,
    begin,
    settle,
    settleCall,
    table,
    futexes,
    rwsem,
    spinLocks,
    leeway,
    get measured() {
      return table.measured;
    },
    runOn: (given) => {
      scheduler = given;
    },
  };
}

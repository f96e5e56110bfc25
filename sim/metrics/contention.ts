import { OP_SLOW_CALLS, OPERATIONS, type Operation } from '../contract/operations.ts';
import type { Start } from '../contract/start.ts';
import type { Ns } from '../contract/units.ts';
import type { PriceSource } from '../time/costs.ts';
import type { MeasuredLock } from '../time/lock-table.ts';
import { WAITS_FOR_KERNEL_LOCK, WAITS_FOR_LOCK, WAITS_FOR_PROCESSOR, WAITS_FOR_THREAD } from '../time/timeline.ts';
import type { VirtualTime } from '../time/virtual-time.ts';
import { percentiles } from './percentiles.ts';

export interface LockResult {
  readonly name: string;
  readonly acquisitions: number;
  /** Acquisitions that found the lock taken and had to wait. */
  readonly contended: number;
  /** Attempts that found it taken and did not wait (trylock). */
  readonly failedTries: number;
  readonly waitNs: { readonly total: Ns; readonly p50: Ns; readonly p99: Ns; readonly max: Ns };
  readonly holdNs: Ns;
  /** Acquisitions by another thread than the one before. */
  readonly ownerSwitches: number;
  readonly futexWaits: number;
  readonly futexWakes: number;
}

/** How a thread spent its time. */
export interface ThreadResult {
  /** Thread number in the trace. */
  readonly thread: number;
  readonly events: number;
  readonly runningNs: Ns;
  /** For locks, spinning or asleep. */
  readonly waitingNs: Ns;
  /** Ready to run, with no processor free. */
  readonly readyNs: Ns;
  /** For something that another thread had yet to do. */
  readonly blockedNs: Ns;
  readonly contextSwitches: number;
}

/** Nanoseconds of waiting, summed over the threads, in each stretch of `widthNs` of the run. */
export interface WaitTimeline {
  readonly widthNs: Ns;
  readonly locks: readonly number[];
  readonly kernelLocks: readonly number[];
  readonly processors: readonly number[];
  readonly otherThreads: readonly number[];
}

/** How the processors spent the run, all together. */
export interface ProcessorsResult {
  /** Where they lie to each other (sim/time/topology.ts), the scheduler's ticks a second, and how the threads began. */
  readonly topology: string;
  readonly prices: PriceSource;
  readonly hz: number;
  readonly start: Start;
  readonly busyNs: Ns;
  /** Of these: in the kernel, where they may wait for its locks. */
  readonly kernelNs: Ns;
  readonly idleNs: Ns;
}

export interface ConcurrencyResult {
  /** Where processors are simulated. */
  readonly processors?: ProcessorsResult;
  readonly threads: readonly ThreadResult[];
  readonly timeline: WaitTimeline | null;
  /** Calls of malloc, calloc, realloc and memalign; of free. */
  readonly allocations: number;
  readonly frees: number;
  readonly crossThreadFrees: number;
  /** Share of the calls that the thread's own cache served. */
  readonly threadCacheHitRate: number;
  /** Share of the acquisitions of the allocator's locks that found the lock free. */
  readonly lockHitRate: number;
  /** How often each operation of the price list was counted. */
  readonly operations: Readonly<Record<Operation, number>>;
}

export function lockResult(lock: MeasuredLock): LockResult {
  const wait = percentiles(lock.waits ?? [], lock.waitNsMax);
  return {
    name: lock.name,
    acquisitions: lock.acquisitions,
    contended: lock.contended,
    failedTries: lock.failedTries,
    waitNs: { total: lock.waitNs, p50: wait.p50, p99: wait.p99, max: lock.waitNsMax },
    holdNs: lock.holdNs,
    ownerSwitches: lock.ownerSwitches,
    futexWaits: lock.futexWaits,
    futexWakes: lock.futexWakes,
  };
}

/** Sum over locks; of the percentiles the largest. */
export function totalOf(locks: readonly LockResult[]): LockResult {
  const sum = (of: (lock: LockResult) => number) => locks.reduce((total, lock) => total + of(lock), 0);
  const most = (of: (lock: LockResult) => number) => locks.reduce((least, lock) => Math.max(least, of(lock)), 0);
  return {
    name: 'all',
    acquisitions: sum((l) => l.acquisitions),
    contended: sum((l) => l.contended),
    failedTries: sum((l) => l.failedTries),
    waitNs: {
      total: sum((l) => l.waitNs.total),
      p50: most((l) => l.waitNs.p50),
      p99: most((l) => l.waitNs.p99),
      max: most((l) => l.waitNs.max),
    },
    holdNs: sum((l) => l.holdNs),
    ownerSwitches: sum((l) => l.ownerSwitches),
    futexWaits: sum((l) => l.futexWaits),
    futexWakes: sum((l) => l.futexWakes),
  };
}

export function waitTimeline(time: VirtualTime, end: Ns): WaitTimeline {
  const { widthNs, waits } = time.timeline.read(end);
  return {
    widthNs,
    locks: waits[WAITS_FOR_LOCK]!,
    kernelLocks: waits[WAITS_FOR_KERNEL_LOCK]!,
    processors: waits[WAITS_FOR_PROCESSOR]!,
    otherThreads: waits[WAITS_FOR_THREAD]!,
  };
}

export interface CallCounts {
  readonly processors?: ProcessorsResult;
  readonly allocations: number;
  readonly frees: number;
  readonly crossThreadFrees: number;
  readonly operationTotals: ArrayLike<number>;
}

export function concurrencyResult(
  threads: readonly ThreadResult[],
  timeline: WaitTimeline | null,
  locks: readonly LockResult[],
  calls: CallCounts,
): ConcurrencyResult {
  const total = calls.allocations + calls.frees;
  const own = totalOf(locks.filter((lock) => lock.name !== 'mmap_lock'));
  const share = (part: number, whole: number) => (whole === 0 ? 1 : 1 - part / whole);
  return {
    ...(calls.processors && { processors: calls.processors }),
    threads,
    timeline,
    allocations: calls.allocations,
    frees: calls.frees,
    crossThreadFrees: calls.crossThreadFrees,
    threadCacheHitRate: Math.max(0, share(calls.operationTotals[OP_SLOW_CALLS]!, total)),
    lockHitRate: share(own.contended + own.failedTries, own.acquisitions + own.failedTries),
    operations: Object.fromEntries(OPERATIONS.map((name, i) => [name, calls.operationTotals[i]!])) as Record<
      Operation,
      number
    >,
  };
}

import type { ThreadSlot } from '../contract/allocator.ts';
import type { LockId } from '../contract/locks.ts';
import type { LockTable } from './lock-table.ts';
import type { Scheduler } from './scheduling.ts';
import type { VirtualTime } from './virtual-time.ts';

const NOWHERE = 0;
const SPINS = 1;
const HAS_IT = 2;

/**
 * The kernel's spin locks (qspinlock, kernel/locking/qspinlock.c): first come, first served. Who waits spins on its processor, which it keeps. The line is the
 * caller's to fetch.
 */
export interface SpinLocks {
  /** By thread: 0, or it waits for one. */
  readonly stage: Uint8Array;
  /** `t`, at its clock, wants the lock; it has it when its stage is 0 again. */
  acquire(t: ThreadSlot, id: LockId): void;
  /** `t`, at its clock, gives it to the first of those who wait. */
  release(t: ThreadSlot, id: LockId): void;
  step(t: ThreadSlot): void;
}

export function createSpinLocks(time: VirtualTime, table: LockTable, scheduler: () => Scheduler): SpinLocks {
  const { threads, clocks, processor, isTimedInKernel, kernelNs, spinNs } = time;
  const { keep, also } = time.beginning;
  const { owner } = table;
  const stage = keep(new Uint8Array(threads));
  const stageLock = keep(new Int32Array(threads));
  const queues = new Map<LockId, ThreadSlot[]>();
  also(() => queues.clear());

  function acquire(t: ThreadSlot, id: LockId): void {
    if (owner[id]! < 0) {
      table.hand(t, id);
      return;
    }
    table.beginWait(t, id, clocks[t]!, scheduler().processorNs(t, clocks[t]!));
    let queue = queues.get(id);
    if (queue === undefined) queues.set(id, (queue = []));
    queue.push(t);
    isTimedInKernel[t] = 1;
    stage[t] = SPINS;
    stageLock[t] = id;
    clocks[t] = Infinity;
  }

  function release(t: ThreadSlot, id: LockId): void {
    table.give(t, id);
    const heir = queues.get(id)?.shift();
    if (heir === undefined) return;
    const at = table.useLine(id, processor[heir]!, clocks[t]!);
    stage[heir] = HAS_IT;
    clocks[heir] = at;
    table.hand(heir, id); // at once: nobody may come between
    scheduler().setClock(heir, at);
  }

  function step(t: ThreadSlot): void {
    const before = spinNs[t]!;
    table.endWait(t, stageLock[t]!, clocks[t]!, scheduler().processorNs(t, clocks[t]!));
    kernelNs[t]! += spinNs[t]! - before;
    isTimedInKernel[t] = 0;
    stage[t] = NOWHERE;
  }

  return { stage, acquire, release, step };
}

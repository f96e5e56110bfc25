import type { ThreadSlot } from '../contract/allocator.ts';
import type { LockId } from '../contract/locks.ts';
import type { Ns } from '../contract/units.ts';
import type { LockTable } from './lock-table.ts';
import type { Scheduler } from './scheduling.ts';
import type { VirtualTime } from './virtual-time.ts';

const NOWHERE = 0;
const SPINS = 1; // a writer in the queue of those who spin (osq)
const LOOKS = 2; // the first of them, where something has changed
const SLEEPS = 3; // in the wait_list
const WOKEN = 4; // a writer there that tries for itself when it runs
const SPINS_ON_OWNER = 5; // the first writer there, once it has asked for the handoff
const HAS_IT = 6; // a reader there that was granted it

/** RWSEM_WAIT_TIMEOUT, DIV_ROUND_UP(HZ, 250) ticks: a waiter that has slept for longer asks for the handoff. */
const timeoutNs = (hz: number): Ns => (Math.ceil(hz / 250) * 1e9) / hz;
/** rwsem_rspin_threshold(): so long a writer spins while readers have it, and half a microsecond more for each, up to 30. */
const READER_SPIN_NS = 10_000;
const READER_SPIN_EACH_NS = 500;
const READERS_COUNTED = 30;
const MAX_READERS_WAKEUP = 256;

/**
 * mmap_lock, a reader-writer semaphore (kernel/locking/rwsem.c of 6.1 and later). The line of its count is the caller's to fetch.
 *
 *   writer   free ──► has it
 *            taken ─► spins (osq, the first looks) ──► has it
 *                          │ somebody needs its processor; readers for too long
 *                          ▼
 *            wait_list ──► sleeps ◄──► is woken, tries ──► has it
 *                                       │ in vain, for longer than the timeout: HANDOFF, nobody else takes it
 *                                       └► spins on the owner
 *   reader   beside readers, or free ──► has it
 *            else wait_list ──► sleeps ──► is woken with it, and all other readers there
 *
 * Whoever leaves it free wakes the first of the wait_list, whether somebody spins or not: a writer has no right to it then. Its wait_lock
 * is left out.
 */
export interface RwSemaphore {
  /** By thread: 0, or it is on its way through the lock. */
  readonly stage: Uint8Array;
  /** `t`, at its clock, wants the lock as a writer; it has it when its stage is 0 again. */
  downWrite(t: ThreadSlot, id: LockId): void;
  upWrite(t: ThreadSlot, id: LockId): void;
  downRead(t: ThreadSlot, id: LockId): void;
  upRead(t: ThreadSlot): void;
  /** downgrade_write(): from a writer to a reader; readers that come first in the wait_list have it too. */
  downgrade(t: ThreadSlot, id: LockId): void;
  /** Whether a writer could have it at once. */
  isFree(): boolean;
  /** Whether nobody waits for it. */
  isQuiet(): boolean;
  step(t: ThreadSlot): void;
  resumed(t: ThreadSlot): void;
}

/** There is one in a run, mmap_lock. */
export function createRwSemaphore(time: VirtualTime, table: LockTable, scheduler: () => Scheduler): RwSemaphore {
  const { threads, clocks, processor, topology, isTimedInKernel, kernelNs, spinNs, spinsInKernel } = time;
  const { keep, also } = time.beginning;
  const { transferNs } = topology;
  const { owner } = table;
  const waitTimeoutNs = timeoutNs(time.hz);
  const stage = keep(new Uint8Array(threads));
  const wantsToRead = keep(new Uint8Array(threads));
  const waitsFrom = keep(new Float64Array(threads)); // in the wait_list
  const sleepFrom = keep(new Float64Array(threads));
  const spinsTo = keep(new Float64Array(threads)); // while readers have it; Infinity: they have not had it
  const osq: ThreadSlot[] = [];
  const waitList: ThreadSlot[] = [];
  let lock: LockId = 0;
  let readers = 0;
  let handoff = false; // RWSEM_FLAG_HANDOFF: asked for by the first of the wait_list
  let isNonspinnable = false; // RWSEM_NONSPINNABLE
  also(() => {
    osq.length = 0;
    waitList.length = 0;
    lock = 0;
    readers = 0;
    handoff = false;
    isNonspinnable = false;
  });

  const isFree = (): boolean => readers === 0 && owner[lock]! < 0;

  function begins(t: ThreadSlot): void {
    isTimedInKernel[t] = 1;
    table.beginWait(t, lock, clocks[t]!, scheduler().processorNs(t, clocks[t]!));
  }

  function ends(t: ThreadSlot): void {
    stage[t] = NOWHERE;
    isTimedInKernel[t] = 0;
    spinsInKernel[t] = 0;
    const before = spinNs[t]!;
    table.endWait(t, lock, clocks[t]!, scheduler().processorNs(t, clocks[t]!));
    kernelNs[t]! += spinNs[t]! - before;
  }

  function spins(t: ThreadSlot, how: typeof SPINS | typeof SPINS_ON_OWNER, until: Ns): void {
    stage[t] = how;
    spinsInKernel[t] = 1;
    clocks[t] = until;
  }

  function sleeps(t: ThreadSlot): void {
    stage[t] = SLEEPS;
    spinsInKernel[t] = 0;
    sleepFrom[t] = clocks[t]!;
    scheduler().sleep(t);
  }

  /** A writer that waits has it. */
  function takes(t: ThreadSlot): void {
    clocks[t] = table.useLine(lock, processor[t]!, clocks[t]!);
    ends(t);
    isNonspinnable = false;
    clocks[t] = table.take(t, lock, clocks[t]!);
  }

  function downWrite(t: ThreadSlot, id: LockId): void {
    lock = id;
    if (isFree() && !handoff && (waitList.length === 0 || osq.length === 0)) {
      isNonspinnable = false;
      clocks[t] = table.take(t, id, clocks[t]!);
      return;
    }
    wantsToRead[t] = 0;
    begins(t);
    // rwsem_can_spin_on_owner(): an owner always runs, in the kernel.
    if (isNonspinnable || scheduler().mustLeave(t)) {
      waits(t);
      return;
    }
    spinsTo[t] = Infinity;
    osq.push(t);
    if (osq[0] === t) looks(t);
    else spins(t, SPINS, Infinity);
  }

  /** rwsem_optimistic_spin(): the first of the queue looks. */
  function looks(t: ThreadSlot): void {
    const at = clocks[t]!;
    if (isFree() && !handoff) {
      takes(t);
      leavesQueue(t, at);
      return;
    }
    if (readers === 0) spinsTo[t] = Infinity;
    else if (isNonspinnable) {
      stopsSpinning(t);
      return;
    } else if (spinsTo[t] === Infinity) {
      spinsTo[t] = at + READER_SPIN_NS + READER_SPIN_EACH_NS * Math.min(readers, READERS_COUNTED);
    }
    spins(t, SPINS, spinsTo[t]!);
  }

  /** osq_unlock(): the next one begins to look. */
  function leavesQueue(t: ThreadSlot, at: Ns): void {
    const place = osq.indexOf(t);
    osq.splice(place, 1);
    if (place === 0) tellSpinner(processor[t]!, at);
  }

  /** The first of those who spin sees a change, made on processor `p`. */
  function tellSpinner(p: number, at: Ns): void {
    const first = osq[0];
    if (first === undefined || stage[first] !== SPINS) return;
    stage[first] = LOOKS;
    scheduler().setClock(first, at + transferNs(p, processor[first]!));
  }

  function stopsSpinning(t: ThreadSlot): void {
    leavesQueue(t, clocks[t]!);
    waits(t);
  }

  /** The slow path: `t` joins the wait_list, where readers sleep and writers try. */
  function waits(t: ThreadSlot): void {
    waitsFrom[t] = clocks[t]!;
    waitList.push(t);
    // rwsem_cond_wake_waiter()
    if (waitList[0] !== t && owner[lock]! < 0) wakeFirst(t, readers === 0);
    if (wantsToRead[t] === 1) sleeps(t);
    else triesToWrite(t);
  }

  /** rwsem_try_write_lock() of a writer in the wait_list, which sleeps where it fails. */
  function triesToWrite(t: ThreadSlot): void {
    const isFirst = waitList[0] === t;
    if (isFree() && (isFirst || !handoff)) {
      handoff = false;
      waitList.splice(waitList.indexOf(t), 1);
      takes(t);
      return;
    }
    if (!isFree() && clocks[t]! - waitsFrom[t]! > waitTimeoutNs) handoff = true;
    if (handoff && isFirst && owner[lock]! >= 0 && !scheduler().mustLeave(t)) spins(t, SPINS_ON_OWNER, Infinity);
    else sleeps(t);
  }

  function upWrite(t: ThreadSlot, id: LockId): void {
    table.give(t, id);
    leftFree(t);
  }

  function downRead(t: ThreadSlot, id: LockId): void {
    lock = id;
    // Beside other readers only where nobody waits; alone it may pass those who do (optimistic lock stealing).
    const mayTake = readers === 0 ? !handoff : waitList.length === 0;
    if (owner[id]! < 0 && mayTake) {
      readers++;
      table.share(id);
      if (readers === 1) wakeFirst(t, false);
      return;
    }
    wantsToRead[t] = 1;
    begins(t);
    waits(t);
  }

  function upRead(t: ThreadSlot): void {
    readers--;
    if (readers === 0) leftFree(t);
  }

  function downgrade(t: ThreadSlot, id: LockId): void {
    table.give(t, id);
    readers++;
    wakeFirst(t, false);
    tellSpinner(processor[t]!, clocks[t]!);
  }

  /** rwsem_wake() */
  function leftFree(t: ThreadSlot): void {
    const at = clocks[t]!;
    if (waitList.length > 0) {
      isNonspinnable = false;
      wakeFirst(t, true);
    }
    tellSpinner(processor[t]!, at);
  }

  /** rwsem_mark_wake(): a writer, if it may be one, or all readers, with the lock. */
  function wakeFirst(waker: ThreadSlot, mayBeWriter: boolean): void {
    const first = waitList[0];
    if (first === undefined) return;
    if (wantsToRead[first] === 0) {
      if (mayBeWriter) wakeWriter(waker, first);
      return;
    }
    handoff = false;
    let woken = 0;
    for (let i = 0; i < waitList.length && woken < MAX_READERS_WAKEUP; ) {
      if (wantsToRead[waitList[i]!] === 0) {
        i++;
        continue;
      }
      const t = waitList.splice(i, 1)[0]!;
      woken++;
      readers++;
      table.share(lock);
      wakeUp(waker, t, HAS_IT);
    }
  }

  function wakeWriter(waker: ThreadSlot, t: ThreadSlot): void {
    if (stage[t] === SLEEPS) wakeUp(waker, t, WOKEN);
    else if (stage[t] === SPINS_ON_OWNER) {
      stage[t] = WOKEN; // it sees that there is no owner
      scheduler().setClock(t, clocks[waker]! + transferNs(processor[waker]!, processor[t]!));
    }
  }

  function wakeUp(waker: ThreadSlot, t: ThreadSlot, as: typeof WOKEN | typeof HAS_IT): void {
    const at = clocks[waker]!;
    stage[t] = as;
    table.slept(t, sleepFrom[t]!, at);
    clocks[waker] = at + scheduler().wake(t, waker, at);
  }

  function resumed(t: ThreadSlot): void {
    time.inKernel[t] = 1;
  }

  function step(t: ThreadSlot): void {
    if (stage[t] === HAS_IT) ends(t);
    else if (stage[t] === LOOKS) looks(t);
    else if (stage[t] === WOKEN) triesToWrite(t);
    else if (stage[t] === SPINS_ON_OWNER)
      sleeps(t); // need_resched()
    else {
      if (osq[0] === t && clocks[t]! >= spinsTo[t]!) isNonspinnable = true;
      stopsSpinning(t);
    }
  }

  return {
    stage,
    downWrite,
    upWrite,
    downRead,
    upRead,
    downgrade,
    isFree,
    isQuiet: () => osq.length === 0 && waitList.length === 0,
    step,
    resumed,
  };
}

import type { ThreadSlot } from '../contract/allocator.ts';
import type { LockId } from '../contract/locks.ts';
import type { LockTable } from './lock-table.ts';
import type { Scheduler } from './scheduler.ts';
import type { VirtualTime } from './virtual-time.ts';

const NOWHERE = 0;
const SPINS = 1; // a writer that waits for the lock on its processor
const SEES_FREE = 2;
const SLEEPS = 3;
const HAS_IT = 4; // granted while it slept

/** RWSEM_WAIT_TIMEOUT: whoever has waited for so long gets the lock next (handoff). */
const HANDOFF_NS = 4_000_000;
/** rwsem_rspin_threshold(): so long a writer spins while readers have it, and half a microsecond more for each, up to 30. */
const READER_SPIN_NS = 10_000;
const READER_SPIN_EACH_NS = 500;
const READERS_COUNTED = 30;

/**
 * mmap_lock, a reader-writer semaphore (kernel/locking/rwsem.c). A writer that finds it taken spins in a queue (osq) as long as nobody else needs its processor, and the
 * first of the queue takes it as soon as it is free; where readers have it, it spins only for a while. Who sleeps is woken when nobody
 * spins: a writer alone, readers together. Everybody, readers too, changes the one count: its line goes from processor to processor.
 */
export interface RwSemaphore {
  /** By thread: 0, or it is on its way through the lock. */
  readonly stage: Uint8Array;
  /** `t`, at its clock, wants the lock as a writer; it has it when its stage is 0 again. */
  downWrite(t: ThreadSlot, id: LockId): void;
  upWrite(t: ThreadSlot, id: LockId): void;
  downRead(t: ThreadSlot, id: LockId): void;
  upRead(t: ThreadSlot, id: LockId): void;
  /** Whether a writer could have it at once. */
  isFree(): boolean;
  /** Whether nobody waits for it. */
  isQuiet(): boolean;
  step(t: ThreadSlot): void;
  resumed(t: ThreadSlot): void;
}

/** There is one in a run, mmap_lock. */
export function createRwSemaphore(time: VirtualTime, table: LockTable, scheduler: () => Scheduler): RwSemaphore {
  const { threads, clocks, processor, topology, kernelNs, spinNs, spinsInKernel } = time;
  const { transferNs } = topology;
  const { owner, lineAt } = table;
  const stage = new Uint8Array(threads);
  const wantsToRead = new Uint8Array(threads);
  const cameAt = new Float64Array(threads);
  const sleepFrom = new Float64Array(threads);
  const spinning: ThreadSlot[] = []; // osq
  const sleeping: ThreadSlot[] = []; // wait_list
  let lock: LockId = 0;
  let readers = 0;

  function useLine(t: ThreadSlot, id: LockId): void {
    lock = id;
    if (lineAt[id] !== processor[t]) clocks[t] = table.useLine(id, processor[t]!, clocks[t]!);
  }

  function begins(t: ThreadSlot): void {
    cameAt[t] = clocks[t]!;
    table.beginWait(t, lock, clocks[t]!, scheduler().processorNs(t, clocks[t]!));
  }

  function ends(t: ThreadSlot): void {
    stage[t] = NOWHERE;
    spinsInKernel[t] = 0;
    const before = spinNs[t]!;
    table.endWait(t, lock, clocks[t]!, scheduler().processorNs(t, clocks[t]!));
    kernelNs[t]! += spinNs[t]! - before;
  }

  function sleeps(t: ThreadSlot): void {
    // Who was woken in vain has kept its place.
    if (stage[t] === SEES_FREE) sleeping.unshift(t);
    else sleeping.push(t);
    stage[t] = SLEEPS;
    spinsInKernel[t] = 0;
    sleepFrom[t] = clocks[t]!;
    scheduler().sleep(t);
  }

  function downWrite(t: ThreadSlot, id: LockId): void {
    useLine(t, id);
    if (owner[id]! < 0 && readers === 0) {
      clocks[t] = table.take(t, id, clocks[t]!);
      return;
    }
    wantsToRead[t] = 0;
    begins(t);
    stage[t] = SPINS;
    spinsInKernel[t] = 1;
    spinning.push(t);
    const most = READER_SPIN_NS + READER_SPIN_EACH_NS * Math.min(readers, READERS_COUNTED);
    clocks[t] = readers > 0 ? clocks[t]! + most : Infinity;
  }

  function downRead(t: ThreadSlot, id: LockId): void {
    useLine(t, id);
    // Beside other readers only where nobody sleeps; alone it may pass the sleepers (optimistic lock stealing).
    if (owner[id]! < 0 && (readers === 0 || sleeping.length === 0)) {
      readers++;
      table.share(id);
      return;
    }
    wantsToRead[t] = 1;
    begins(t);
    sleeps(t);
  }

  function upWrite(t: ThreadSlot, id: LockId): void {
    useLine(t, id);
    table.give(t, id);
    next(t);
  }

  function upRead(t: ThreadSlot, id: LockId): void {
    useLine(t, id);
    readers--;
    if (readers === 0) next(t);
  }

  /** rwsem_wake(): `t` has left the lock free. */
  function next(t: ThreadSlot): void {
    const at = clocks[t]!;
    const first = sleeping[0];
    const isDue = first !== undefined && at - cameAt[first]! >= HANDOFF_NS;
    const spinner = spinning[0];
    if (spinner !== undefined && !isDue) {
      stage[spinner] = SEES_FREE;
      scheduler().setClock(spinner, at + transferNs(processor[t]!, processor[spinner]!));
      return;
    }
    if (first === undefined) return;
    if (wantsToRead[first] === 0) {
      if (isDue) table.take(first, lock, at);
      wakeUp(t, sleeping.shift()!, isDue);
      return;
    }
    for (let i = 0; i < sleeping.length; ) {
      if (wantsToRead[sleeping[i]!] === 0) i++;
      else {
        readers++;
        table.share(lock);
        wakeUp(t, sleeping.splice(i, 1)[0]!, true);
      }
    }
  }

  function wakeUp(waker: ThreadSlot, t: ThreadSlot, hasIt: boolean): void {
    const at = clocks[waker]!;
    stage[t] = hasIt ? HAS_IT : SLEEPS;
    table.slept(t, sleepFrom[t]!, at);
    clocks[waker] = at + scheduler().wake(t, waker, at);
  }

  function resumed(t: ThreadSlot): void {
    if (stage[t] === SLEEPS) stage[t] = SEES_FREE;
    time.inKernel[t] = 1;
  }

  function step(t: ThreadSlot): void {
    if (stage[t] === HAS_IT) {
      ends(t);
      return;
    }
    const place = spinning.indexOf(t);
    if (stage[t] === SEES_FREE && owner[lock]! < 0 && readers === 0) {
      clocks[t] = table.useLine(lock, processor[t]!, clocks[t]!);
      if (place >= 0) spinning.splice(place, 1);
      ends(t);
      clocks[t] = table.take(t, lock, clocks[t]!);
      return;
    }
    if (stage[t] === SEES_FREE && place >= 0) {
      // Somebody was faster: while that one runs, it spins on.
      stage[t] = SPINS;
      clocks[t] = owner[lock]! >= 0 ? Infinity : clocks[t]! + READER_SPIN_NS;
      return;
    }
    if (place >= 0) spinning.splice(place, 1);
    sleeps(t);
  }

  return {
    stage,
    downWrite,
    upWrite,
    downRead,
    upRead,
    isFree: () => readers === 0 && owner[lock]! < 0,
    isQuiet: () => spinning.length === 0 && sleeping.length === 0,
    step,
    resumed,
  };
}

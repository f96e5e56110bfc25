import type { ThreadSlot } from '../contract/allocator.ts';
import type { Ns } from '../contract/units.ts';
import type { Futexes } from './futex.ts';
import { type LockTable, SEMAPHORE } from './lock-table.ts';
import type { RwSemaphore } from './rwsem.ts';
import type { Scheduler } from './scheduling.ts';
import * as segments from './segments.ts';
import type { SpinLocks } from './spin-lock.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Plays what calls have done: segment after segment, as far as nobody else acts before. */
export interface Player {
  /** Whether the thread is in the middle of something. */
  isBusy(t: ThreadSlot): boolean;
  play(t: ThreadSlot): void;
}

export interface PlayerOptions {
  readonly time: VirtualTime;
  readonly table: LockTable;
  readonly futexes: Futexes;
  readonly rwsem: RwSemaphore;
  readonly spinLocks: SpinLocks;
  readonly scheduler: Scheduler;
  /** A mark has been reached, at the thread's clock. */
  readonly onMark: (t: ThreadSlot, about: number, argument: number) => void;
}

export function createPlayer({ time, table, futexes, rwsem, spinLocks, scheduler, onMark }: PlayerOptions): Player {
  const { ACQUIRE, DOWN_READ, DOWNGRADE, KERNEL, KIND_BITS, KIND_MASK, PUSH, RELEASE, REPEAT, UP_READ, USER } =
    segments;
  const { clocks, log, limit, processor, running, inKernel } = time;
  const { codes, ns, head, tail } = log;
  const { owner, isMarked, inKernel: ofKernel } = table;

  const hasLine = time.beginning.keep(new Uint8Array(time.threads));

  const isBusy = (t: ThreadSlot): boolean =>
    tail[t] !== 0 || futexes.stage[t] !== 0 || rwsem.stage[t] !== 0 || spinLocks.stage[t] !== 0;

  function acquire(t: ThreadSlot, id: number): void {
    if (ofKernel[id] !== 0) {
      if (ofKernel[id] === SEMAPHORE) rwsem.downWrite(t, id);
      else spinLocks.acquire(t, id);
      return;
    }
    if (owner[id]! < 0) clocks[t] = table.take(t, id, clocks[t]!);
    else futexes.wait(t, id);
  }

  function release(t: ThreadSlot, id: number): void {
    if (ofKernel[id] !== 0) {
      if (ofKernel[id] === SEMAPHORE) {
        rwsem.upWrite(t, id);
        scheduler.leftKernel(t);
      } else spinLocks.release(t, id);
      return;
    }
    const p = processor[t]!;
    table.give(t, id);
    const mark = isMarked[id]!;
    if (mark === 0) return;
    if ((mark & 2) !== 0) futexes.released(id, p, clocks[t]!);
    if ((mark & 1) !== 0) {
      isMarked[id] = mark & 2;
      futexes.wake(t, id);
    }
  }

  /** An atomic operation happens when the line is there: the segment begins once more then. */
  function waitsForLine(t: ThreadSlot, id: number): boolean {
    if (ofKernel[id] !== 0) inKernel[t] = 1;
    if (hasLine[t] === 1) {
      hasLine[t] = 0;
      return false;
    }
    const at = table.useLine(id, processor[t]!, clocks[t]!);
    if (at <= limit[0]!) {
      clocks[t] = at;
      return false;
    }
    hasLine[t] = 1;
    clocks[t] = at;
    head[t]!--;
    return true;
  }

  function begin(t: ThreadSlot, code: number, duration: Ns): void {
    const about = code >>> KIND_BITS;
    switch (code & KIND_MASK) {
      case USER:
        if (inKernel[t] === 1) {
          scheduler.leftKernel(t);
          if (running[processor[t]!] !== t) {
            head[t]!--; // it does that when it is back
            return;
          }
        }
        clocks[t]! += duration;
        break;
      case KERNEL:
        inKernel[t] = 1;
        clocks[t]! += duration;
        break;
      case ACQUIRE:
        if (waitsForLine(t, about)) return;
        acquire(t, about);
        break;
      case RELEASE:
        if (waitsForLine(t, about)) return;
        release(t, about);
        break;
      case DOWN_READ:
        if (waitsForLine(t, about)) return;
        rwsem.downRead(t, about);
        break;
      case UP_READ:
        if (waitsForLine(t, about)) return;
        rwsem.upRead(t);
        break;
      case DOWNGRADE:
        if (waitsForLine(t, about)) return;
        rwsem.downgrade(t, about);
        break;
      case REPEAT:
        if (about === 0) return;
        codes[t]![head[t]! - 1] = code - (1 << KIND_BITS);
        head[t]! -= 4;
        break;
      case PUSH:
        clocks[t] = table.useLine(about, processor[t]!, clocks[t]!);
        break;
      default:
        onMark(t, about, duration);
    }
  }

  function play(t: ThreadSlot): void {
    const p = processor[t]!;
    while (running[p] === t && clocks[t]! <= limit[0]!) {
      if (futexes.stage[t] !== 0) futexes.step(t);
      else if (rwsem.stage[t] !== 0) rwsem.step(t);
      else if (spinLocks.stage[t] !== 0) spinLocks.step(t);
      else {
        const i = head[t]!;
        if (i === tail[t]) {
          head[t] = 0;
          tail[t] = 0;
          if (inKernel[t] === 1) scheduler.leftKernel(t);
          break;
        }
        head[t] = i + 1;
        begin(t, codes[t]![i]!, ns[t]![i]!);
      }
    }
    if (running[p] === t) scheduler.moved(p);
  }

  return { isBusy, play };
}

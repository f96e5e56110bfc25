import type { ThreadSlot } from '../contract/allocator.ts';
import { assert } from '../contract/assert.ts';
import { OP_MASK, OP_THREAD_BEGIN } from '../contract/event.ts';
import type { Scheduler } from '../time/scheduling.ts';
import { KERNEL, KIND_BITS, MARK } from '../time/segments.ts';
import { MARK_BEGUN } from './calls.ts';
import { type FreeRunningOptions, STOP_DONE, STOP_TURN, type Stop } from './free-running-options.ts';
import type { ObjectWaits } from './object-waits.ts';
import type { OtherEvents } from './other-events.ts';
import { needOf, type ProgramOrder, slotOf } from './program-order.ts';

/** How threads come and go in virtual time. */
export interface ThreadLives {
  /** The main thread is there, and makes the others or wakes them at the barrier. */
  start(): void;
  /** The mark of a thread that `maker` begins or wakes has been reached. */
  beginOther(maker: ThreadSlot, t: ThreadSlot): void;
  /** The thread's first event since it exited comes next, or its very first one, at position `p`. Whether it begins: it may have to wait for a join. */
  beginThread(t: ThreadSlot, p: number): boolean;
  /** `t` has executed a fork: those that it took are gone, and those that come after it begin. */
  forked(t: ThreadSlot, fork: number): void;
  /** The turn of a thread that has executed all its events. */
  end(t: ThreadSlot): Stop;
}

export interface ThreadLivesOptions
  extends Pick<FreeRunningOptions, 'start' | 'threadsExit' | 'time' | 'locks' | 'objects'> {
  readonly order: ProgramOrder;
  readonly scheduler: Scheduler;
  /** By thread: 1 while it is alive. */
  readonly alive: Uint8Array;
  readonly waits: Pick<ObjectWaits, 'used' | 'isReady' | 'wait'>;
  readonly otherEvents: Pick<OtherEvents, 'startThread' | 'exitThread'>;
}

export function createThreadLives(options: ThreadLivesOptions): ThreadLives {
  const { start, threadsExit, order, scheduler, alive } = options;
  const { used, isReady, wait } = options.waits;
  const { startThread, exitThread } = options.otherEvents;
  const { settle } = options.locks;
  const { clocks, log, spend, costs } = options.time;
  const { threadBeginNs, threadCreateNs, threadExitNs } = costs;
  const { threads, bornAfter, takenBy } = order;
  const leaves = options.time.beginning.keep(takenBy.slice()); // by thread: the fork that still waits for its last event

  function announce(maker: ThreadSlot, others: readonly ThreadSlot[], areMade: boolean): void {
    for (const t of others) {
      if (areMade) log.appendTime(maker, KERNEL, threadCreateNs);
      log.append(maker, MARK | (MARK_BEGUN << KIND_BITS), t);
    }
  }

  function startAll(): void {
    const later = bornAfter.findIndex((fork) => fork !== 0);
    announce(0, scheduler.start(start, later < 0 ? threads : later), start === 'serial');
  }

  function beginOther(maker: ThreadSlot, t: ThreadSlot): void {
    if (start === 'serial' || bornAfter[t] !== 0) scheduler.begin(t, maker);
    else clocks[maker]! += scheduler.wake(t, maker, clocks[maker]!);
  }

  function beginThread(t: ThreadSlot, p: number): boolean {
    const isBegin = (order.records[p]! & OP_MASK) === OP_THREAD_BEGIN;
    const need = isBegin ? needOf(order, p) : 0;
    if (need !== 0 && !isReady(t, slotOf(order, p), need)) {
      wait(t, slotOf(order, p), need, options.objects.ended);
      return false;
    }
    alive[t] = 1;
    spend(t, threadBeginNs);
    startThread(t);
    settle(t);
    return true;
  }

  function forked(t: ThreadSlot, fork: number): void {
    if (fork === 0) return;
    const born: ThreadSlot[] = [];
    for (let other = 0; other < threads; other++) {
      const hasLeft = leaves[other] === 0 && alive[other] === 0;
      assert(takenBy[other] !== fork || hasLeft, 'a fork comes before something that stands before it in the trace');
      if (bornAfter[other] === fork) born.push(other);
    }
    announce(t, born, true);
  }

  function end(t: ThreadSlot): Stop {
    if (leaves[t] !== 0) {
      used(t, leaves[t]!);
      leaves[t] = 0;
      alive[t] = 0; // without having exited: it goes on in the parent
      return STOP_TURN;
    }
    if (t === 0 || alive[t] === 0) return STOP_DONE;
    if (threadsExit) {
      exitThread(t);
      return STOP_TURN;
    }
    alive[t] = 0;
    spend(t, threadExitNs);
    return STOP_TURN;
  }

  return { start: startAll, beginOther, beginThread, forked, end };
}

import type { Handle, ThreadSlot } from '../contract/allocator.ts';
import { UserError } from '../contract/assert.ts';
import * as columns from '../contract/event.ts';
import * as counters from '../contract/operations.ts';
import type { Bytes, Ns } from '../contract/units.ts';
import { createCaches } from '../time/caches.ts';
import type { Scheduler, Stop } from '../time/scheduler.ts';
import * as scheduling from '../time/scheduler.ts';
import * as blockWrites from './block-writes.ts';
import { createWriteBlock } from './block-writes.ts';
import { type CallDurations, createCalls } from './calls.ts';
import * as liveBytes from './live-bytes.ts';
import { createLiveBytes } from './live-bytes.ts';
import * as objectWaits from './object-waits.ts';
import { createObjectWaits } from './object-waits.ts';
import * as objectTable from './objects.ts';
import { createOtherEvents, type OtherEventsOptions } from './other-events.ts';
import type { ProgramOrderReader } from './program-order.ts';
import * as programOrder from './program-order.ts';
import { namesThread } from './thread-rows.ts';

export interface FreeRunningOptions
  extends Pick<
    OtherEventsOptions,
    'objects' | 'kernel' | 'allocator' | 'request' | 'touch' | 'time' | 'locks' | 'onSample'
  > {
  readonly program: ProgramOrderReader;
  readonly operations: Float64Array;
  /** `--pace replay`: a thread exits after its last event. Else it stays until the trace's `te`, with what its cache holds. */
  readonly threadsExit: boolean;
  /** `--pace recorded`: the time in the trace at which an event happened, by row; undefined for the others. */
  readonly recordedNs: ((row: number) => Ns) | undefined;
  readonly onFailure: (row: number) => void;
  /** After each event, where somebody wants to see them one by one. */
  readonly onEvent: ((row: number, op: number, handle: Handle) => void) | undefined;
}

export interface FreeRunning {
  readonly scheduler: Scheduler;
  readonly mallocs: CallDurations;
  readonly frees: CallDurations;
  /** Executes about `events` events; false when all threads are done. */
  run(events: number): boolean;
  /** Events done so far. */
  done(): number;
  /** The event that is executing, for messages. */
  row(): number;
  /** The largest sum of requested bytes of live blocks so far. */
  requestedPeakBytes(): Bytes;
  eventsOf(t: ThreadSlot): number;
}

/**
 * How far a thread may run ahead of the others with what they cannot see. Only what is counted over all threads together (the peaks,
 * samples) can tell, and it is off by no more than this.
 */
const AHEAD_NS = 20_000;
/**
 * And with calls under a lock that has long been its own. Where another thread begins to use it, or the call needs the
 * kernel after all, the order of the two is wrong by no more than this; who waits is still told by the times.
 */
const AHEAD_UNDER_LOCK_NS = 5_000;
/** Nothing stops the thread but the end of the share of events; how a run is cut into shares changes nothing in it. */
const GOES_ON = -1;

/**
 * Executes each thread's events in its own order, in virtual time (trace-format.md, free-running). What an event does
 * happens at once in the machine; what it costs moves its thread's clock.
 */
export function createFreeRunning(options: FreeRunningOptions): FreeRunning {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const { OP_FREE, OP_MALLOC, OP_MASK, OP_REQUEST_END, OP_THREAD_EXIT, OP_WRITE } = columns;
  const { createScheduler, STOP_ASLEEP, STOP_DONE, STOP_EARLY, STOP_LIMIT, STOP_SLEPT } = scheduling;
  const { OP_FAULTS, OP_SLOW_CALLS } = counters;
  const { argumentOf, isUse, needOf, slotOf } = programOrder;
  const { LARGE, LG_RECORD_WORDS, LINE_BITS, LINE_MASK, OF_OTHERS, RECORD_WORDS, SLOT_SHIFT } = programOrder;
  const { LG_ENTRY_WORDS } = objectTable;
  const { WAITER_BITS, WAITER_MASK } = objectWaits;
  const { addLive, LIVE, PEAK } = liveBytes;
  const { SMALL_BYTES } = blockWrites;
  const { program, objects, allocator, touch, time, locks, operations } = options;
  const { threadsExit, recordedNs, onFailure, onEvent } = options;
  const { order } = program;
  const { records, extra, requestFrees, requestNeeds } = order;
  const { handles, requested, ended, made, uses, last: lastUse } = objects;
  const { malloc, free, touchBlock, mallocLock, freeLock } = allocator;
  const { mallocNotLocal = malloc, freeNotLocal = free } = allocator;
  const { mallocSleepsFor = () => -1, freeSleepsFor = () => -1 } = allocator;
  const { mallocLocal = () => 0, freeLocal = () => false } = allocator;
  const { settle, isOwn, sleepsFirst, called } = locks;
  const { clocks, until, sleepNs, preempted, processor, costs } = time;
  const {
    eventNs,
    mallocNs,
    freeNs,
    threadBeginNs,
    threadExitNs,
    writeL2Ns,
    fillRateL2,
    lineTransferNs,
    wakeThreadNs,
  } = costs;
  const isPlain = recordedNs === undefined && onEvent === undefined; // nobody looks at single events
  const touches = touch !== 'none';
  const fills = touch === 'full';
  const caches = createCaches(time);
  const { pass, now, lineNs } = caches;
  const write = createWriteBlock(time, locks, caches, operations);
  const smallByteNs = 1 / fillRateL2;
  // An event whose call the thread's cache serves.
  const mallocEventNs = mallocNs + eventNs;
  const freeEventNs = freeNs + eventNs;

  const cursor = order.first.slice();
  const done = new Int32Array(order.threads); // events of each thread before the running turn
  const alive = new Uint8Array(order.threads);
  alive[0] = 1;
  const live = createLiveBytes();
  const waits = createObjectWaits(time, objects, (t, at) => scheduler.wake(t, at));
  const { isReady, makings, wait, used, isWaiting } = waits;
  const calls = createCalls(time, locks);
  const { mallocs, frees, callStart, endCall } = calls;
  const otherEvents = createOtherEvents({ ...options, order, calls, live, waits, write, alive, onFailure: failed });
  const { execute, unreadyOfRequest, startThread, exitThread } = otherEvents;
  const foreignFrees = new Uint8Array(1); // 1: a thread has freed or resized a block that another one has used
  let share = 0; // events that the running call of `run` has still to execute
  let executed = 0;
  let current = 0;
  let turnFrom = cursor[0]!; // where the running turn began
  // Of the turn as a whole: the shares into which a run is cut follow the speed of the host, and must change nothing.
  let turnEvents = 0;
  let turnStamp = 0;
  const mayBeServed = new Uint8Array(1); // 1: the thread's cache may serve its next event

  /** The event that the running thread executes, or comes to next. */
  function row(): number {
    return program.rowOf(current, done[current]! + ((cursor[current]! - turnFrom) >> LG_RECORD_WORDS));
  }

  function failed(): void {
    onFailure(row());
  }

  /** As long as no thread frees a block of another one, the lock that a thread allocates under is the only one that it takes. */
  function usesOwnLock(): boolean {
    return mallocLock !== undefined && foreignFrees[0] === 0;
  }

  /** Too far to take a lock. Looks for the limit itself: a double that is passed on becomes an object of the host's at every event. */
  function isFarAhead(t: ThreadSlot): boolean {
    return clocks[t]! > scheduler.limit[0]! + AHEAD_UNDER_LOCK_NS;
  }

  /** Whether the call takes a lock that nobody else has wanted for long, and not too far ahead. */
  function mallocIsUnderOwn(t: ThreadSlot, size: Bytes): boolean {
    if (mallocLock === undefined || usesOwnLock() || isFarAhead(t)) return false;
    return isOwn(t, mallocLock(t, size));
  }

  function freeIsUnderOwn(t: ThreadSlot, handle: Handle): boolean {
    if (freeLock === undefined || usesOwnLock() || isFarAhead(t)) return false;
    return isOwn(t, freeLock(t, handle));
  }

  function beginThread(t: ThreadSlot): void {
    alive[t] = 1;
    clocks[t]! += threadBeginNs;
    startThread(t);
    settle(t);
  }

  /** The block is freed, unless the thread's cache has taken it already; what the call takes is added. */
  function finishFree(t: ThreadSlot, q: number, handle: Handle, isServed: boolean): void {
    if (handle === 0) {
      execute(t, OP_FREE, cursor[t]!); // nothing to free, but for what ended before
      return;
    }
    let isSlow = false;
    if (!isServed) {
      const slowCalls = operations[OP_SLOW_CALLS]!;
      callStart[0] = clocks[t]!;
      freeNotLocal(t, handle);
      called(t);
      // Beyond the cache's price: it was slow, or pushed into a fastbin whose line came from another processor.
      isSlow = operations[OP_SLOW_CALLS] !== slowCalls || clocks[t] !== callStart[0];
    }
    handles[q] = 0; // not before: where free aborts the process, the block is still there
    live[LIVE]! -= objectTable.requestedOf(objects, q >> LG_ENTRY_WORDS);
    if (isSlow) {
      endCall(frees, t, freeNs);
    } else {
      frees.calls++;
      clocks[t]! += freeEventNs;
    }
  }

  /** A free of a block that another thread has made or used. As `perform`. */
  function freeOfOthers(t: ThreadSlot, p: number, isAhead: boolean): Stop | typeof GOES_ON {
    const slot = slotOf(order, p);
    const q = slot << LG_ENTRY_WORDS;
    const need = argumentOf(order, p);
    foreignFrees[0] = 1;
    if (!isReady(t, slot, need)) return isAhead ? STOP_LIMIT : wait(t, slot, need, ended);
    const handle = handles[q]!;
    const isServed = handle === 0 || freeLocal(t, handle);
    if (isAhead && !isServed && !freeIsUnderOwn(t, handle)) return STOP_LIMIT;
    if (!isServed && preempted[0] !== 0 && sleepsFirst(t, freeSleepsFor(t, handle))) return STOP_ASLEEP;
    // The block's own first line comes from another processor.
    if (lastUse[q]! >> WAITER_BITS !== processor[t]) clocks[t]! += lineTransferNs;
    clocks[t]! += lineNs(t, records[p + 1]! & LINE_MASK, now(t));
    finishFree(t, q, handle, isServed);
    cursor[t] = p + RECORD_WORDS;
    return GOES_ON;
  }

  /**
   * An event that is neither a malloc nor a free of a block of the thread's own; the cursor moves on if it happens. Returns why the thread
   * stops, or GOES_ON. Apart from `runThread`, whose code is thrown away when it first meets what was not there while it was compiled.
   */
  function perform(t: ThreadSlot, p: number, isAhead: boolean): Stop | typeof GOES_ON {
    const word = records[p]!;
    const op = word & OP_MASK;
    const slot = slotOf(order, p);
    if (op === OP_FREE) return freeOfOthers(t, p, isAhead);
    if (isAhead && op !== OP_WRITE) return STOP_LIMIT;
    const need = needOf(order, p);
    if (op === OP_WRITE) {
      const ends = makings(slot, need);
      if (uses[slot << LG_ENTRY_WORDS]! < need || ends[slot]! > clocks[t]!) {
        return isAhead ? STOP_LIMIT : wait(t, slot, need, ends);
      }
      if (ends === ended) made[slot] = ended[slot]!;
    } else if (need !== 0 && !isReady(t, slot, need)) {
      return wait(t, slot, need, ended);
    }
    if (op === OP_REQUEST_END) {
      const unready = unreadyOfRequest(t, p);
      if (unready > 0) return wait(t, requestFrees[unready - 1]!, requestNeeds[unready - 1]!, ended);
    }
    if ((word & OF_OTHERS) !== 0) {
      if (op !== OP_WRITE) foreignFrees[0] = 1;
      // The block's own first line comes from another processor.
      if (lastUse[slot << LG_ENTRY_WORDS]! >> WAITER_BITS !== processor[t]) clocks[t]! += lineTransferNs;
    }
    callStart[0] = clocks[t]!;
    execute(t, op, p);
    cursor[t] = p + RECORD_WORDS;
    if (isUse(op, slot, argumentOf(order, p))) used(t, slot);
    if (sleepNs[t]! > 0 || op !== OP_THREAD_EXIT || program.isEnd(t, p + RECORD_WORDS)) return GOES_ON;
    // The next life of this number is another thread, which sleeps until this one has left.
    clocks[t]! += wakeThreadNs;
    until[t] = clocks[t]!;
    return STOP_EARLY;
  }

  /**
   * Executes the events from `from` on that `t`'s cache serves, up to `to` at most; returns where it stopped. What it changes at each event
   * is in its own variables: a number in memory that every event adds to would be waited for. Apart from the rest, and it leaves with
   * whatever is unusual: small code is compiled soon, and is not thrown away when it meets what was not there while it was compiled.
   */
  function runServed(t: ThreadSlot, from: number, to: number): number {
    const latest = scheduler.limit[0]! + AHEAD_NS;
    const here = processor[t]!;
    const stamp = turnStamp;
    let foreign = 0;
    let at = clocks[t]!;
    let sum = live[LIVE]!;
    let peak = live[PEAK]!;
    let servedMallocs = 0;
    let p = from;
    for (; p < to && at <= latest; p += RECORD_WORDS) {
      const word = records[p]!;
      const op = word & OP_MASK;
      const slot = word >>> SLOT_SHIFT;
      const q = slot << LG_ENTRY_WORDS;
      const second = records[p + 1]!;
      if (op === OP_MALLOC) {
        const size = second >>> LINE_BITS;
        if ((lastUse[q]! & WAITER_MASK) !== 0 || size === LARGE) break;
        const handle = mallocLocal(t, size);
        if (handle === 0) break;
        handles[q] = handle;
        requested[q] = size;
        sum += size;
        if (sum > peak) peak = sum;
        at += mallocEventNs;
        if (touches && size !== 0) {
          if (size <= SMALL_BYTES) {
            const faults = operations[OP_FAULTS]!;
            touchBlock(handle, 0, size);
            at += fills ? writeL2Ns + size * smallByteNs : writeL2Ns;
            if (operations[OP_FAULTS] !== faults) {
              clocks[t] = at;
              settle(t);
              at = clocks[t]!;
            }
          } else {
            clocks[t] = at;
            write(allocator, t, handle, 0, size, fills);
            at = clocks[t]!;
          }
        }
        // The block is noted in the table. What its thread has done with the slot before, it did after all others.
        at += lineNs(t, second & LINE_MASK, stamp);
        ended[slot] = at;
        uses[q]!++;
        lastUse[q] = here << WAITER_BITS;
        servedMallocs++;
      } else if (op === OP_FREE) {
        // The own blocks are ready. They are looked at all the same, with slot 0, which always is, for when their uses ended: a look that only
        // others' blocks need would be code that was never run when the rest was compiled.
        const others = word & OF_OTHERS;
        const need = second >>> LINE_BITS;
        const user = lastUse[q]! >> WAITER_BITS;
        if (need === LARGE || uses[q]! < need || ended[others === 0 ? 0 : slot]! > at) break;
        const handle = handles[q]!;
        if (handle === 0 || !freeLocal(t, handle)) break;
        foreign |= others;
        // The block's own first line comes from another processor.
        at += others !== 0 && user !== here ? lineTransferNs : 0;
        at += lineNs(t, second & LINE_MASK, stamp);
        at += freeEventNs;
        handles[q] = 0;
        sum -= requested[q]!;
      } else {
        break;
      }
    }
    if (foreign !== 0) foreignFrees[0] = 1;
    clocks[t] = at;
    live[LIVE] = sum;
    live[PEAK] = peak;
    mallocs.calls += servedMallocs;
    frees.calls += ((p - from) >> LG_RECORD_WORDS) - servedMallocs;
    return p;
  }

  /** Executes events of `t` until its clock has passed the limit; GOES_ON where the share of events, or those at hand, are used up. */
  function runThread(t: ThreadSlot): Stop | typeof GOES_ON {
    const limit = scheduler.limit[0]!;
    const from = cursor[t]!;
    const to = Math.min(program.endOf(t, from), from + share * RECORD_WORDS);
    let p = from;
    let stop: Stop | typeof GOES_ON = GOES_ON;
    let isServed = mayBeServed[0] !== 0;
    current = t;
    turnFrom = from;
    while (p < to) {
      if (isPlain && isServed) {
        p = runServed(t, p, to);
        if (p >= to) break;
      }
      const word = records[p]!;
      const op = word & OP_MASK;
      cursor[t] = p;
      isServed = false;
      if (alive[t] === 0 && namesThread(op)) {
        beginThread(t);
        if (clocks[t]! <= limit && sleepNs[t] === 0) continue;
        stop = sleepNs[t] === 0 ? STOP_LIMIT : STOP_SLEPT;
        break;
      }
      if (recordedNs !== undefined) {
        const due = recordedNs(row());
        if (due > clocks[t]!) {
          until[t] = due;
          stop = STOP_EARLY;
          break;
        }
      }
      // Past the limit only what no other thread can tell the time of, or under a lock that no other one would find taken.
      const isAhead = clocks[t]! > limit;
      if (isAhead && clocks[t]! > limit + AHEAD_NS) {
        stop = STOP_LIMIT;
        break;
      }
      const slot = word >>> SLOT_SHIFT;
      const q = slot << LG_ENTRY_WORDS;
      if (op === OP_MALLOC) {
        const argument = records[p + 1]! >>> LINE_BITS;
        const size = argument === LARGE ? extra[p >> LG_RECORD_WORDS]! >>> 0 : argument;
        let handle = mallocLocal(t, size);
        let isSlow = false;
        isServed = handle !== 0;
        if (!isServed) {
          if (isAhead && !mallocIsUnderOwn(t, size)) {
            stop = STOP_LIMIT;
            break;
          }
          if (preempted[0] !== 0 && sleepsFirst(t, mallocSleepsFor(t, size))) {
            stop = STOP_ASLEEP;
            break;
          }
          const slowCalls = operations[OP_SLOW_CALLS]!;
          callStart[0] = clocks[t]!;
          handle = mallocNotLocal(t, size);
          called(t);
          isSlow = operations[OP_SLOW_CALLS] !== slowCalls;
        }
        if (isSlow) {
          endCall(mallocs, t, mallocNs);
        } else {
          mallocs.calls++;
          clocks[t]! += mallocEventNs;
        }
        handles[q] = handle;
        requested[q] = size;
        if (handle === 0) {
          failed();
        } else {
          addLive(live, size);
          if (touches && size !== 0) {
            if (size <= SMALL_BYTES && !isSlow) {
              const faults = operations[OP_FAULTS]!;
              touchBlock(handle, 0, size);
              clocks[t]! += fills ? writeL2Ns + size * smallByteNs : writeL2Ns;
              if (operations[OP_FAULTS] !== faults) settle(t);
            } else write(allocator, t, handle, 0, size, fills);
          }
        }
        // The block is noted in the table.
        clocks[t]! += lineNs(t, records[p + 1]! & LINE_MASK, now(t));
        used(t, slot);
      } else if (op === OP_FREE && (word & OF_OTHERS) === 0) {
        const handle = handles[q]!;
        isServed = handle === 0 || freeLocal(t, handle);
        if (isAhead && !isServed && !freeIsUnderOwn(t, handle)) {
          stop = STOP_LIMIT;
          break;
        }
        if (!isServed && preempted[0] !== 0 && sleepsFirst(t, freeSleepsFor(t, handle))) {
          stop = STOP_ASLEEP;
          break;
        }
        clocks[t]! += lineNs(t, records[p + 1]! & LINE_MASK, now(t));
        finishFree(t, q, handle, isServed);
      } else {
        stop = perform(t, p, isAhead);
        isServed = true;
        if (cursor[t] === p) break;
      }
      if (onEvent !== undefined) onEvent(row(), op, handles[q] ?? 0);
      p += RECORD_WORDS;
      if (sleepNs[t]! > 0) stop = STOP_SLEPT;
      if (stop !== GOES_ON) break;
    }
    mayBeServed[0] = isServed ? 1 : 0;
    const count = (p - from) >> LG_RECORD_WORDS;
    turnEvents += count;
    executed += count;
    share -= count;
    done[t]! += count;
    cursor[t] = p;
    turnFrom = p;
    return stop;
  }

  /** The turn of a thread that has executed all its events. */
  function end(t: ThreadSlot): Stop {
    if (t === 0 || alive[t] === 0) return STOP_DONE;
    if (threadsExit) {
      exitThread(t);
      if (sleepNs[t]! > 0) return STOP_SLEPT;
    } else {
      alive[t] = 0;
      clocks[t]! += threadExitNs;
    }
    return STOP_DONE;
  }

  // What the allocator did when it was made, before the first event, is no part of the run.
  settle(0);
  clocks[0] = 0;
  const scheduler = createScheduler(time, locks);
  scheduler.start();

  /** The thread that has not ended its turn, because the share or what was at hand of its events is used up: it goes on where it was, or -1. */
  let paused = -1;

  function nextTurn(): ThreadSlot | -1 {
    const t = scheduler.turn();
    if (t >= 0) {
      turnStamp = now(t);
      mayBeServed[0] = alive[t]!;
    }
    if (t >= 0 && usesOwnLock() && isOwn(t, mallocLock!(t, 1))) scheduler.limit[0]! += AHEAD_UNDER_LOCK_NS;
    return t;
  }

  function run(events: number): boolean {
    share = events;
    while (share > 0) {
      const t = paused >= 0 ? paused : nextTurn();
      paused = -1;
      if (t < 0) {
        if (scheduler.unfinished() > 0) throw stuck();
        return false;
      }
      const p = program.next(t, cursor[t]!);
      if (p > 0) cursor[t] = p;
      let stop = p > 0 ? runThread(t) : end(t);
      if (stop === GOES_ON && program.isEnd(t, cursor[t]!)) stop = STOP_LIMIT;
      if (stop === GOES_ON) {
        paused = t;
        continue;
      }
      pass(t, turnEvents);
      turnEvents = 0;
      scheduler.stopped(t, stop);
    }
    return true;
  }

  /** All that are left wait for each other: says who waits for whose event. */
  function stuck(): UserError {
    const lines: string[] = [];
    for (let t = 0; t < order.threads && lines.length < 8; t++) {
      if (isWaiting(t)) {
        lines.push(
          `event ${program.rowOf(t, done[t]!)} of thread ${order.ids[t]!} waits for an earlier use of its object`,
        );
      }
    }
    return new UserError(`the threads wait for each other for ever: ${lines.join('; ')}`);
  }

  return {
    scheduler,
    mallocs,
    frees,
    run,
    done: () => executed,
    row,
    requestedPeakBytes: () => live[PEAK]!,
    eventsOf: (t) => done[t]!,
  };
}

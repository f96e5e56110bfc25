import type { Handle, ThreadSlot } from '../contract/allocator.ts';
import { UserError } from '../contract/assert.ts';
import * as columns from '../contract/event.ts';
import * as counters from '../contract/operations.ts';
import type { Start } from '../contract/start.ts';
import type { Bytes, Ns } from '../contract/units.ts';
import { createCaches } from '../time/caches.ts';
import { createPlayer } from '../time/player.ts';
import type { Scheduler } from '../time/scheduler.ts';
import { createScheduler } from '../time/scheduler.ts';
import { KERNEL, KIND_BITS, MARK } from '../time/segments.ts';
import * as blockWrites from './block-writes.ts';
import { createWriteBlock } from './block-writes.ts';
import { type CallDurations, createCalls, MARK_BEGUN, MARK_FREE, MARK_MALLOC, MARK_USED } from './calls.ts';
import * as liveBytes from './live-bytes.ts';
import { createLiveBytes } from './live-bytes.ts';
import * as objectWaits from './object-waits.ts';
import { AHEAD_NS, createObjectWaits } from './object-waits.ts';
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
  readonly start: Start;
  readonly operations: Float64Array;
  /** `--pace replay`: a thread exits after its last event. Else it stays until the trace's `te`, with what its cache holds. */
  readonly threadsExit: boolean;
  /** As in interpreter.ts. */
  readonly endsEarly: boolean;
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
  /** The time of the thread that executes. */
  nowNs(): Ns;
  /** The largest sum of requested bytes of live blocks so far. */
  requestedPeakBytes(): Bytes;
  eventsOf(t: ThreadSlot): number;
}

/** Why a thread stops. */
const GOES_ON = 0; // nothing stops it but the end of the share of events; how a run is cut into shares changes nothing in it
const STOP_TURN = 1; // others may act before, or what it has done has to be played
const STOP_UNTIL = 2; // its next event is not due before a time
const STOP_DONE = 3;
type Stop = 0 | 1 | 2 | 3;

/**
 * Executes each thread's events in its own order, in virtual time (trace-format.md, free-running). What an event does
 * happens at once in the machine; what it costs moves its thread's clock, or is logged and played (player.ts).
 */
export function createFreeRunning(options: FreeRunningOptions): FreeRunning {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const { OP_FREE, OP_MALLOC, OP_MASK, OP_REQUEST_END, OP_WRITE } = columns;
  const { OP_FAULTS, OP_SLOW_CALLS } = counters;
  const { argumentOf, isUse, needOf, slotOf } = programOrder;
  const { LG_RECORD_WORDS, OF_OTHERS, RECORD_WORDS, SLOT_SHIFT } = programOrder;
  const { LG_ENTRY_WORDS } = objectTable;
  const { WAITER_BITS, WAITER_MASK } = objectWaits;
  const { addLive, LIVE, PEAK } = liveBytes;
  const { SMALL_BYTES } = blockWrites;
  const { program, objects, allocator, touch, time, locks, operations } = options;
  const { threadsExit, recordedNs, onFailure, onEvent } = options;
  const { order } = program;
  const { records, requestFrees, requestNeeds } = order;
  const { handles, requested, ended, made, uses, last: lastUse } = objects;
  const { malloc, free, touchBlock } = allocator;
  const { mallocNotLocal = malloc, freeNotLocal = free } = allocator;
  const { mallocLocal = () => 0, freeLocal = () => false } = allocator;
  const { settle, leeway, futexes, rwsem, table } = locks;
  const { clocks, limit, log, processor, running, costs, spend, topology } = time;
  const { tail } = log;
  const { transferNs } = topology;
  const { eventNs, mallocNs, freeNs, threadBeginNs, threadCreateNs, threadExitNs, writeL2Ns, fillRateL2 } = costs;
  const isPlain = recordedNs === undefined && onEvent === undefined; // nobody looks at single events
  const touches = touch !== 'none';
  const fills = touch === 'full';
  const caches = createCaches(time);
  const { pass } = caches;
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
  const scheduler: Scheduler = createScheduler(time, (t, at) => {
    if (futexes.stage[t] !== 0) futexes.resumed(t, at);
    else if (rwsem.stage[t] !== 0) rwsem.resumed(t);
  });
  locks.runOn(scheduler);
  const waits = createObjectWaits(time, objects, () => scheduler);
  const { isReady, makings, wait, used, usedNow, isWaiting } = waits;
  const calls = createCalls(time, locks);
  const { mallocs, frees, beginCall, endCall, reached } = calls;
  const { isBusy, play } = createPlayer({
    time,
    table,
    futexes,
    rwsem,
    scheduler,
    onMark: (t, mark, argument) => {
      if (mark === MARK_USED) usedNow(t, argument);
      else if (mark === MARK_BEGUN) beginOther(t, argument);
      else reached(mark, t);
    },
  });
  const otherEvents = createOtherEvents({ ...options, order, calls, live, waits, write, alive, onFailure: failed });
  const { execute, unreadyOfRequest, startThread, exitThread } = otherEvents;
  let share = 0; // events that the running call of `run` has still to execute
  let executed = 0;
  let current = 0;
  let turnFrom = cursor[0]!; // where the running turn began
  let turnEvents = 0; // of the turn as a whole: the shares into which a run is cut follow the speed of the host, and must change nothing
  let dueNs = 0; // when the next event of the thread that stopped with STOP_UNTIL is due
  const mayBeServed = new Uint8Array(1); // 1: the thread's cache may serve its next event

  /** The event that the running thread executes, or comes to next. */
  function row(): number {
    return program.rowOf(current, done[current]! + ((cursor[current]! - turnFrom) >> LG_RECORD_WORDS));
  }

  function failed(): void {
    onFailure(row());
  }

  /** Too far ahead of the others for a call that its cache does not serve. */
  function isFarAhead(t: ThreadSlot): boolean {
    return clocks[t]! > limit[0]! + leeway[t]!;
  }

  /** The main thread has made another one, or wakes it. */
  function beginOther(main: ThreadSlot, t: ThreadSlot): void {
    if (options.start === 'serial') scheduler.begin(t, main);
    else clocks[main]! += scheduler.wake(t, main, clocks[main]!);
  }

  function beginThread(t: ThreadSlot): void {
    alive[t] = 1;
    spend(t, threadBeginNs);
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
      const from = clocks[t]!;
      beginCall(t);
      freeNotLocal(t, handle);
      // Beyond the cache's price: it was slow, or pushed into a fastbin whose line came from another processor.
      isSlow = operations[OP_SLOW_CALLS] !== slowCalls || clocks[t] !== from || tail[t] !== 0;
    }
    handles[q] = 0; // not before: where free aborts the process, the block is still there
    live[LIVE]! -= objectTable.requestedOf(objects, q >> LG_ENTRY_WORDS);
    if (isSlow) {
      endCall(MARK_FREE, t, freeNs);
    } else {
      frees.calls++;
      clocks[t]! += freeEventNs;
    }
  }

  /** The first line of a block comes from the processor that used it last. */
  function fetchBlock(t: ThreadSlot, q: number): void {
    const from = lastUse[q]! >> WAITER_BITS;
    if (from !== processor[t]) clocks[t]! += transferNs(from, processor[t]!);
  }

  /** A free of a block that another thread has made or used. As `perform`. */
  function freeOfOthers(t: ThreadSlot, p: number, isAhead: boolean): Stop {
    const slot = slotOf(order, p);
    const q = slot << LG_ENTRY_WORDS;
    const need = argumentOf(order, p);
    if (!isReady(t, slot, need)) {
      if (!isAhead) wait(t, slot, need, ended);
      return STOP_TURN;
    }
    const handle = handles[q]!;
    const isServed = handle === 0 || freeLocal(t, handle);
    if (isAhead && !isServed && isFarAhead(t)) return STOP_TURN;
    fetchBlock(t, q);
    finishFree(t, q, handle, isServed);
    cursor[t] = p + RECORD_WORDS;
    return GOES_ON;
  }

  /**
   * An event that is neither a malloc nor a free of a block of the thread's own; the cursor moves on if it happens. Returns why the thread
   * stops, or GOES_ON. Apart from `runThread`, whose code is thrown away when it first meets what was not there while it was compiled.
   */
  function perform(t: ThreadSlot, p: number, isAhead: boolean): Stop {
    const word = records[p]!;
    const op = word & OP_MASK;
    const slot = slotOf(order, p);
    if (op === OP_FREE) return freeOfOthers(t, p, isAhead);
    if (isAhead && op !== OP_WRITE) return STOP_TURN;
    const need = needOf(order, p);
    if (op === OP_WRITE) {
      const ends = makings(slot, need);
      if (uses[slot << LG_ENTRY_WORDS]! < need || ends[slot]! > clocks[t]!) {
        if (!isAhead) wait(t, slot, need, ends);
        return STOP_TURN;
      }
      if (ends === ended) made[slot] = ended[slot]!;
    } else if (need !== 0 && !isReady(t, slot, need)) {
      wait(t, slot, need, ended);
      return STOP_TURN;
    }
    if (op === OP_REQUEST_END) {
      const unready = unreadyOfRequest(t, p);
      if (unready > 0) {
        wait(t, requestFrees[unready - 1]!, requestNeeds[unready - 1]!, ended);
        return STOP_TURN;
      }
    }
    if ((word & OF_OTHERS) !== 0) fetchBlock(t, slot << LG_ENTRY_WORDS);
    execute(t, op, p);
    cursor[t] = p + RECORD_WORDS;
    if (isUse(op, slot, argumentOf(order, p))) used(t, slot);
    return GOES_ON;
  }

  /**
   * Executes the events from `from` on that `t`'s cache serves, up to `to` at most; returns where it stopped. What it changes at each event
   * is in its own variables: a number in memory that every event adds to would be waited for. Apart from the rest, and it leaves with
   * whatever is unusual: small code is compiled soon, and is not thrown away when it meets what was not there while it was compiled.
   */
  function runServed(t: ThreadSlot, from: number, to: number): number {
    let latest = limit[0]! + AHEAD_NS;
    const here = processor[t]!;
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
        const size = second >>> 0;
        if ((lastUse[q]! & WAITER_MASK) !== 0) break;
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
              if (tail[t] !== 0) latest = -1; // has to be played first
            }
          } else {
            clocks[t] = at;
            write(allocator, t, handle, 0, size, fills);
            at = clocks[t]!;
            if (tail[t] !== 0) latest = -1;
          }
        }
        // What its thread has done with the slot before, it did after all others.
        ended[slot] = at;
        uses[q]!++;
        lastUse[q] = here << WAITER_BITS;
        servedMallocs++;
      } else if (op === OP_FREE) {
        // The own blocks are ready. They are looked at all the same, with slot 0, which always is, for when their uses ended: a look that only
        // others' blocks need would be code that was never run when the rest was compiled.
        const others = word & OF_OTHERS;
        const user = lastUse[q]! >> WAITER_BITS;
        if (uses[q]! < second || ended[others === 0 ? 0 : slot]! > at) break;
        const handle = handles[q]!;
        if (handle === 0 || !freeLocal(t, handle)) break;
        // The block's own first line comes from another processor.
        if (others !== 0 && user !== here) at += transferNs(user, here);
        at += freeEventNs;
        handles[q] = 0;
        sum -= requested[q]!;
      } else {
        break;
      }
    }
    clocks[t] = at;
    live[LIVE] = sum;
    live[PEAK] = peak;
    mallocs.calls += servedMallocs;
    frees.calls += ((p - from) >> LG_RECORD_WORDS) - servedMallocs;
    return p;
  }

  /** Executes events of `t` until its clock has passed the limit, or something has to be played; GOES_ON where the share of events, or those at hand, are used up. */
  function runThread(t: ThreadSlot): Stop {
    const from = cursor[t]!;
    const to = Math.min(program.endOf(t, from), from + share * RECORD_WORDS);
    let p = from;
    let stop: Stop = GOES_ON;
    let isServed = mayBeServed[0] !== 0;
    current = t;
    turnFrom = from;
    while (p < to) {
      if (isPlain && isServed) {
        p = runServed(t, p, to);
        if (tail[t] !== 0) {
          stop = STOP_TURN;
          break;
        }
        if (p >= to) break;
      }
      const word = records[p]!;
      const op = word & OP_MASK;
      cursor[t] = p;
      isServed = false;
      if (alive[t] === 0 && namesThread(op)) {
        beginThread(t);
        if (clocks[t]! <= limit[0]! && tail[t] === 0) continue;
        stop = STOP_TURN;
        break;
      }
      if (recordedNs !== undefined) {
        const due = recordedNs(row());
        if (due > clocks[t]!) {
          dueNs = due;
          stop = STOP_UNTIL;
          break;
        }
      }
      // Past the limit only what no other thread can tell the time of, or a little.
      const isAhead = clocks[t]! > limit[0]!;
      if (isAhead && clocks[t]! > limit[0]! + AHEAD_NS) {
        stop = STOP_TURN;
        break;
      }
      const slot = word >>> SLOT_SHIFT;
      const q = slot << LG_ENTRY_WORDS;
      if (op === OP_MALLOC) {
        const size = records[p + 1]! >>> 0;
        let handle = mallocLocal(t, size);
        let isSlow = false;
        isServed = handle !== 0;
        if (!isServed) {
          if (isAhead && isFarAhead(t)) {
            stop = STOP_TURN;
            break;
          }
          const slowCalls = operations[OP_SLOW_CALLS]!;
          beginCall(t);
          handle = mallocNotLocal(t, size);
          isSlow = operations[OP_SLOW_CALLS] !== slowCalls;
        }
        if (isSlow) {
          endCall(MARK_MALLOC, t, mallocNs);
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
          if (touches && size !== 0) write(allocator, t, handle, 0, size, fills);
        }
        used(t, slot);
      } else if (op === OP_FREE && (word & OF_OTHERS) === 0) {
        const handle = handles[q]!;
        isServed = handle === 0 || freeLocal(t, handle);
        if (isAhead && !isServed && isFarAhead(t)) {
          stop = STOP_TURN;
          break;
        }
        finishFree(t, q, handle, isServed);
      } else {
        stop = perform(t, p, isAhead);
        isServed = true;
        if (cursor[t] === p) break;
      }
      if (onEvent !== undefined) onEvent(row(), op, handles[q] ?? 0);
      p += RECORD_WORDS;
      if (tail[t] !== 0) stop = STOP_TURN;
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
      return STOP_TURN;
    }
    alive[t] = 0;
    spend(t, threadExitNs);
    return STOP_TURN;
  }

  // What the allocator did when it was made, before the first event, is no part of the run.
  settle(0);
  log.head[0] = 0;
  log.tail[0] = 0;
  clocks[0] = 0;
  for (const t of scheduler.start(options.start)) {
    if (options.start === 'serial') log.appendTime(0, KERNEL, threadCreateNs);
    log.append(0, MARK | (MARK_BEGUN << KIND_BITS), t);
  }

  /** The thread that has not ended its turn, because the share or what was at hand of its events is used up: it goes on where it was, or -1. */
  let paused = -1;

  /** The next thread that has no more to be played; -1: none has. */
  function nextTurn(): ThreadSlot | -1 {
    for (;;) {
      const p = scheduler.turn();
      if (p < 0) return -1;
      const t = running[p]!;
      if (isBusy(t)) {
        play(t);
        continue;
      }
      mayBeServed[0] = alive[t]!;
      return t;
    }
  }

  function stopped(t: ThreadSlot, stop: Stop): void {
    if (stop === STOP_DONE) scheduler.done(t);
    else if (stop === STOP_UNTIL) scheduler.sleepUntil(t, dueNs);
    else if (running[processor[t]!] !== t)
      return; // it looks for something, and let others go first
    else if (tail[t] !== 0) play(t);
    else scheduler.moved(processor[t]!);
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
      if (stop === GOES_ON && program.isEnd(t, cursor[t]!)) stop = STOP_TURN;
      if (stop === GOES_ON) {
        paused = t;
        continue;
      }
      pass(t, turnEvents);
      turnEvents = 0;
      stopped(t, stop);
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
    nowNs: () => (clocks[current]! < Infinity ? clocks[current]! : time.horizon[0]!), // one that looks has no time of its own
    requestedPeakBytes: () => live[PEAK]!,
    eventsOf: (t) => done[t]!,
  };
}

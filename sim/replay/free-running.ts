import type { ThreadSlot } from '../contract/allocator.ts';
import { UserError } from '../contract/assert.ts';
import * as columns from '../contract/event.ts';
import * as counters from '../contract/operations.ts';
import { createCaches } from '../time/caches.ts';
import { createPlayer } from '../time/player.ts';
import { createScheduler } from '../time/scheduler.ts';
import type { Scheduler } from '../time/scheduling.ts';
import { createBlockWrites } from './block-writes.ts';
import { createCalls, MARK_BEGUN, MARK_MALLOC, MARK_USED } from './calls.ts';
import {
  type FreeRunning,
  type FreeRunningOptions,
  GOES_ON,
  STOP_DONE,
  STOP_TURN,
  STOP_UNTIL,
  type Stop,
} from './free-running-options.ts';
import { createFreeing } from './freeing.ts';
import * as liveBytes from './live-bytes.ts';
import { createLiveBytes } from './live-bytes.ts';
import { AHEAD_NS, createObjectWaits } from './object-waits.ts';
import * as objectTable from './objects.ts';
import { createOtherEvents } from './other-events.ts';
import type { ProgramOrderReader } from './program-order.ts';
import * as programOrder from './program-order.ts';
import { createServedEvents } from './served-events.ts';
import { createThreadLives } from './thread-lives.ts';
import { namesThread } from './thread-rows.ts';

/** After so many turns without an event the host is let breathe: it may have heard a signal. */
const TURNS_AT_ONCE = 65_536;
const NOT_YET = -2;

/**
 * Executes each thread's events in its own order, in virtual time (trace-format.md, free-running). What an event does
 * happens at once in the machine; what it costs moves its thread's clock, or is logged and played (player.ts).
 */
export function createFreeRunning(options: FreeRunningOptions): FreeRunning {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const { OP_FORK, OP_FREE, OP_MALLOC, OP_MASK, OP_REQUEST_END, OP_WRITE } = columns;
  const { OP_SLOW_CALLS } = counters;
  const { argumentOf, isUse, needOf, slotOf } = programOrder;
  const { LG_RECORD_WORDS, OF_OTHERS, RECORD_WORDS, SLOT_SHIFT } = programOrder;
  const { LG_ENTRY_WORDS } = objectTable;
  const { addLive, PEAK } = liveBytes;
  const { program, objects, kernel, allocator, touch, time, locks, operations } = options;
  const { recorded, onFailure, onEvent, onSleep, changed } = options;
  const { order } = program;
  const { records, requestFrees, requestNeeds } = order;
  const { handles, requested, ended, made, uses } = objects;
  const { malloc } = allocator;
  const { mallocNotLocal = malloc, mallocLocal = () => 0, freeLocal = () => false } = allocator;
  const { settle, leeway, futexes, rwsem, spinLocks, table } = locks;
  const { clocks, limit, log, processor, running, costs } = time;
  const { tail } = log;
  const { eventNs, mallocNs } = costs;
  const isPlain = onEvent === undefined; // nobody looks at single events
  const touches = touch !== 'none';
  const fills = touch === 'full';
  const caches = createCaches(time);
  const { pass } = caches;
  const writes = createBlockWrites(time, locks, caches, operations);
  const { write } = writes;
  // An event whose call the thread's cache serves.
  const mallocEventNs = mallocNs + eventNs;

  const { keep, also } = time.beginning;
  const cursor = keep(order.first.slice());
  const done = keep(new Int32Array(order.threads)); // events of each thread before the running turn
  const alive = keep(new Uint8Array(order.threads));
  alive[0] = 1;
  const live = createLiveBytes(time.beginning);
  const scheduler: Scheduler = createScheduler(time, (t, at) => {
    if (futexes.stage[t] !== 0) futexes.resumed(t, at);
    else if (rwsem.stage[t] !== 0) rwsem.resumed(t);
  });
  locks.runOn(scheduler);
  const waits = createObjectWaits(time, objects, () => scheduler);
  const { isReady, makings, wait, used, usedNow, isWaiting } = waits;
  const calls = createCalls(time, locks);
  const { mallocs, frees, beginCall, endCall, reached } = calls;
  const { runServed } = createServedEvents({ ...options, writes, live, mallocs, frees });
  const { isBusy, play } = createPlayer({
    time,
    table,
    futexes,
    rwsem,
    spinLocks,
    scheduler,
    onMark: (t, mark, argument) => {
      if (mark === MARK_USED) usedNow(t, argument);
      else if (mark === MARK_BEGUN) beginOther(t, argument);
      else reached(mark, t);
    },
  });
  const otherEvents = createOtherEvents({ ...options, order, calls, live, waits, write, alive, onFailure: failed });
  const { execute, unreadyOfRequest } = otherEvents;
  const lives = createThreadLives({ ...options, order, scheduler, alive, waits, otherEvents });
  const { beginThread, beginOther, forked, end } = lives;
  const freeing = createFreeing({ ...options, cursor, live, calls, waits, execute, isFarAhead });
  const { finishFree, fetchBlock, freeOfOthers } = freeing;
  let share = 0; // events that the running call of `run` has still to execute
  let executed = 0;
  let current = 0;
  let turnFrom = cursor[0]!; // where the running turn began
  let turnEvents = 0; // of the turn as a whole: the shares into which a run is cut follow the speed of the host, and must change nothing
  let dueNs = 0; // when the next event of the thread that stopped with STOP_UNTIL is due
  const mayBeServed = keep(new Uint8Array(1)); // 1: the thread's cache may serve its next event

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
    if (op === OP_FORK) forked(t, slot);
    return GOES_ON;
  }

  /** Where before `to` the next event of the running thread lies that has a recorded time of its own; `to`: not there. */
  function timedPosition(t: ThreadSlot, to: number): number {
    const ahead = recorded!.nextEvent(t) - done[t]!;
    return ahead < (to - turnFrom) >> LG_RECORD_WORDS ? turnFrom + ahead * RECORD_WORDS : to;
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
    let timed = recorded === undefined ? to : timedPosition(t, to);
    while (p < to) {
      if (isPlain && isServed && p < timed) {
        p = runServed(t, p, timed);
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
        if (beginThread(t, p) && clocks[t]! <= limit[0]! && tail[t] === 0) continue;
        stop = STOP_TURN;
        break;
      }
      if (recorded !== undefined && p === timed) {
        const due = recorded.dueNs(t, clocks[t]!);
        if (due > clocks[t]!) {
          dueNs = due;
          stop = STOP_UNTIL;
          break;
        }
        recorded.passed(t);
        timed = timedPosition(t, to);
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
      if (onEvent !== undefined) {
        cursor[t] = p; // that of its row
        onEvent(row(), op, handles[q] ?? 0);
      }
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

  /** What the allocator did before the first event is no part of the run. */
  function begin(): void {
    settle(0);
    table.letGoOfAll();
    time.restart();
    lives.start();
  }

  /** The thread that has not ended its turn, because the share or what was at hand of its events is used up: it goes on where it was, or -1. */
  let paused = -1;
  also(() => {
    share = executed = current = turnEvents = dueNs = 0;
    turnFrom = cursor[0]!;
    paused = -1;
  });

  /** The next thread that has no more to be played; -1: none has; NOT_YET after many that had. */
  function nextTurn(): ThreadSlot | -1 | typeof NOT_YET {
    for (let played = 0; ; played++) {
      if (played === TURNS_AT_ONCE) return NOT_YET;
      const p = scheduler.turn();
      if (p < 0) return -1;
      const t = running[p]!;
      if (!isBusy(t)) {
        mayBeServed[0] = alive[t]!;
        return t;
      }
      play(t);
    }
  }

  function stopped(t: ThreadSlot, stop: Stop): void {
    if (stop === STOP_DONE) scheduler.done(t);
    else if (stop === STOP_UNTIL) {
      onSleep?.(dueNs - clocks[t]!);
      scheduler.sleepUntil(t, dueNs);
    } else if (running[processor[t]!] !== t)
      return; // it looks for something, and let others go first
    else if (tail[t] !== 0) play(t);
    else scheduler.moved(processor[t]!);
  }

  function run(events: number): boolean {
    share = events;
    while (share > 0) {
      const t = paused >= 0 ? paused : nextTurn();
      paused = -1;
      if (t === NOT_YET) return true;
      if (t < 0) {
        if (scheduler.unfinished() > 0) throw stuck(program, done, isWaiting);
        return false;
      }
      const p = program.next(t, cursor[t]!);
      if (p > 0) cursor[t] = p;
      changed?.begin(p);
      let stop = p > 0 ? runThread(t) : end(t);
      changed?.note(cursor[t]!);
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

  const nowNs = () => (clocks[current]! < Infinity ? clocks[current]! : time.horizon[0]!); // one that looks has no time of its own

  return {
    scheduler,
    mallocs,
    frees,
    begin,
    run,
    forgetWrites: () => caches.forget(kernel.residency.used),
    done: () => executed,
    row,
    nowNs,
    workEndsNs: () => nowNs() + log.pendingNs(current),
    requestedPeakBytes: () => live[PEAK]!,
    eventsOf: (t) => done[t]!,
    changedSlots: () => {
      changed?.note(cursor[current]!); // a sample may be taken in the middle of a turn
      return changed?.take();
    },
  };
}

/** All that are left wait for each other: says who waits for whose event. */
function stuck(program: ProgramOrderReader, done: Int32Array, isWaiting: (t: ThreadSlot) => boolean): UserError {
  const { threads, ids } = program.order;
  const lines: string[] = [];
  for (let t = 0; t < threads && lines.length < 8; t++) {
    if (!isWaiting(t)) continue;
    lines.push(`event ${program.rowOf(t, done[t]!)} of thread ${ids[t]!} waits for an earlier use of its object`);
  }
  return new UserError(`the threads wait for each other for ever: ${lines.join('; ')}`);
}

import type { Allocator, Handle, RequestAllocator, ThreadSlot } from '../allocator.ts';
import { UserError } from '../assert.ts';
import type { Touch } from '../event.ts';
import * as columns from '../event.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { createCaches } from '../threads/caches.ts';
import { DURATION_BUCKETS, durationBucket } from '../threads/durations.ts';
import * as counters from '../threads/operations.ts';
import type { Scheduler, Stop } from '../threads/scheduler.ts';
import * as scheduling from '../threads/scheduler.ts';
import type { VirtualLocks } from '../threads/virtual-locks.ts';
import type { VirtualTime } from '../threads/virtual-time.ts';
import type { Bytes, Ns } from '../units.ts';
import type { SharedObjectTable } from './objects.ts';
import * as objectTable from './objects.ts';
import type { ProgramOrderReader } from './program-order.ts';
import * as programOrder from './program-order.ts';
import { namesThread } from './thread-rows.ts';

export interface FreeRunningOptions {
  readonly program: ProgramOrderReader;
  readonly objects: SharedObjectTable;
  readonly kernel: Kernel;
  readonly allocator: Allocator;
  /** As in lockstep.ts. */
  readonly request: RequestAllocator | undefined;
  readonly touch: Touch;
  readonly time: VirtualTime;
  readonly locks: VirtualLocks;
  readonly operations: Float64Array;
  /** `--pace replay`: a thread exits after its last event. Else it stays until the trace's `te`, with what its cache holds. */
  readonly threadsExit: boolean;
  /** `--pace recorded`: the time in the trace at which an event happened, by row; undefined for the others. */
  readonly recordedNs: ((row: number) => Ns) | undefined;
  readonly onFailure: (row: number) => void;
  readonly onSample: (row: number, label: number, at: Ns) => void;
  /** After each event, where somebody wants to see them one by one. */
  readonly onEvent: ((row: number, op: number, handle: Handle) => void) | undefined;
}

/** Durations of calls, by bucket (durations.ts); calls that a thread's cache served are counted, not listed. */
export interface CallDurations {
  calls: number;
  slow: number;
  /** One element: as a field each double would be an object of the host's. */
  readonly longestNs: Float64Array;
  readonly counts: Int32Array;
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
/** Blocks up to this size are written at the rate of the first caches: they are used again while they are hot. */
const SMALL_BYTES = 1024;

/** Nothing stops the thread but the end of the share of events; how a run is cut into shares changes nothing in it. */
const GOES_ON = -1;

/**
 * Executes each thread's events in its own order, in virtual time (trace-format.md, free-running). What an event does
 * happens at once in the machine; what it costs moves its thread's clock.
 */
export function createFreeRunning(options: FreeRunningOptions): FreeRunning {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const {
    MALLOPT_NAMES,
    OP_CALLOC,
    OP_CLOCK,
    OP_ECALLOC,
    OP_EFREE,
    OP_EMALLOC,
    OP_EREALLOC,
    OP_FREE,
    OP_MALLOC,
    OP_MASK,
    OP_MEMALIGN,
    OP_OPT,
    OP_REALLOC,
    OP_REQUEST_BEGIN,
    OP_REQUEST_END,
    OP_SAMPLE,
    OP_THREAD_EXIT,
    OP_TRIM,
    OP_WRITE,
  } = columns;
  const { createScheduler, STOP_ASLEEP, STOP_BLOCKED, STOP_DONE, STOP_EARLY, STOP_LIMIT, STOP_SLEPT, STOP_UNTIL } =
    scheduling;
  const { OP_FAULTS, OP_SLOW_CALLS } = counters;
  const { argumentOf, isUse, needOf, secondArgumentOf, slotOf } = programOrder;
  const { LARGE, LG_RECORD_WORDS, LINE_BITS, LINE_MASK, OF_OTHERS, RECORD_WORDS, SLOT_SHIFT } = programOrder;
  const { LG_ENTRY_WORDS } = objectTable;
  const { program, objects, kernel, allocator, request, touch, time, locks, operations } = options;
  const { threadsExit, recordedNs, onFailure, onSample, onEvent } = options;
  const { order } = program;
  const { records, extra, requestFrees, requestNeeds } = order;
  const { handles, requested, ended, made, uses, last: lastUse } = objects;
  const { malloc, free, touchBlock, mallocLock, freeLock } = allocator;
  const { mallocNotLocal = malloc, freeNotLocal = free } = allocator;
  const { mallocSleepsFor = () => -1, freeSleepsFor = () => -1 } = allocator;
  const { mallocLocal = () => 0, freeLocal = () => false } = allocator;
  const { settle, settleCall, isOwn, sleepsFirst, called } = locks;
  const { clocks, until, sleepNs, preempted, processor, costs } = time;
  const {
    eventNs,
    pollLimitNs,
    mallocNs,
    freeNs,
    threadBeginNs,
    threadExitNs,
    writeL2Ns,
    fillRateL2,
    lineTransferNs,
    wakeThreadNs,
  } = costs;
  const upper = request ?? allocator;
  const isPlain = recordedNs === undefined && onEvent === undefined; // nobody looks at single events
  const touches = touch !== 'none';
  const fills = touch === 'full';
  const { fill, poke, pass, now, lineNs } = createCaches(time);
  const smallByteNs = 1 / fillRateL2;
  // An event whose call the thread's cache serves.
  const mallocEventNs = mallocNs + eventNs;
  const freeEventNs = freeNs + eventNs;

  const cursor = order.first.slice();
  const done = new Int32Array(order.threads); // events of each thread before the running turn
  const alive = new Uint8Array(order.threads);
  alive[0] = 1;
  // `last` of an object: the processor of its last use << WAITER_BITS | the thread that began last to wait for it, + 1
  const WAITER_BITS = 19;
  const WAITER_MASK = (1 << WAITER_BITS) - 1;
  if (order.threads >= WAITER_MASK) {
    throw new UserError(`found ${order.threads} threads, expected fewer than ${WAITER_MASK} in virtual time`);
  }
  const waitingFor = new Int32Array(order.threads); // object slot of a blocked thread, 0 for none
  const looksFrom = new Float64Array(order.threads); // since when it does
  const waitsFor = new Int32Array(order.threads); // and for how many uses of the object
  const nextWaiter = new Int32Array(order.threads); // another thread that waits for the same object, + 1
  const live = new Float64Array(3);
  const LIVE = 0; // requested bytes in live blocks now
  const PEAK = 1; // and at most
  const FAILURES = 2; // of calls so far
  const foreignFrees = new Uint8Array(1); // 1: a thread has freed or resized a block that another one has used
  const callStart = new Float64Array(1); // when the running call began
  let share = 0; // events that the running call of `run` has still to execute
  let executed = 0;
  let current = 0;
  let turnFrom = cursor[0]!; // where the running turn began
  // Of the turn as a whole: the shares into which a run is cut follow the speed of the host, and must change nothing.
  let turnEvents = 0;
  let turnStamp = 0;
  const mayBeServed = new Uint8Array(1); // 1: the thread's cache may serve its next event

  const mallocs: CallDurations = {
    calls: 0,
    slow: 0,
    longestNs: new Float64Array(1),
    counts: new Int32Array(DURATION_BUCKETS),
  };
  const frees: CallDurations = {
    calls: 0,
    slow: 0,
    longestNs: new Float64Array(1),
    counts: new Int32Array(DURATION_BUCKETS),
  };

  /** The running call of `t` has ended, but for the work that every call is: it is measured, then the program goes on. */
  function endCall(durations: CallDurations, t: ThreadSlot, callNs: Ns): void {
    settleCall(t);
    const end = clocks[t]! + callNs;
    const ns = end - callStart[0]!;
    clocks[t] = end + eventNs;
    durations.calls++;
    durations.slow++;
    durations.counts[durationBucket(ns)]!++;
    if (ns > durations.longestNs[0]!) durations.longestNs[0] = ns;
  }

  /** The event that the running thread executes, or comes to next. */
  function row(): number {
    return program.rowOf(current, done[current]! + ((cursor[current]! - turnFrom) >> LG_RECORD_WORDS));
  }

  function failed(): void {
    live[FAILURES]!++;
    onFailure(row());
  }

  function liveBytes(change: Bytes): void {
    const now = (live[LIVE]! += change);
    if (now > live[PEAK]!) live[PEAK] = now;
  }

  /** The program writes bytes from … to - 1 of a block. */
  function write(target: Allocator, t: ThreadSlot, handle: Handle, from: Bytes, to: Bytes, full: boolean): void {
    const before = operations[OP_FAULTS]!;
    target.touchBlock(handle, from, to);
    const faults = operations[OP_FAULTS]! - before;
    if (to - from <= SMALL_BYTES && faults === 0) {
      clocks[t]! += full ? writeL2Ns + (to - from) * smallByteNs : writeL2Ns;
      return;
    }
    const address = target.addressOf(handle) + from;
    // As integers: what the loops over them turn on.
    const first = (address / 4096) | 0;
    const last = ((address + (to - from - 1)) / 4096) | 0;
    if (faults !== 0) settle(t);
    if (full) fill(t, first, last, to - from, faults);
    else poke(t, first, last, faults);
  }

  /** Whether all uses of the object that a free or a realloc waits for have happened, and ended. */
  function isReady(t: ThreadSlot, slot: number, needed: number): boolean {
    return uses[slot << LG_ENTRY_WORDS]! >= needed && ended[slot]! <= clocks[t]!;
  }

  /** When the object that a write waits for was made: other threads may be writing to it. */
  function makings(slot: number, needed: number): Float64Array {
    return uses[slot << LG_ENTRY_WORDS] === needed ? ended : made;
  }

  /**
   * Looks for the object for a while, then gives its processor away until it is there. A thread that looks is where it will be
   * at the end of that while, unless `used` brings it back. `ends`: when the uses that it waits for end, those that have happened.
   */
  function wait(t: ThreadSlot, slot: number, needed: number, ends: Float64Array): Stop {
    if (waitingFor[t] === slot) return STOP_BLOCKED;
    const q = slot << LG_ENTRY_WORDS;
    const end = ends[slot]!;
    const gives = clocks[t]! + pollLimitNs;
    if (uses[q]! >= needed) {
      if (end <= gives) {
        clocks[t] = end;
        return STOP_LIMIT;
      }
      clocks[t] = gives;
      until[t] = end;
      return STOP_UNTIL;
    }
    waitingFor[t] = slot;
    waitsFor[t] = needed;
    looksFrom[t] = clocks[t]!;
    nextWaiter[t] = lastUse[q]! & WAITER_MASK;
    lastUse[q] = (lastUse[q]! & ~WAITER_MASK) | (t + 1);
    clocks[t] = gives;
    return STOP_LIMIT;
  }

  /** The running event has used an object. */
  function used(t: ThreadSlot, slot: number): void {
    const q = slot << LG_ENTRY_WORDS;
    const at = clocks[t]!;
    uses[q]!++;
    if (at > ended[slot]!) ended[slot] = at;
    const waiter = lastUse[q]! & WAITER_MASK;
    lastUse[q] = processor[t]! << WAITER_BITS;
    if (waiter !== 0) wakeWaiting(waiter, q, at);
  }

  /** Those that wait for more uses go on waiting. */
  function wakeWaiting(first: number, q: number, at: Ns): void {
    let waiter = first;
    while (waiter !== 0) {
      const t = waiter - 1;
      waiter = nextWaiter[t]!;
      if (uses[q]! < waitsFor[t]!) {
        nextWaiter[t] = lastUse[q]! & WAITER_MASK;
        lastUse[q] = (lastUse[q]! & ~WAITER_MASK) | (t + 1);
      } else {
        waitingFor[t] = 0;
        scheduler.wake(t, Math.max(at, looksFrom[t]!));
      }
    }
  }

  /** An allocation has returned `handle`: the end of the call is measured, then the block is written. */
  function finishAllocation(target: Allocator, t: ThreadSlot, p: number, handle: Handle, old: Bytes): void {
    const op = records[p]! & OP_MASK;
    endCall(mallocs, t, mallocNs);
    if (handle === 0) {
      failed();
      return;
    }
    const q = slotOf(order, p) << LG_ENTRY_WORDS;
    const argument = argumentOf(order, p);
    const size =
      op === OP_CALLOC || op === OP_ECALLOC
        ? argument * secondArgumentOf(order, p)
        : op === OP_MEMALIGN
          ? secondArgumentOf(order, p)
          : argument;
    liveBytes(handles[q] === 0 ? size : size - requested[q]!);
    handles[q] = handle;
    requested[q] = size;
    if (touches && size > old) write(target, t, handle, old, size, fills);
  }

  function freeObject(target: Allocator, t: ThreadSlot, slot: number): void {
    const q = slot << LG_ENTRY_WORDS;
    const handle = handles[q]!;
    handles[q] = 0;
    if (handle === 0) return;
    live[LIVE]! -= requested[q]!;
    callStart[0] = clocks[t]!;
    target.free(t, handle);
    endCall(frees, t, freeNs);
  }

  function resize(target: Allocator, t: ThreadSlot, p: number): void {
    const slot = slotOf(order, p);
    const size = argumentOf(order, p);
    const handle = handles[slot << LG_ENTRY_WORDS]!;
    if (size === 0) {
      if (slot !== 0) freeObject(target, t, slot);
      return;
    }
    const moved = handle === 0 ? target.malloc(t, size) : target.realloc(t, handle, size);
    finishAllocation(target, t, p, moved, handle === 0 ? 0 : secondArgumentOf(order, p));
  }

  /** The request's blocks that other threads have still to write to; 0 where it can end. */
  function unreadyOfRequest(t: ThreadSlot, p: number): number {
    const begin = argumentOf(order, p);
    for (let i = begin; i < begin + secondArgumentOf(order, p); i++) {
      if (!isReady(t, requestFrees[i]!, requestNeeds[i]!)) return i + 1;
    }
    return 0;
  }

  function endRequest(t: ThreadSlot, begin: number, count: number): void {
    if (request) {
      request.requestEnd(t);
      settle(t);
    }
    for (let i = begin; i < begin + count; i++) {
      const slot = requestFrees[i]!;
      if (request) {
        const q = slot << LG_ENTRY_WORDS;
        if (handles[q] !== 0) live[LIVE]! -= requested[q]!;
        handles[q] = 0;
      } else freeObject(allocator, t, slot);
    }
  }

  /** Everything but malloc and free. */
  function execute(t: ThreadSlot, op: number, p: number): void {
    const slot = slotOf(order, p);
    const argument = argumentOf(order, p);
    const second = secondArgumentOf(order, p);
    const q = slot << LG_ENTRY_WORDS;
    switch (op) {
      case OP_CALLOC:
        finishAllocation(allocator, t, p, allocator.calloc(t, argument, second), 0);
        break;
      case OP_REALLOC:
        resize(allocator, t, p);
        break;
      case OP_MEMALIGN: {
        const align = Math.max(8, argument);
        finishAllocation(allocator, t, p, allocator.memalign(t, align, second), 0);
        break;
      }
      case OP_WRITE: {
        const from = argument;
        // A block whose realloc failed is shorter than the trace thinks.
        const end = Math.min(from + second, requested[q]!);
        clocks[t]! += eventNs;
        if (handles[q] !== 0 && from < end) write(allocator, t, handles[q]!, from, end, true);
        break;
      }
      case OP_EMALLOC:
        finishAllocation(upper, t, p, upper.malloc(t, argument), 0);
        break;
      case OP_ECALLOC:
        finishAllocation(upper, t, p, upper.calloc(t, argument, second), 0);
        break;
      case OP_EREALLOC:
        resize(upper, t, p);
        break;
      case OP_EFREE:
        freeObject(upper, t, slot);
        break;
      case OP_REQUEST_BEGIN:
        request?.requestBegin(t);
        settle(t);
        break;
      case OP_REQUEST_END:
        endRequest(t, argument, second);
        break;
      case OP_TRIM:
        allocator.trim(t, argument);
        settle(t);
        break;
      case OP_OPT:
        allocator.mallopt(t, MALLOPT_NAMES[slot]!, argument | 0);
        settle(t);
        break;
      case OP_CLOCK:
        kernel.advanceClock(second * 2 ** 32 + argument);
        allocator.advance?.(t);
        settle(t);
        break;
      case OP_SAMPLE:
        onSample(second, argument, clocks[t]!);
        break;
      case OP_THREAD_EXIT:
        exitThread(t);
        break;
      default: // THREAD_BEGIN and SKIPPED do nothing here
    }
  }

  function exitThread(t: ThreadSlot): void {
    if (request && request !== allocator) request.threadExit(t);
    allocator.threadExit(t);
    settle(t);
    clocks[t]! += threadExitNs;
    alive[t] = 0;
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
    allocator.threadStart(t);
    if (request && request !== allocator) request.threadStart(t);
    settle(t);
  }

  /** The block is freed, unless the thread's cache has taken it already; what the call takes is added. */
  function finishFree(t: ThreadSlot, q: number, handle: Handle, isServed: boolean): void {
    handles[q] = 0;
    if (handle === 0) return;
    live[LIVE]! -= requested[q]!;
    let isSlow = false;
    if (!isServed) {
      const slowCalls = operations[OP_SLOW_CALLS]!;
      callStart[0] = clocks[t]!;
      freeNotLocal(t, handle);
      called(t);
      // Beyond the cache's price: it was slow, or pushed into a fastbin whose line came from another processor.
      isSlow = operations[OP_SLOW_CALLS] !== slowCalls || clocks[t] !== callStart[0];
    }
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
          liveBytes(size);
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
      if (waitingFor[t]! > 0) {
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

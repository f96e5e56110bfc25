import type { Allocator, RequestAllocator, ThreadSlot } from '../contract/allocator.ts';
import { AllocatorAbort } from '../contract/assert.ts';
import { OP_MASK, OP_REQUEST_END, OP_THREAD_EXIT } from '../contract/event.ts';
import type { Ns } from '../contract/units.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { RunAborted } from '../time/atomic-locks.ts';
import { DURATION_BUCKETS, durationBucket } from '../time/durations.ts';
import { createInterpreter } from './interpreter.ts';
import type { ObjectTable } from './objects.ts';
import {
  argumentOf,
  CHUNK_END,
  CHUNK_MASK,
  isUse,
  LG_CHUNK_WORDS,
  needOf,
  type ProgramOrder,
  RECORD_WORDS,
  secondArgumentOf,
  slotOf,
} from './program-order.ts';
import { namesThread } from './thread-rows.ts';

/** Words of `control`, which all threads of a run share. */
export const CONTROL_READY = 0; // workers that have built their model
export const CONTROL_GATE = 1; // 1: go
export const CONTROL_ABORTED = 2; // 1: the run is given up
export const CONTROL_WAITING = 3; // threads asleep for another one's event
export const CONTROL_WORDS = 4; // from here on, for each thread the events it has done

export interface ConcurrentOptions {
  readonly thread: ThreadSlot;
  readonly order: ProgramOrder;
  readonly objects: ObjectTable;
  /** Uses of each object slot so far. */
  readonly done: Int32Array;
  readonly control: Int32Array;
  readonly kernel: Kernel;
  readonly allocator: Allocator;
  readonly request: RequestAllocator | undefined;
  readonly touches: boolean;
}

/** What one thread measured. Calls are timed one in so many: looking at a clock costs more than a call. */
export interface ThreadMeasurements {
  mallocs: number;
  frees: number;
  readonly mallocNs: Int32Array;
  readonly freeNs: Int32Array;
  longestMallocNs: Ns;
  longestFreeNs: Ns;
  blockedNs: Ns;
  totalNs: Ns;
  /** Events done: all of the thread's, unless the run was given up. */
  events: number;
  /** Which of its events failed: numbers in the order of the thread. */
  readonly failed: number[];
  /** At which of its events, and what the real allocator would have written before it aborted the process. */
  abort: { readonly event: number; readonly message: string } | null;
}

const TIMED_EVERY = 32;
const SPINS = 200;
const LOOK_UP_MS = 50;

/**
 * One thread's events in their order, on a real thread beside others: the same events as free-running.ts, but waiting is waiting,
 * and time is the host's.
 */
export function runThreadEvents(options: ConcurrentOptions): ThreadMeasurements {
  const { thread: t, order, objects, done, control, kernel, allocator, request, touches } = options;
  const { records, first, tail, requestFrees, requestNeeds } = order;
  const result: ThreadMeasurements = {
    mallocs: 0,
    frees: 0,
    mallocNs: new Int32Array(DURATION_BUCKETS),
    freeNs: new Int32Array(DURATION_BUCKETS),
    longestMallocNs: 0,
    longestFreeNs: 0,
    blockedNs: 0,
    totalNs: 0,
    events: 0,
    failed: [],
    abort: null,
  };

  function waitFor(slot: number, needed: number): void {
    if (needed === 0) return;
    for (let i = 0; i < SPINS; i++) if (Atomics.load(done, slot) >= needed) return;
    const since = nowNs();
    Atomics.add(control, CONTROL_WAITING, 1);
    for (;;) {
      const uses = Atomics.load(done, slot);
      if (uses >= needed) break;
      if (Atomics.load(control, CONTROL_ABORTED) !== 0) throw new RunAborted('gave up waiting for another thread');
      Atomics.wait(done, slot, uses, LOOK_UP_MS);
    }
    Atomics.sub(control, CONTROL_WAITING, 1);
    result.blockedNs += nowNs() - since;
  }

  function used(slot: number): void {
    Atomics.add(done, slot, 1);
    if (Atomics.load(control, CONTROL_WAITING) !== 0) Atomics.notify(done, slot);
  }

  // Calls are timed one in so many.
  let calledAt = 0;
  let isTimed = false;

  function beginTiming(calls: number): void {
    isTimed = calls % TIMED_EVERY === 0;
    if (isTimed) calledAt = nowNs();
  }

  const { execute, startThread } = createInterpreter({
    objects,
    requestFrees,
    marks: order.marks,
    kernel,
    allocator,
    request,
    isAlone: false,
    onFailure: () => result.failed.push(result.events),
    touchFresh: touches ? (target, _t, handle, from, to) => target.touchBlock(handle, from, to) : () => {},
    write: (target, _t, handle, from, to) => target.touchBlock(handle, from, to),
    beforeMalloc: () => beginTiming(result.mallocs++),
    afterMalloc: () => {
      if (!isTimed) return;
      const ns = nowNs() - calledAt;
      result.mallocNs[durationBucket(ns)]!++;
      if (ns > result.longestMallocNs) result.longestMallocNs = ns;
    },
    beforeFree: () => beginTiming(result.frees++),
    afterFree: () => {
      if (!isTimed) return;
      const ns = nowNs() - calledAt;
      result.freeNs[durationBucket(ns)]!++;
      if (ns > result.longestFreeNs) result.longestFreeNs = ns;
    },
    onLive: () => {},
    afterOther: () => {},
  });

  /** A request ends when other threads have done with its blocks. */
  function waitForRequest(begin: number, count: number): void {
    for (let i = begin; i < begin + count; i++) waitFor(requestFrees[i]!, requestNeeds[i]!);
  }

  function run(): void {
    const born = order.bornAfter[t]!;
    const left = order.takenBy[t]!;
    let isAlive = t === 0;
    if (Atomics.load(control, CONTROL_ABORTED) !== 0) return;
    for (let p = first[t]!; p !== tail[t]; p += RECORD_WORDS) {
      if ((p & CHUNK_MASK) === CHUNK_END) p = records[p + 1]! << LG_CHUNK_WORDS;
      const op = records[p]! & OP_MASK;
      const slot = slotOf(order, p);
      waitFor(slot, needOf(order, p));
      if (!isAlive && namesThread(op)) {
        isAlive = true;
        if (born !== 0) waitFor(born, order.taken[born]! + 1);
        startThread(t);
      }
      const a = argumentOf(order, p);
      const b = secondArgumentOf(order, p);
      if (op === OP_REQUEST_END) waitForRequest(a, b);
      execute(op, t, slot, a, b);
      if (isUse(op, slot, a)) used(slot);
      if (op === OP_THREAD_EXIT) isAlive = false;
      result.events++;
      if ((result.events & 255) === 0) {
        Atomics.store(control, CONTROL_WORDS + t, result.events);
        if (Atomics.load(control, CONTROL_ABORTED) !== 0) return;
      }
    }
    if (left !== 0) used(left); // a fork waits for its last event
  }

  const since = nowNs();
  try {
    run();
  } catch (error) {
    if (error instanceof AllocatorAbort) {
      result.abort = { event: result.events, message: error.message };
      Atomics.store(control, CONTROL_ABORTED, 1);
    } else if (!(error instanceof RunAborted)) throw error;
  }
  Atomics.store(control, CONTROL_WORDS + t, result.events);
  result.totalNs = nowNs() - since;
  return result;
}

function nowNs(): Ns {
  return performance.now() * 1e6;
}

import type { Allocator, Handle, RequestAllocator, ThreadSlot } from '../contract/allocator.ts';
import { AllocatorAbort } from '../contract/assert.ts';
import {
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
  OP_THREAD_EXIT,
  OP_TRIM,
  OP_WRITE,
} from '../contract/event.ts';
import type { Ns } from '../contract/units.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { RunAborted } from '../time/atomic-locks.ts';
import { DURATION_BUCKETS, durationBucket } from '../time/durations.ts';
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
  const { handles, requested } = objects;
  const upper = request ?? allocator;
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

  function keep(target: Allocator, p: number, handle: Handle, old: number, size: number): void {
    if (handle === 0) {
      result.failed.push(result.events);
      return;
    }
    const slot = slotOf(order, p);
    handles[slot] = handle;
    requested[slot] = size;
    if (touches && size > old) target.touchBlock(handle, old, size);
  }

  function release(target: Allocator, slot: number): void {
    const handle = handles[slot]!;
    handles[slot] = 0;
    if (handle === 0) return;
    if (result.frees++ % TIMED_EVERY !== 0) {
      target.free(t, handle);
      return;
    }
    const since = nowNs();
    target.free(t, handle);
    const ns = nowNs() - since;
    result.freeNs[durationBucket(ns)]!++;
    if (ns > result.longestFreeNs) result.longestFreeNs = ns;
  }

  function call(op: number, target: Allocator, old: Handle, a: number, b: number): Handle {
    switch (op) {
      case OP_CALLOC:
      case OP_ECALLOC:
        return target.calloc(t, a, b);
      case OP_MEMALIGN:
        return target.memalign(t, Math.max(8, a), b);
      default:
        return old === 0 ? target.malloc(t, a) : target.realloc(t, old, a);
    }
  }

  function allocate(p: number, op: number, target: Allocator): void {
    const slot = slotOf(order, p);
    const a = argumentOf(order, p);
    const b = secondArgumentOf(order, p);
    const resizes = op === OP_REALLOC || op === OP_EREALLOC;
    if (resizes && a === 0) {
      if (slot !== 0) release(target, slot);
      return;
    }
    const old = resizes ? handles[slot]! : 0;
    const isTimed = result.mallocs++ % TIMED_EVERY === 0;
    const since = isTimed ? nowNs() : 0;
    const handle = call(op, target, old, a, b);
    if (isTimed) {
      const ns = nowNs() - since;
      result.mallocNs[durationBucket(ns)]!++;
      if (ns > result.longestMallocNs) result.longestMallocNs = ns;
    }
    const size = op === OP_CALLOC || op === OP_ECALLOC ? a * b : op === OP_MEMALIGN ? b : a;
    keep(target, p, handle, old === 0 ? 0 : b, size);
  }

  function endRequest(begin: number, count: number): void {
    for (let i = begin; i < begin + count; i++) {
      waitFor(requestFrees[i]!, requestNeeds[i]!);
    }
    if (request) request.requestEnd(t);
    for (let i = begin; i < begin + count; i++) {
      if (request) handles[requestFrees[i]!] = 0;
      else release(allocator, requestFrees[i]!);
    }
  }

  function execute(p: number, op: number): void {
    const slot = slotOf(order, p);
    switch (op) {
      case OP_MALLOC:
      case OP_CALLOC:
      case OP_REALLOC:
      case OP_MEMALIGN:
        allocate(p, op, allocator);
        break;
      case OP_EMALLOC:
      case OP_ECALLOC:
      case OP_EREALLOC:
        allocate(p, op, upper);
        break;
      case OP_FREE:
        release(allocator, slot);
        break;
      case OP_EFREE:
        release(upper, slot);
        break;
      case OP_WRITE: {
        const from = argumentOf(order, p);
        // A block whose realloc failed is shorter than the trace thinks.
        const end = Math.min(from + secondArgumentOf(order, p), requested[slot]!);
        if (handles[slot] !== 0 && from < end) allocator.touchBlock(handles[slot]!, from, end);
        break;
      }
      case OP_REQUEST_BEGIN:
        request?.requestBegin(t);
        break;
      case OP_REQUEST_END:
        endRequest(argumentOf(order, p), secondArgumentOf(order, p));
        break;
      case OP_TRIM:
        allocator.trim(t, argumentOf(order, p));
        break;
      case OP_OPT:
        allocator.mallopt(t, MALLOPT_NAMES[slot]!, argumentOf(order, p) | 0);
        break;
      case OP_CLOCK:
        kernel.advanceClock(secondArgumentOf(order, p) * 2 ** 32 + argumentOf(order, p));
        allocator.advance?.(t);
        break;
      case OP_THREAD_EXIT:
        if (request && request !== allocator) request.threadExit(t);
        allocator.threadExit(t);
        break;
      default: // THREAD_BEGIN, SAMPLE and SKIPPED do nothing here
    }
  }

  function run(): void {
    let isAlive = t === 0;
    for (let p = first[t]!; p !== tail[t]; p += RECORD_WORDS) {
      if ((p & CHUNK_MASK) === CHUNK_END) p = records[p + 1]! << LG_CHUNK_WORDS;
      const op = records[p]! & OP_MASK;
      if (!isAlive && namesThread(op)) {
        isAlive = true;
        allocator.threadStart(t);
        if (request && request !== allocator) request.threadStart(t);
      }
      const slot = slotOf(order, p);
      waitFor(slot, needOf(order, p));
      execute(p, op);
      if (isUse(op, slot, argumentOf(order, p))) used(slot);
      if (op === OP_THREAD_EXIT) isAlive = false;
      result.events++;
      if ((result.events & 255) === 0) {
        Atomics.store(control, CONTROL_WORDS + t, result.events);
        if (Atomics.load(control, CONTROL_ABORTED) !== 0) return;
      }
    }
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

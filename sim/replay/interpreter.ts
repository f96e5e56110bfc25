import {
  type Allocator,
  type Handle,
  RANGE_LIVE,
  type RequestAllocator,
  type ThreadSlot,
} from '../contract/allocator.ts';
import { AllocatorAbort } from '../contract/assert.ts';
import type { Marks } from '../contract/event.ts';
import * as columns from '../contract/event.ts';
import { unpackMallctl } from '../contract/mallctl.ts';
import type { Addr, Bytes } from '../contract/units.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { BURIED, type ObjectTable, REFUSED, requestedOf, setRequested } from './objects.ts';

/** What a replay does around an event: lockstep has no clock, virtual time charges, real threads look at theirs. */
export interface ReplayHooks {
  /** The running event's allocation has failed. */
  readonly onFailure: (t: ThreadSlot) => void;
  /** The program writes bytes `from` to `to` - 1 of a fresh block (or the fresh part of a resized one), as %touch says. */
  readonly touchFresh: (target: Allocator, t: ThreadSlot, handle: Handle, from: Bytes, to: Bytes) => void;
  /** A `w` line: every byte is written. */
  readonly write: (target: Allocator, t: ThreadSlot, handle: Handle, from: Bytes, to: Bytes) => void;
  readonly beforeMalloc: (t: ThreadSlot) => void;
  readonly afterMalloc: (t: ThreadSlot) => void;
  readonly beforeFree: (t: ThreadSlot) => void;
  readonly afterFree: (t: ThreadSlot) => void;
  /** Requested bytes of live blocks have changed. */
  readonly onLive: (change: Bytes) => void;
  /** The allocator has done something else: a request's begin or end, a trim, an option, what the clock causes. */
  readonly afterOther: (t: ThreadSlot) => void;
}

export interface InterpreterOptions extends ReplayHooks {
  readonly objects: ObjectTable;
  readonly requestFrees: Int32Array;
  readonly marks: Marks;
  readonly kernel: Kernel;
  /** Serves m c r a f. */
  readonly allocator: Allocator;
  /** Serves the e… events where there is one; otherwise they go to `allocator`. */
  readonly request: RequestAllocator | undefined;
  /** The address that the block of a row had, for frees of blocks that are dead; undefined where they do nothing. */
  readonly addressOfRow?: ((row: number) => Addr) | undefined;
  /** Nobody else works on the machine while an event is executed: what ends with a heap can be looked up. */
  readonly isAlone: boolean;
  /**
   * A request's end may come before another thread's free of one of its blocks, which the trace has first: the block is no longer listed as
   * the request's, and ends with it.
   */
  readonly endsEarly?: boolean | undefined;
  /** Objects may have ended that the running event does not name. */
  readonly onBury?: (() => void) | undefined;
}

export interface Interpreter {
  /**
   * What the event does: its operation, thread, object slot and arguments as the columns of event.ts have them. Of a row
   * with a mark: OP_BY_MARK, and the row as `a`.
   */
  execute(op: number, t: ThreadSlot, slot: number, a: number, b: number): void;
  startThread(t: ThreadSlot): void;
  exitThread(t: ThreadSlot): void;
  /** The allocation of the object in `slot` has failed in the heap of `t`, in a loop that does mallocs itself. */
  noteRefusal(t: ThreadSlot, slot: number): void;
}

/**
 * The one table of what each event does. Every replay comes here but for what its hot loop does itself: mallocs and
 * frees, in the same words. Waiting for other threads' events is the replay's, before.
 */
export function createInterpreter(options: InterpreterOptions): Interpreter {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const {
    MALLOPT_NAMES,
    MARK_FAILED,
    MARK_UNWRITTEN,
    markOf,
    OP_BY_MARK,
    OP_CALLOC,
    OP_CLOCK,
    OP_CTL,
    OP_ECALLOC,
    OP_EFREE,
    OP_EMALLOC,
    OP_EREALLOC,
    OP_FORK,
    OP_FREE,
    OP_GC,
    OP_SHUTDOWN,
    OP_MALLOC,
    OP_MEMALIGN,
    OP_OPT,
    OP_REALLOC,
    OP_REQUEST_BEGIN,
    OP_REQUEST_END,
    OP_STALE_FREE,
    OP_THREAD_EXIT,
    OP_TRIM,
    OP_WRITE,
  } = columns;
  const { objects, requestFrees, marks, kernel, allocator, request, addressOfRow, isAlone, endsEarly } = options;
  const { onFailure, touchFresh, write, beforeMalloc, afterMalloc, beforeFree, afterFree, onLive, afterOther, onBury } =
    options;
  const { handles, requested, buried, lgStride } = objects;
  const upper = request ?? allocator;
  /** `zendmm:all=true` serves both families itself. */
  const below = request === allocator ? undefined : allocator;
  let isWritten = true; // whether %touch applies to the running event's block

  /** An allocation of `size` bytes has returned `handle`, whose bytes from `fresh` on nobody has written yet. */
  function keep(target: Allocator, t: ThreadSlot, slot: number, handle: Handle, size: Bytes, fresh: Bytes): void {
    afterMalloc(t);
    const q = slot << lgStride;
    const old = handles[q]!;
    if (handle === 0) {
      if (old === 0) noteRefusal(t, slot);
      onFailure(t);
      return; // a block whose realloc has failed lives on
    }
    onLive(old === 0 ? size : size - requestedOf(objects, slot));
    handles[q] = handle;
    setRequested(objects, slot, size);
    if (size > fresh && isWritten) touchFresh(target, t, handle, fresh, size);
  }

  function noteRefusal(t: ThreadSlot, slot: number): void {
    buried[slot] = REFUSED;
    requested[slot << lgStride] = t + 1;
  }

  /**
   * A request's object that its own heap has refused. Another thread's erealloc finds no block to resize, and makes none: the trace
   * has the object end with the first one's request, which another heap's block would outlive.
   */
  function isRefusedElsewhere(t: ThreadSlot, slot: number): boolean {
    return handles[slot << lgStride] === 0 && buried[slot] === REFUSED && requested[slot << lgStride] !== t + 1;
  }

  function resize(target: Allocator, t: ThreadSlot, slot: number, size: Bytes, old: Bytes): void {
    if (size === 0) {
      release(target, t, slot);
      return;
    }
    const handle = handles[slot << lgStride]!;
    if (handle === 0) refuseBuried(slot);
    beforeMalloc(t);
    if (handle === 0) keep(target, t, slot, target.malloc(t, size), size, 0);
    else keep(target, t, slot, target.realloc(t, handle, size), size, old);
  }

  function release(target: Allocator, t: ThreadSlot, slot: number): void {
    const q = slot << lgStride;
    const handle = handles[q]!;
    if (handle === 0) {
      refuseBuried(slot);
      return;
    }
    beforeFree(t);
    target.free(t, handle); // where it aborts the process, the block is still there
    afterFree(t);
    handles[q] = 0;
    onLive(-requestedOf(objects, slot));
  }

  /**
   * A request's heap has ended, with all blocks that came from it: those that the trace does not list as the request's
   * too (`m` events under all=true, what a thread's exit leaves behind). The program may still name them.
   */
  function bury(): void {
    if (!isAlone) return;
    onBury?.();
    const live = new Set<Handle>();
    upper.walk((_start, _length, kind, handle) => {
      if (kind === RANGE_LIVE) live.add(handle);
    });
    for (let slot = 1, slots = objects.slots(); slot < slots; slot++) {
      const q = slot << lgStride;
      if (handles[q] === 0 || live.has(handles[q]!)) continue;
      onLive(-requestedOf(objects, slot));
      handles[q] = 0;
      buried[slot] = BURIED;
    }
  }

  /** free(NULL), or a block that is no more: the real process would die of it, or corrupt what came after. */
  function refuseBuried(slot: number): void {
    if (buried[slot] === BURIED)
      throw new AllocatorAbort('zend_mm_heap corrupted (the block ended with its heap before)');
  }

  /** The shutdown releases what the request still holds; without a layer for requests the blocks go one by one. */
  function endRequest(t: ThreadSlot, first: number, count: number): void {
    if (request) {
      request.requestEnd(t);
      afterOther(t);
    }
    for (let i = first; i < first + count; i++) {
      if (!request) {
        release(allocator, t, requestFrees[i]!);
        continue;
      }
      const q = requestFrees[i]! << lgStride;
      if (handles[q] !== 0) onLive(-requestedOf(objects, requestFrees[i]!));
      handles[q] = 0;
    }
    if (request && (!below || endsEarly)) bury();
  }

  function setOption(t: ThreadSlot, name: columns.MalloptName, value: number): void {
    if (name === 'memory_limit') request?.setMemoryLimit?.(t, value);
    else allocator.mallopt(t, name, value);
  }

  function startThread(t: ThreadSlot): void {
    allocator.threadStart(t);
    if (below && request) request.threadStart(t);
  }

  function exitThread(t: ThreadSlot): void {
    if (below && request) request.threadExit(t);
    allocator.threadExit(t);
    if (request) {
      bury();
      orphanRefused(t);
    }
    afterOther(t);
  }

  /** The thread slot may become another thread's. */
  function orphanRefused(t: ThreadSlot): void {
    if (!isAlone) return;
    for (let slot = 1, slots = objects.slots(); slot < slots; slot++) {
      const q = slot << lgStride;
      if (handles[q] === 0 && buried[slot] === REFUSED && requested[q] === t + 1) requested[q] = 0;
    }
  }

  /** A row with a mark: its arguments may be of any size, and the mark says how it differs. */
  function executeMarked(t: ThreadSlot, slot: number, row: number): void {
    const place = markOf(marks, row);
    const op = marks.ops[place]!;
    const flags = marks.flags[place]!;
    if ((flags & MARK_FAILED) !== 0) {
      failAsRecorded(op, t, slot, marks.a[place]!, marks.b[place]!);
      return;
    }
    isWritten = (flags & MARK_UNWRITTEN) === 0;
    execute(op, t, slot, marks.a[place]!, marks.b[place]!);
    isWritten = true;
  }

  /**
   * The call is made, and the kernel gives it no memory, as it did in the recorded program. A block that the allocator has
   * all the same is freed at once: the program never had it.
   */
  function failAsRecorded(op: number, t: ThreadSlot, slot: number, a: number, b: number): void {
    const target = op === OP_EMALLOC || op === OP_ECALLOC || op === OP_EREALLOC ? upper : allocator;
    const old = handles[slot << lgStride]!;
    beforeMalloc(t);
    kernel.refuseMemory(true);
    let handle = 0;
    try {
      if (op === OP_CALLOC || op === OP_ECALLOC) handle = target.calloc(t, a, b);
      else if (op === OP_MEMALIGN) handle = target.memalign(t, Math.max(8, a), b);
      else if (slot === 0) handle = target.malloc(t, a);
      else if (old !== 0 && a > 0) handle = target.realloc(t, old, a);
    } finally {
      kernel.refuseMemory(false);
    }
    afterMalloc(t);
    if (handle === 0) {
      onFailure(t);
    } else if (slot === 0) {
      beforeFree(t);
      target.free(t, handle);
      afterFree(t);
    } else {
      // Where it has moved or is larger, the program knows the old size of it. Shorter needs no new memory: then it is shorter.
      const known = requestedOf(objects, slot);
      const size = Math.min(known, a);
      handles[slot << lgStride] = handle;
      onLive(size - known);
      setRequested(objects, slot, size);
    }
  }

  function execute(op: number, t: ThreadSlot, slot: number, a: number, b: number): void {
    switch (op) {
      case OP_MALLOC:
        beforeMalloc(t);
        keep(allocator, t, slot, allocator.malloc(t, a), a, 0);
        break;
      case OP_CALLOC:
        beforeMalloc(t);
        keep(allocator, t, slot, allocator.calloc(t, a, b), a * b, 0);
        break;
      case OP_REALLOC:
        resize(allocator, t, slot, a, b);
        break;
      case OP_MEMALIGN:
        beforeMalloc(t);
        keep(allocator, t, slot, allocator.memalign(t, Math.max(8, a), b), b, 0);
        break;
      case OP_FREE:
        release(allocator, t, slot);
        break;
      case OP_EMALLOC:
        beforeMalloc(t);
        keep(upper, t, slot, upper.malloc(t, a), a, 0);
        break;
      case OP_ECALLOC:
        beforeMalloc(t);
        keep(upper, t, slot, upper.calloc(t, a, b), a * b, 0);
        break;
      case OP_EREALLOC:
        if (request && isRefusedElsewhere(t, slot)) onFailure(t);
        else resize(upper, t, slot, a, b);
        break;
      case OP_EFREE:
        release(upper, t, slot);
        break;
      case OP_WRITE: {
        const q = slot << lgStride;
        // A block whose realloc failed is shorter than the trace thinks.
        const end = Math.min(a + b, requestedOf(objects, slot));
        // The upper layer knows whose the block is.
        if (handles[q] !== 0 && a < end) write(upper, t, handles[q]!, a, end);
        break;
      }
      case OP_REQUEST_BEGIN:
        request?.requestBegin(t);
        afterOther(t);
        break;
      case OP_REQUEST_END:
        endRequest(t, a, b);
        break;
      case OP_TRIM:
        allocator.trim(t, a);
        afterOther(t);
        break;
      case OP_OPT:
        setOption(t, MALLOPT_NAMES[slot]!, a | 0);
        afterOther(t);
        break;
      case OP_CTL:
        allocator.mallctl?.(t, unpackMallctl(a, b)!);
        afterOther(t);
        break;
      case OP_CLOCK:
        kernel.advanceClock(b * 2 ** 32 + a);
        allocator.advance?.(t);
        afterOther(t);
        break;
      case OP_THREAD_EXIT:
        exitThread(t);
        break;
      case OP_FORK:
        allocator.forkChild?.(t);
        break;
      case OP_GC:
        request?.gcMemCaches?.(t);
        afterOther(t);
        break;
      case OP_SHUTDOWN:
        if (!request?.shutdown) break;
        request.shutdown(t);
        bury();
        afterOther(t);
        break;
      case OP_BY_MARK:
        executeMarked(t, slot, a);
        break;
      case OP_STALE_FREE:
        if (addressOfRow) allocator.freeStale?.(t, addressOfRow(a));
        break;
      default: // THREAD_BEGIN, CREATE, JOIN, SAMPLE, EXIT and SKIPPED do nothing here
    }
  }

  return { execute, startThread, exitThread, noteRefusal };
}

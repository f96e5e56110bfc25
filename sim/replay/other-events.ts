import type { Allocator, Handle, RequestAllocator, ThreadSlot } from '../contract/allocator.ts';
import type { Touch } from '../contract/event.ts';
import * as columns from '../contract/event.ts';
import type { Bytes, Ns } from '../contract/units.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { VirtualLocks } from '../time/virtual-locks.ts';
import type { VirtualTime } from '../time/virtual-time.ts';
import type { WriteBlock } from './block-writes.ts';
import type { Calls } from './calls.ts';
import { addLive, LIVE, type LiveBytes } from './live-bytes.ts';
import type { ObjectWaits } from './object-waits.ts';
import type { SharedObjectTable } from './objects.ts';
import * as objectTable from './objects.ts';
import type { ProgramOrder } from './program-order.ts';
import * as programOrder from './program-order.ts';

/** What a free-running thread does besides malloc and free. */
export interface OtherEvents {
  /** Executes the event at position `p`, which is ready; `op` is its operation. */
  execute(t: ThreadSlot, op: number, p: number): void;
  /** Of the first block of the request that other threads have still to use: its place in `requestFrees`, + 1; 0 where it can end. */
  unreadyOfRequest(t: ThreadSlot, p: number): number;
  exitThread(t: ThreadSlot): void;
}

export interface OtherEventsOptions {
  readonly order: ProgramOrder;
  readonly objects: SharedObjectTable;
  readonly kernel: Kernel;
  readonly allocator: Allocator;
  /** As in lockstep.ts. */
  readonly request: RequestAllocator | undefined;
  readonly touch: Touch;
  readonly time: VirtualTime;
  readonly locks: VirtualLocks;
  readonly calls: Calls;
  readonly live: LiveBytes;
  readonly waits: ObjectWaits;
  readonly write: WriteBlock;
  /** By thread: 1 while it is alive. */
  readonly alive: Uint8Array;
  /** The running event's allocation has failed. */
  readonly onFailure: () => void;
  readonly onSample: (row: number, label: number, at: Ns) => void;
}

export function createOtherEvents(options: OtherEventsOptions): OtherEvents {
  const {
    MALLOPT_NAMES,
    OP_CALLOC,
    OP_CLOCK,
    OP_ECALLOC,
    OP_EFREE,
    OP_EMALLOC,
    OP_EREALLOC,
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
  const { argumentOf, secondArgumentOf, slotOf } = programOrder;
  const { LG_ENTRY_WORDS } = objectTable;
  const { order, kernel, allocator, request, touch, live, write, alive, onFailure, onSample } = options;
  const { records, requestFrees, requestNeeds } = order;
  const { handles, requested } = options.objects;
  const { settle } = options.locks;
  const { mallocs, frees, callStart, endCall } = options.calls;
  const { isReady } = options.waits;
  const { clocks, costs } = options.time;
  const { eventNs, mallocNs, freeNs, threadExitNs } = costs;
  const upper = request ?? allocator;
  const touches = touch !== 'none';
  const fills = touch === 'full';

  /** An allocation has returned `handle`: the end of the call is measured, then the block is written. */
  function finishAllocation(target: Allocator, t: ThreadSlot, p: number, handle: Handle, old: Bytes): void {
    const op = records[p]! & OP_MASK;
    endCall(mallocs, t, mallocNs);
    if (handle === 0) {
      onFailure();
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
    addLive(live, handles[q] === 0 ? size : size - requested[q]!);
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

  return { execute, unreadyOfRequest, exitThread };
}

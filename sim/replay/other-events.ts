import type { Allocator, RequestAllocator, ThreadSlot } from '../contract/allocator.ts';
import type { Touch } from '../contract/event.ts';
import * as columns from '../contract/event.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { VirtualLocks } from '../time/virtual-locks.ts';
import type { VirtualTime } from '../time/virtual-time.ts';
import type { WriteBlock } from './block-writes.ts';
import { type Calls, MARK_FREE, MARK_MALLOC } from './calls.ts';
import type { ChangedSlots } from './changed-slots.ts';
import { createInterpreter } from './interpreter.ts';
import { addLive, type LiveBytes } from './live-bytes.ts';
import type { ObjectWaits } from './object-waits.ts';
import type { SharedObjectTable } from './objects.ts';
import type { ProgramOrder } from './program-order.ts';
import * as programOrder from './program-order.ts';

/** What a free-running thread does besides malloc and free. */
export interface OtherEvents {
  /** Executes the event at position `p`, which is ready; `op` is its operation. */
  execute(t: ThreadSlot, op: number, p: number): void;
  /** Of the first block of the request that other threads have still to use: its place in `requestFrees`, + 1; 0 where it can end. */
  unreadyOfRequest(t: ThreadSlot, p: number): number;
  startThread(t: ThreadSlot): void;
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
  /** As in interpreter.ts. */
  readonly endsEarly: boolean;
  /** By thread: 1 while it is alive. */
  readonly alive: Uint8Array;
  /** The running event's allocation has failed. */
  readonly onFailure: () => void;
  readonly onSample: (row: number, label: number) => void;
  readonly changed: ChangedSlots | undefined;
}

export function createOtherEvents(options: OtherEventsOptions): OtherEvents {
  const { OP_SAMPLE, OP_THREAD_EXIT, OP_WRITE } = columns;
  const { argumentOf, secondArgumentOf, slotOf } = programOrder;
  const { order, kernel, allocator, request, touch, live, write, alive, onFailure, onSample, objects } = options;
  const { requestFrees, requestNeeds } = order;
  const { settle } = options.locks;
  const { beginCall, endCall } = options.calls;
  const { isReady } = options.waits;
  const { costs, spend } = options.time;
  const { eventNs, mallocNs, freeNs, threadExitNs } = costs;
  const fills = touch === 'full';
  const interpreter = createInterpreter({
    objects,
    requestFrees,
    marks: order.marks,
    kernel,
    allocator,
    request,
    isAlone: true,
    endsEarly: options.endsEarly,
    onFailure,
    touchFresh:
      touch === 'none' ? () => {} : (target, t, handle, from, to) => write(target, t, handle, from, to, fills),
    write: (target, t, handle, from, to) => write(target, t, handle, from, to, true),
    beforeMalloc: beginCall,
    afterMalloc: (t) => endCall(MARK_MALLOC, t, mallocNs),
    beforeFree: beginCall,
    afterFree: (t) => endCall(MARK_FREE, t, freeNs),
    onLive: (change) => addLive(live, change),
    afterOther: settle,
    ...(options.changed && { onBury: options.changed.noteAll }),
  });

  function unreadyOfRequest(t: ThreadSlot, p: number): number {
    const begin = argumentOf(order, p);
    for (let i = begin; i < begin + secondArgumentOf(order, p); i++) {
      if (!isReady(t, requestFrees[i]!, requestNeeds[i]!)) return i + 1;
    }
    return 0;
  }

  function execute(t: ThreadSlot, op: number, p: number): void {
    const argument = argumentOf(order, p);
    const second = secondArgumentOf(order, p);
    if (op === OP_SAMPLE) onSample(second, argument);
    else if (op === OP_THREAD_EXIT) exitThread(t);
    else {
      if (op === OP_WRITE) spend(t, eventNs);
      interpreter.execute(op, t, slotOf(order, p), argument, second);
    }
  }

  function exitThread(t: ThreadSlot): void {
    interpreter.exitThread(t);
    spend(t, threadExitNs);
    alive[t] = 0;
  }

  return { execute, unreadyOfRequest, exitThread, startThread: interpreter.startThread };
}

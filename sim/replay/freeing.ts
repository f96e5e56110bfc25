import type { Handle, ThreadSlot } from '../contract/allocator.ts';
import * as columns from '../contract/event.ts';
import * as counters from '../contract/operations.ts';
import { type Calls, MARK_FREE } from './calls.ts';
import { type FreeRunningOptions, GOES_ON, STOP_TURN, type Stop } from './free-running-options.ts';
import type { LiveBytes } from './live-bytes.ts';
import * as liveBytes from './live-bytes.ts';
import type { ObjectWaits } from './object-waits.ts';
import * as objectWaits from './object-waits.ts';
import * as objectTable from './objects.ts';
import * as programOrder from './program-order.ts';

/** What freeing shares with the rest of a run. */
export interface FreeingOptions
  extends Pick<FreeRunningOptions, 'program' | 'objects' | 'allocator' | 'time' | 'operations'> {
  readonly cursor: Int32Array;
  readonly live: LiveBytes;
  readonly calls: Calls;
  readonly waits: ObjectWaits;
  readonly execute: (t: ThreadSlot, op: number, position: number) => void;
  readonly isFarAhead: (t: ThreadSlot) => boolean;
}

/** Frees: what is left to do where the thread's cache has taken a block or not, and blocks that other threads have used. */
export function createFreeing(options: FreeingOptions) {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const { OP_FREE } = columns;
  const { OP_SLOW_CALLS } = counters;
  const { argumentOf, slotOf, RECORD_WORDS } = programOrder;
  const { LG_ENTRY_WORDS } = objectTable;
  const { WAITER_BITS } = objectWaits;
  const { LIVE } = liveBytes;
  const { program, objects, allocator, time, operations, cursor, live, calls, waits, execute, isFarAhead } = options;
  const { order } = program;
  const { handles, ended, last: lastUse } = objects;
  const { free } = allocator;
  const { freeNotLocal = free, freeLocal = () => false } = allocator;
  const { clocks, log, processor, costs, topology } = time;
  const { tail } = log;
  const { transferNs } = topology;
  const { eventNs, freeNs } = costs;
  const freeEventNs = freeNs + eventNs;
  const { frees, beginCall, endCall } = calls;
  const { isReady, wait } = waits;

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

  return { finishFree, fetchBlock, freeOfOthers };
}

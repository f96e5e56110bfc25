import type { ThreadSlot } from '../contract/allocator.ts';
import { UserError } from '../contract/assert.ts';
import type { Ns } from '../contract/units.ts';
import type { Scheduler } from '../time/scheduling.ts';
import { KIND_BITS, MARK } from '../time/segments.ts';
import type { VirtualTime } from '../time/virtual-time.ts';
import { MARK_USED } from './calls.ts';
import type { SharedObjectTable } from './objects.ts';
import * as objectTable from './objects.ts';

/** Threads that wait for other threads' uses of an object (trace-format.md: what an event of another thread waits for). */
export interface ObjectWaits {
  /** Whether all uses of the object that a free or a realloc waits for have happened, and ended. */
  isReady(t: ThreadSlot, slot: number, needed: number): boolean;
  /** When the object that a write waits for was made: other threads may be writing to it. */
  makings(slot: number, needed: number): Float64Array;
  /**
   * Looks for the object for a while, then gives its processor away until it is there. A thread that looks is where it will be
   * at the end of that while, unless `used` brings it back. `ends`: when the uses that it waits for end, those that have happened.
   */
  wait(t: ThreadSlot, slot: number, needed: number, ends: Float64Array): void;
  /** The running event has used an object, now or when what is logged has been played. */
  used(t: ThreadSlot, slot: number): void;
  /** The same, at the thread's clock. */
  usedNow(t: ThreadSlot, slot: number): void;
  /** Whether the thread waits for uses that have not happened. */
  isWaiting(t: ThreadSlot): boolean;
}

// `last` of an object: the processor of its last use << WAITER_BITS | the thread that began last to wait for it, + 1
export const WAITER_BITS = 19;
export const WAITER_MASK = (1 << WAITER_BITS) - 1;

/**
 * How far a thread may run ahead of the others with what they cannot see. Only what is counted over all threads together (the peaks,
 * samples) can tell, and it is off by no more than this.
 */
export const AHEAD_NS = 20_000;

export function createObjectWaits(
  time: VirtualTime,
  objects: SharedObjectTable,
  scheduler: () => Pick<Scheduler, 'looks' | 'found' | 'setClock'>,
): ObjectWaits {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const { LG_ENTRY_WORDS } = objectTable;
  const waiterBits = WAITER_BITS;
  const waiterMask = WAITER_MASK;
  const { threads, clocks, limit, processor, log } = time;
  const { append, tail } = log;
  const { keep } = time.beginning;
  const { pollLimitNs } = time.costs;
  const { ended, made, uses, last: lastUse } = objects;
  if (threads >= WAITER_MASK) {
    throw new UserError(`found ${threads} threads, expected fewer than ${WAITER_MASK} in virtual time`);
  }
  const waitingFor = keep(new Int32Array(threads)); // object slot of a blocked thread, 0 for none
  const looksFrom = keep(new Float64Array(threads)); // since when it does
  const waitsFor = keep(new Int32Array(threads)); // and for how many uses of the object
  const nextWaiter = keep(new Int32Array(threads)); // another thread that waits for the same object, + 1
  const hasGivenUp = keep(new Uint8Array(threads)); // 1: it has looked for a while, and lets others go first

  function isReady(t: ThreadSlot, slot: number, needed: number): boolean {
    return uses[slot << LG_ENTRY_WORDS]! >= needed && ended[slot]! <= clocks[t]!;
  }

  function makings(slot: number, needed: number): Float64Array {
    return uses[slot << LG_ENTRY_WORDS] === needed ? ended : made;
  }

  function wait(t: ThreadSlot, slot: number, needed: number, ends: Float64Array): void {
    if (waitingFor[t] === slot) {
      hasGivenUp[t] = 1;
      scheduler().looks(t);
      return;
    }
    const q = slot << LG_ENTRY_WORDS;
    if (uses[q]! >= needed) {
      clocks[t] = ends[slot]!; // whoever used it is ahead
      return;
    }
    waitingFor[t] = slot;
    waitsFor[t] = needed;
    looksFrom[t] = clocks[t]!;
    addWaiter(t, q);
    clocks[t]! += pollLimitNs;
  }

  function addWaiter(t: ThreadSlot, q: number): void {
    nextWaiter[t] = lastUse[q]! & waiterMask;
    lastUse[q] = (lastUse[q]! & ~waiterMask) | (t + 1);
  }

  function used(t: ThreadSlot, slot: number): void {
    const beyond = clocks[t]! - limit[0]!;
    const hasWaiter = (lastUse[slot << LG_ENTRY_WORDS]! & waiterMask) !== 0;
    if (tail[t] === 0 && beyond <= (hasWaiter ? 0 : AHEAD_NS)) usedNow(t, slot);
    else append(t, MARK | (MARK_USED << KIND_BITS), slot);
  }

  function usedNow(t: ThreadSlot, slot: number): void {
    const q = slot << LG_ENTRY_WORDS;
    const at = clocks[t]!;
    uses[q]!++;
    if (at > ended[slot]!) ended[slot] = at;
    const waiter = lastUse[q]! & waiterMask;
    lastUse[q] = processor[t]! << waiterBits;
    if (waiter !== 0) wakeWaiting(waiter, q, at);
  }

  /** Those that wait for more uses go on waiting. */
  function wakeWaiting(first: number, q: number, at: Ns): void {
    let waiter = first;
    while (waiter !== 0) {
      const t = waiter - 1;
      waiter = nextWaiter[t]!;
      if (uses[q]! < waitsFor[t]!) {
        addWaiter(t, q);
        continue;
      }
      waitingFor[t] = 0;
      if (hasGivenUp[t] === 1) {
        hasGivenUp[t] = 0;
        scheduler().found(t, at);
      } else {
        const there = Math.max(at, looksFrom[t]!);
        if (there < clocks[t]!) scheduler().setClock(t, there);
      }
    }
  }

  return { isReady, makings, wait, used, usedNow, isWaiting: (t) => waitingFor[t]! > 0 };
}

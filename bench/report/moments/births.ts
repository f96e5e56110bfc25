import type { Handle } from '../../../sim/contract/allocator.ts';
import { type EventBuffer, hasFailed, isAllocating, OP_BITS, OP_MASK } from '../../../sim/contract/event.ts';
import type { Ns } from '../../../sim/contract/units.ts';

/** Who allocated a live block, and when; -1 where it is not known. */
export interface Births {
  /** Reads on to before row `end`; never back. */
  readonly readTo: (end: number) => void;
  /** An allocation of a run in which threads go at their own pace, as it happens. */
  readonly note?: (row: number, handle: Handle, ns: Ns) => void;
  /** The event that gave the block its present size and place. */
  readonly eventOf: (slot: number, handle: Handle) => number;
  /** Number, in the trace, of the thread whose event it is. */
  readonly threadOf: (event: number) => number;
  /** The virtual time of the event. */
  readonly nsOf: (event: number) => Ns;
}

/** Where events run in file order, the last allocation of a slot before the moment is the block that lies in it. */
export function birthsInFileOrder(events: EventBuffer): Births {
  const rows = new Int32Array(events.objectSlots).fill(-1);
  let row = 0;
  return {
    readTo(end) {
      for (; row < Math.min(end, events.length); row++) {
        if (isAllocating(events.head[row]! & OP_MASK) && !hasFailed(events, row)) rows[events.slot[row]!] = row;
      }
    },
    eventOf: (slot) => rows[slot]!,
    threadOf: threadsOfRows(events),
    nsOf: () => -1,
  };
}

/** Threads at their own pace number their objects as they go: which event allocated a block is noted while it runs. */
export function birthsAsTheyHappen(events: EventBuffer): Births {
  const rows = new Map<Handle, number>();
  const times = new Float64Array(events.length);
  return {
    readTo: () => {},
    note(row, handle, ns) {
      rows.set(handle, row);
      times[row] = ns;
    },
    eventOf: (_slot, handle) => rows.get(handle) ?? -1,
    threadOf: threadsOfRows(events),
    nsOf: (event) => times[event]!,
  };
}

/** Real threads tell nobody of single events. */
export const BIRTHS_UNKNOWN: Births = { readTo: () => {}, eventOf: () => -1, threadOf: () => -1, nsOf: () => -1 };

/** A thread slot is used again: who lives in it at a row is who began in it last. */
function threadsOfRows({ begins, head, threadSlots }: EventBuffer): (event: number) => number {
  const lives: { readonly row: number; readonly id: number }[][] = Array.from({ length: threadSlots }, () => []);
  for (const { row, thread, id } of begins) lives[thread]!.push({ row, id });
  return (event) => {
    const slot = head[event]! >>> OP_BITS;
    return slot === 0 ? 0 : (lives[slot]!.findLast(({ row }) => row <= event)?.id ?? -1);
  };
}

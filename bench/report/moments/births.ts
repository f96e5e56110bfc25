import { type EventBuffer, isAllocating, OP_BITS, OP_MASK, OP_THREAD_EXIT } from '../../../sim/contract/event.ts';

/** Who allocated what lies in an object slot; -1 where it is not known. */
export interface Births {
  /** Reads on to before row `end`; never back. */
  readonly readTo: (end: number) => void;
  /** The event that gave the block its present size and place. */
  readonly eventOf: (slot: number) => number;
  /** Number of the thread in the trace. */
  readonly threadOf: (slot: number) => number;
}

/** Where events run in file order, the last allocation of a slot before the moment is the block that lies in it. */
export function birthsInFileOrder(events: EventBuffer): Births {
  const rows = new Int32Array(events.objectSlots).fill(-1);
  const threads = new Float64Array(events.objectSlots).fill(-1);
  const aliveAs = new Float64Array(events.threadSlots).fill(-1);
  aliveAs[0] = 0;
  let next = 0;
  let row = 0;
  return {
    readTo(end) {
      for (; row < Math.min(end, events.length); row++) {
        for (; events.begins[next]?.row === row; next++) aliveAs[events.begins[next]!.thread] = events.begins[next]!.id;
        const word = events.head[row]!;
        const op = word & OP_MASK;
        const t = word >>> OP_BITS;
        if (isAllocating(op)) {
          rows[events.slot[row]!] = row;
          threads[events.slot[row]!] = aliveAs[t]!;
        } else if (op === OP_THREAD_EXIT && t !== 0) {
          aliveAs[t] = -1;
        }
      }
    },
    eventOf: (slot) => rows[slot]!,
    threadOf: (slot) => threads[slot]!,
  };
}

/** Threads at their own pace number their objects as they go. */
export const BIRTHS_UNKNOWN: Births = { readTo: () => {}, eventOf: () => -1, threadOf: () => -1 };

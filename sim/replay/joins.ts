import type { Beginning } from '../contract/beginning.ts';
import { OP_JOIN, OP_THREAD_BEGIN, OP_THREAD_EXIT } from '../contract/event.ts';
import { LG_LIFE_WORDS, USES } from './slots.ts';

/**
 * What a trace says of who makes a thread, and who waits for its exit. Each thread then has a slot, whose uses are these events and its exits. A join and
 * a `tb` wait for all of them that stand before: `tb` for who makes the thread, a join for its exit.
 */
export interface Joins {
  /** Of the next event, one of the four operations, by thread `t`; 0: none. */
  slotOf(op: number, t: number): number;
  /** How many uses of the slot it waits for; then it may be one itself. */
  needOf(op: number, slot: number): number;
}

/** How many slots that takes. */
export const joinSlots = (named: Int32Array, threads: number): number => (named.length > 0 ? threads : 0);

/** `named` as in thread-rows.ts; `firstSlot`: of the main thread; `lives` as in slots.ts. */
export function createJoins(named: Int32Array, firstSlot: number, lives: Int32Array, beginning: Beginning): Joins {
  const read = beginning.keep(new Int32Array(1)); // of `named`

  function slotOf(op: number, t: number): number {
    if (named.length === 0) return 0;
    if (op === OP_THREAD_EXIT || op === OP_THREAD_BEGIN) return firstSlot + t;
    const other = named[read[0]!++]!;
    return other < 0 ? 0 : firstSlot + other;
  }

  function needOf(op: number, slot: number): number {
    const before = slot === 0 ? 0 : lives[(slot << LG_LIFE_WORDS) + USES]!;
    if (slot !== 0 && op !== OP_THREAD_BEGIN) lives[(slot << LG_LIFE_WORDS) + USES]!++;
    return op === OP_JOIN || op === OP_THREAD_BEGIN ? before : 0;
  }

  return { slotOf, needOf };
}

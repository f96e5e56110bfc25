import type { Marks } from '../contract/event.ts';
import * as traced from '../contract/event.ts';

// The events of a thread lie in chunks of the pool `records`, whose last records hold the link to the next:
//
//   thread ─► ┌────────┬────────┬─ … ─┬────────┐      ┌─
//             │ record │ record │     │  next ─┼────► │    1 << LG_CHUNK_WORDS int32 a chunk
//             └────────┴────────┴─ … ─┴────────┘      └─
//
//   ┌────────┬──────┬────┬────────────┐    two words, as small as can be: with slices of milliseconds a trace is
//   │ slot   │ flag │ op │ argument   │    read far ahead of what is executed, through the host's memory
//   └────────┴──────┴────┴────────────┘
//     26       1      5    32 bits         argument: of a malloc the size, of a free how many uses it waits for, of others `a`;
//                                          `extra`: their b, of a sample its row. a, b as in event.ts, slots of this file;
//                                          of a row with a mark OP_BY_MARK and the row
//
// An event's position is the index of its record's first word.
export const LG_RECORD_WORDS = 1;
export const RECORD_WORDS = 1 << LG_RECORD_WORDS;
export const LG_CHUNK_WORDS = 9;
export const CHUNK_MASK = (1 << LG_CHUNK_WORDS) - 1;
/** Where the link is in a chunk. */
export const CHUNK_END = (1 << LG_CHUNK_WORDS) - RECORD_WORDS;
/** Another thread has used the object since it was allocated, or allocated it. */
export const OF_OTHERS = traced.OP_MASK + 1;
export const SLOT_SHIFT = Math.log2(OF_OTHERS) + 1;

/**
 * A trace as the free-running modes need it (trace-format.md): for each thread its own events in their order, and what
 * each of them waits for.
 *
 * Object slots are numbered anew. In a trace's own numbering a slot is used again as soon as its block is dead in *file*
 * order, which is no order that threads keep. Here a slot that thread T has freed is used again by T; by another one only if the free has
 * been executed when the allocation is read.
 *
 * Every use of a slot (allocation, realloc, write) has a number, counted over all its lives. A free or a realloc waits for
 * all earlier ones (`need`), a write for the last allocation or realloc. An allocation waits for nothing: its thread has freed the
 * slot, after all uses.
 *
 * A thread's later lives follow in the same list, after the THREAD_EXIT of the one before. Every wait points backwards in the file, so a
 * cycle is impossible.
 *
 * A fork has a slot of its own, and waits for the last event of every thread that it takes: all that stands before it in the file has happened then.
 * What begins behind it waits for the fork. Where a trace says who makes a thread or waits for it each thread has a slot of its own, too (joins.ts).
 */
export interface ProgramOrder {
  readonly threads: number;
  /** Thread number in the trace, by thread. */
  readonly ids: Uint32Array;
  /** By thread: the slot of the fork that it begins after, and of the one that took it; 0: none. */
  readonly bornAfter: Int32Array;
  readonly takenBy: Int32Array;
  /** By slot of a fork: how many threads it takes. */
  readonly taken: Int32Array;
  /** The position of each thread's first event. */
  readonly first: Int32Array;
  /** Where its next event will be noted. */
  readonly tail: Int32Array;
  readonly records: Int32Array;
  /** By position >> LG_RECORD_WORDS: see above. */
  readonly extra: Int32Array;
  /** The same, of events other than malloc and free: how many uses the event waits for, 0 for none. */
  readonly needs: Int32Array;
  /** As in event.ts, in slots of this file; and how many uses each waits for. */
  readonly requestFrees: Int32Array;
  readonly requestNeeds: Int32Array;
  readonly marks: Marks;
  /** Slots at most. */
  readonly slotLimit: number;
}

/** Reads the trace as far as somebody asks, so that what is read and not yet executed stays small, and in the host's caches. */
export interface ProgramOrderReader {
  readonly order: ProgramOrder;
  /** Where the thread's next event is, given where the one before ended; 0 for none. Chunks that lie behind are given back. */
  next(t: number, position: number): number;
  /** Whether the thread has no event from `position` on. */
  isEnd(t: number, position: number): boolean;
  /** Up to where the thread's events lie side by side from `position` on, as far as they have been read. */
  endOf(t: number, position: number): number;
  /** Reads the whole trace. */
  readAll(): void;
  /** Slots used so far + 1. */
  objectSlots(): number;
  /** Of the events read so far. */
  crossThreadFrees(): number;
  /** The event index in the trace of the thread's n-th event, or of its last one. Looks through the whole trace the first time. */
  rowOf(t: number, n: number): number;
}

export function slotOf({ records }: ProgramOrder, position: number): number {
  return records[position]! >>> SLOT_SHIFT;
}

/** `b` of an event that is neither malloc nor free; of a sample its row. Unsigned. */
export function secondArgumentOf({ extra }: ProgramOrder, position: number): number {
  return extra[position >> LG_RECORD_WORDS]! >>> 0;
}

/** The size of a malloc, the number of uses that a free waits for; of other events `a`. Unsigned. */
export function argumentOf({ records }: ProgramOrder, position: number): number {
  return records[position + 1]! >>> 0;
}

/** How many uses of its object the event at `position` waits for. */
export function needOf(order: ProgramOrder, position: number): number {
  const op = order.records[position]! & traced.OP_MASK;
  if (op === traced.OP_FREE || op === traced.OP_EFREE) return argumentOf(order, position);
  if (op === traced.OP_MALLOC || op === traced.OP_EMALLOC) return 0;
  return order.needs[position >> LG_RECORD_WORDS]!;
}

/** Whether others may wait for the event: an allocation, a realloc, a write, a fork, what makes or ends a thread; a free is the last that happens to an object. */
export function isUse(op: number, slot: number, a: number): boolean {
  if (op === traced.OP_BY_MARK || op === traced.OP_FORK) return slot !== 0;
  if (op === traced.OP_THREAD_EXIT || op === traced.OP_JOIN || op === traced.OP_CREATE) return slot !== 0;
  if (op > traced.OP_EREALLOC || op === traced.OP_FREE || op === traced.OP_EFREE || slot === 0) return false;
  return a !== 0 || (op !== traced.OP_REALLOC && op !== traced.OP_EREALLOC);
}

/** A column of so many words at least. */
export function sharedInt32(words: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(Math.max(1, words) * 4));
}

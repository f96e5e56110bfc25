import type { EventBuffer, TraceSummary } from '../contract/event.ts';
import * as traced from '../contract/event.ts';

// Which rows of a trace are whose, by thread number: the later lives of a number are the same thread here.

/** Rows that one call looks at: code that replaces a function is better than code that replaces a running loop. */
const PIECE_ROWS = 1024;

/**
 * Whether the event is its thread's own, with which a thread that has exited begins a new life. A sample point and a move of the clock
 * belong to the thread of the event before, which may have exited.
 */
export function namesThread(op: number): boolean {
  return op !== traced.OP_CLOCK && op !== traced.OP_SAMPLE && op !== traced.OP_SKIPPED;
}

/** The thread numbers of a trace, in the order in which they begin. */
export function threadIds(events: TraceSummary): Uint32Array {
  return Uint32Array.from(new Set([0, ...events.begins.map(({ id }) => id)]));
}

/** The same the other way round: the thread of each number. */
export const threadNumbers = (ids: Uint32Array) => new Map(Array.from(ids, (id, t) => [id, t]));

export interface ThreadEnd {
  readonly thread: number;
  /** Its last event. */
  readonly row: number;
}

/** Where the threads end, in file order. Reads the trace from its end, as far as it must. */
export function lastRows(events: EventBuffer, ids: Uint32Array): ThreadEnd[] {
  const { OP_BITS, OP_MASK, OP_OPT } = traced;
  const { head, begins } = events;
  const threadOf = threadNumbers(ids);
  // Which thread had the slot before, by begin; at the end `current` is as at the end of the trace.
  const current = new Int32Array(events.threadSlots);
  const before = begins.map(({ thread, id }) => {
    const previous = current[thread]!;
    current[thread] = threadOf.get(id)!;
    return previous;
  });
  const last = new Int32Array(ids.length).fill(-1);
  const isKnown = new Uint8Array(events.threadSlots); // by thread slot: the last row of the thread that has it
  const ends: ThreadEnd[] = [];
  let unowned = -1; // the last row so far that belongs to the thread of the event before it

  function found(thread: number, row: number): void {
    if (last[thread]! >= 0) return;
    last[thread] = row;
    ends.push({ thread, row });
  }

  /** Backwards from `to`: the first row that may say something new, or the one before `from`. */
  function skip(to: number, from: number): number {
    let row = to;
    for (; row >= from; row--) {
      const word = head[row]!;
      if (isKnown[word >>> OP_BITS] === 0 || (word & OP_MASK) > OP_OPT) break;
    }
    return row;
  }

  function look(to: number, from: number): void {
    for (let row = to; row >= from && ends.length < ids.length; row--) {
      if (unowned < 0) {
        const piece = Math.max(from, row - PIECE_ROWS);
        row = skip(row, piece);
        if (row < piece) {
          row++;
          continue;
        }
      }
      const op = head[row]! & OP_MASK;
      if (!namesThread(op)) {
        if (unowned < 0) unowned = row;
        continue;
      }
      const t = current[head[row]! >>> OP_BITS]!;
      if (unowned >= 0) {
        found(t, unowned);
        unowned = -1;
      }
      found(t, row);
      isKnown[head[row]! >>> OP_BITS] = 1;
    }
  }

  let to = events.length - 1;
  for (let i = begins.length - 1; i >= 0; i--) {
    const { row, thread } = begins[i]!;
    look(to, row);
    current[thread] = before[i]!;
    isKnown[thread] = last[before[i]!]! < 0 ? 0 : 1;
    to = Math.min(to, row - 1);
  }
  look(to, 0);
  if (unowned >= 0) found(0, unowned);
  return ends.sort((x, y) => x.row - y.row);
}

/** The rows of each thread's events, one thread after the other, and where those of each thread begin. */
export function rowsByThread(events: EventBuffer, ids: Uint32Array): { rows: Int32Array; first: Int32Array } {
  const { OP_BITS, OP_MASK } = traced;
  const threadOf = threadNumbers(ids);
  const current = new Int32Array(events.threadSlots);
  const threadOfRow = new Int32Array(events.length);
  const first = new Int32Array(ids.length + 1);
  let begin = 0;
  let last = 0;
  for (let row = 0; row < events.length; row++) {
    for (; events.begins[begin]?.row === row; begin++) {
      current[events.begins[begin]!.thread] = threadOf.get(events.begins[begin]!.id)!;
    }
    const op = events.head[row]! & OP_MASK;
    if (namesThread(op)) last = current[events.head[row]! >>> OP_BITS]!;
    threadOfRow[row] = last;
    first[last + 1]!++;
  }
  for (let t = 0; t < ids.length; t++) first[t + 1]! += first[t]!;
  const next = first.slice();
  const rows = new Int32Array(events.length);
  for (let row = 0; row < events.length; row++) rows[next[threadOfRow[row]!]!++] = row;
  return { rows, first };
}

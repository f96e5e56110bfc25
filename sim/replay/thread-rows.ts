import type { EventBuffer, PassingTrace } from '../contract/event.ts';
import * as traced from '../contract/event.ts';
import { PIECE_ROWS } from './row-pieces.ts';

// Which rows of a trace are whose.

/**
 * Whether the event is its thread's own, with which a thread that has exited begins a new life. A sample point and a move of the clock
 * belong to the thread of the event before, which may have exited.
 */
export function namesThread(op: number): boolean {
  return op !== traced.OP_CLOCK && op !== traced.OP_SAMPLE && op !== traced.OP_SKIPPED;
}

/**
 * The threads of a trace, in the order in which they begin; 0 is the main thread. A thread that exits and begins again goes on; one that a fork
 * took is gone, and its number, if it occurs again, is a new thread.
 */
export interface TraceThreads {
  /** Thread number in the trace, by thread. */
  readonly ids: Uint32Array;
  /** By place in `begins`: the thread that begins there. */
  readonly ofBegin: Int32Array;
  /** By thread: the fork that it begins after (0: none, 1: the first one), and the one that took it (0: none). */
  readonly bornAfter: Int32Array;
  readonly takenBy: Int32Array;
  /** By fork, from 1: how many threads it took. */
  readonly taken: Int32Array;
  /** By CREATE and JOIN, in file order: the thread that is made or was waited for, -1 where it never begins. */
  readonly named: Int32Array;
}

export function threadsOf(events: EventBuffer | PassingTrace): TraceThreads {
  const { begins } = events;
  const { forks, names } = rowsBetween(events);
  const ids = [0];
  const bornAfter = [0];
  const takenBy = [0];
  const taken = new Int32Array(forks.length + 1);
  const ofBegin = new Int32Array(begins.length);
  const inSlot = new Int32Array(events.threadSlots); // by thread slot: the thread that had it last
  let threadOf = new Map([[0, 0]]); // by number: those that no fork took
  const named = new Int32Array(names.length).fill(-1);
  const toBegin = new Map<number, number>(); // by number of a thread that has yet to begin for the first time: who made it, by place in `named`
  let fork = 0;
  let name = 0;

  function passNames(row: number): void {
    const { head, a } = events as EventBuffer;
    for (; name < names.length && names[name]! < row; name++) {
      const id = a[names[name]!]!;
      const t = threadOf.get(id);
      if (t !== undefined) named[name] = t;
      else if ((head[names[name]!]! & traced.OP_MASK) === traced.OP_CREATE) toBegin.set(id, name);
    }
  }

  /** Forks before the row; `inSlot` is as it was there. */
  function passForks(row: number): void {
    for (; fork < forks.length && forks[fork]! < row; fork++) {
      passNames(forks[fork]!);
      const forker = inSlot[(events as EventBuffer).head[forks[fork]!]! >>> traced.OP_BITS]!;
      for (const t of threadOf.values()) if (t !== forker) takenBy[t] = fork + 1;
      taken[fork + 1] = threadOf.size - 1;
      threadOf = new Map([[ids[forker]!, forker]]);
    }
    passNames(row);
  }

  begins.forEach(({ row, thread, id }, i) => {
    passForks(row);
    let t = threadOf.get(id);
    if (t === undefined) {
      t = ids.push(id) - 1;
      bornAfter.push(fork);
      takenBy.push(0);
      threadOf.set(id, t);
      const maker = toBegin.get(id);
      if (maker !== undefined) named[maker] = t;
      toBegin.delete(id);
    }
    ofBegin[i] = t;
    inSlot[thread] = t;
  });
  passForks(events.length);
  return {
    ids: Uint32Array.from(ids),
    ofBegin,
    bornAfter: Int32Array.from(bornAfter),
    takenBy: Int32Array.from(takenBy),
    taken,
    named,
  };
}

/** Where a process is a copy of its parent, and where a thread names another one. With one thread there is nobody to be taken, or named. */
function rowsBetween(events: EventBuffer | PassingTrace): { forks: readonly number[]; names: readonly number[] } {
  const { OP_CREATE, OP_FORK, OP_JOIN, OP_MASK } = traced;
  const forks: number[] = [];
  const names: number[] = [];
  if (traced.isPassing(events) || events.begins.length === 0) return { forks, names };
  const { head, length } = events;
  for (let row = 0; row < length; row++) {
    const op = head[row]! & OP_MASK;
    if (op === OP_FORK) forks.push(row);
    else if (op === OP_JOIN || op === OP_CREATE) names.push(row);
  }
  return { forks, names };
}

export interface ThreadEnd {
  readonly thread: number;
  /** Its last event. */
  readonly row: number;
}

/** Where the threads end, in file order. Reads the trace from its end, as far as it must. */
export function lastRows(events: EventBuffer, { ids, ofBegin }: TraceThreads): ThreadEnd[] {
  const { OP_BITS, OP_MASK, OP_OPT } = traced;
  const { head, begins } = events;
  // Which thread had the slot before, by begin; at the end `current` is as at the end of the trace.
  const current = new Int32Array(events.threadSlots);
  const before = begins.map(({ thread }, i) => {
    const previous = current[thread]!;
    current[thread] = ofBegin[i]!;
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
export function rowsByThread(
  events: EventBuffer,
  { ids, ofBegin }: TraceThreads,
): { rows: Int32Array; first: Int32Array } {
  const { OP_BITS, OP_MASK } = traced;
  const current = new Int32Array(events.threadSlots);
  const threadOfRow = new Int32Array(events.length);
  const first = new Int32Array(ids.length + 1);
  let begin = 0;
  let last = 0;
  for (let row = 0; row < events.length; row++) {
    for (; events.begins[begin]?.row === row; begin++) {
      current[events.begins[begin]!.thread] = ofBegin[begin]!;
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

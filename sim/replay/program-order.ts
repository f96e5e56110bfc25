import { assert, UserError } from '../contract/assert.ts';
import type { EventBuffer, Marks } from '../contract/event.ts';
import * as traced from '../contract/event.ts';
import { lastRows, namesThread, rowsByThread, type ThreadEnd, threadIds, threadNumbers } from './thread-rows.ts';

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
 * A thread is a thread number of the trace; its later lives follow in the same list, after the THREAD_EXIT of the one
 * before. Every wait points backwards in the file, so a cycle is impossible.
 */
export interface ProgramOrder {
  readonly threads: number;
  /** Thread number in the trace, by thread. */
  readonly ids: Uint32Array;
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

// What is known of a slot while the trace is read: int32 each.
const LG_LIFE_WORDS = 2;
const OWNER = 0; // of a live object: the thread that allocated it << 1, | 1 where others have used it; of a dead one: the next on its list
const USES = 1;
const ALLOCATED = 2; // number of the last allocation or realloc
// Of the first in a batch of free slots:
const NEXT_BATCH = ALLOCATED;
const LAST_CHUNK = 3; // with the last event that has freed one of them

/** Slots that a thread gets at a time where none are free: a line of the table of objects, and more. */
const FRESH_SLOTS = 16;
/** So many that a thread has freed, and not used again, are a batch that others may get. */
const BATCH_SLOTS = 64;

/** A table of 2 GiB. */
const SLOTS_MAX = 2 ** 26;

/** Of a thread, before it gets a second chunk. */
const FIRST_RECORDS = 4;

/** Rows that are read at a time: few enough for all that is written about them to stay in a first cache. */
const PIECE_ROWS = 1024;

/** The columns are shared memory, so that workers can be given them as they are. */
export function readProgramOrder(events: EventBuffer): ProgramOrderReader {
  const ids = threadIds(events);
  const threads = ids.length;
  const slotLimit = Math.min(events.length + (threads + 1) * FRESH_SLOTS, SLOTS_MAX);
  const chunks = Math.ceil((events.length * RECORD_WORDS) / CHUNK_END) + 2 * threads + 1;
  // Each thread has a chunk from the beginning; chunk 0 is none. The first events lie at its end: what happens at the end of a chunk is
  // then known to the host's compiler before it compiles anything.
  const first = Int32Array.from(ids, (_, t) => ((t + 1) << LG_CHUNK_WORDS) + CHUNK_END - FIRST_RECORDS * RECORD_WORDS);
  const order: ProgramOrder = {
    threads,
    ids,
    first,
    tail: first.slice(),
    records: sharedInt32(chunks << LG_CHUNK_WORDS),
    extra: sharedInt32(chunks << (LG_CHUNK_WORDS - LG_RECORD_WORDS)),
    needs: sharedInt32(chunks << (LG_CHUNK_WORDS - LG_RECORD_WORDS)),
    requestFrees: sharedInt32(events.requestFrees.length),
    requestNeeds: sharedInt32(events.requestFrees.length),
    marks: events.marks,
    slotLimit,
  };
  return createReader(events, order, lastRows(events, ids));
}

function createReader(events: EventBuffer, order: ProgramOrder, ends: readonly ThreadEnd[]): ProgramOrderReader {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const {
    OP_BITS,
    OP_BY_MARK,
    OP_CALLOC,
    OP_ECALLOC,
    OP_EFREE,
    OP_EMALLOC,
    OP_EREALLOC,
    OP_FREE,
    OP_MALLOC,
    OP_MARKED,
    OP_MASK,
    OP_MEMALIGN,
    OP_OR_MARK,
    OP_REALLOC,
    OP_REQUEST_END,
    OP_SAMPLE,
    OP_TRIM,
    OP_WRITE,
  } = traced;
  const ofOthers = OF_OTHERS;
  const slotShift = SLOT_SHIFT;
  const chunkEnd = CHUNK_END;
  const chunkMask = CHUNK_MASK;
  const lgChunkWords = LG_CHUNK_WORDS;
  const recordWords = RECORD_WORDS;
  const lgLifeWords = LG_LIFE_WORDS;
  const { length, head, slot, a, b, requestFrees: tracedFrees, begins } = events;
  const { threads, records, extra, needs, tail, slotLimit, requestFrees, requestNeeds } = order;
  const lgRecordWords = LG_RECORD_WORDS;
  const threadOf = threadNumbers(order.ids);
  /** By thread slot of the trace: the thread. */
  const current = new Int32Array(events.threadSlots);
  /** By slot of the trace: the slot of this file, 0 while dead. */
  const now = new Int32Array(events.objectSlots);
  const lives = new Int32Array(slotLimit << LG_LIFE_WORDS);
  const freeSlots = new Int32Array(threads); // those that the thread may use again: a list,
  const freeCount = new Int32Array(threads); // so long
  const firstBatch = new Int32Array(threads); // more of them, the oldest first
  const lastBatch = new Int32Array(threads);
  // Where the next thread begins, and behind the last event of the next one that ends.
  const beginRows = Int32Array.from([...begins.map(({ row }) => row), length]);
  const endRows = Int32Array.from([...ends.map(({ row }) => row + 1), length]);
  const hasEnded = new Uint8Array(threads).fill(1); // whether the thread's last event has been read; some have none
  for (const { thread } of ends) hasEnded[thread] = 0;
  const state = new Int32Array(9); // in an array: a variable that functions share is looked up, checked and stored at every use
  const READ = 0; // rows
  const BEGUN = 1; // entries of `begins`
  const LAST_THREAD = 2; // the thread of the event before
  const SLOTS = 3; // ever used
  const FREE_CHUNK = 4;
  const CHUNKS = 5; // ever used
  const CROSS_THREAD_FREES = 6;
  const ENDED = 7; // entries of `ends`
  const POOL = 8; // batches that any thread may use
  let byThread: ReturnType<typeof rowsByThread> | undefined;
  state[SLOTS] = FRESH_SLOTS;
  state[CHUNKS] = threads + 1;

  /** The thread's last chunk is full: links a new one to it. */
  function extend(t: number): number {
    const chunk = state[FREE_CHUNK]! || state[CHUNKS]!++;
    const p = chunk << lgChunkWords;
    if (chunk === state[FREE_CHUNK]) state[FREE_CHUNK] = records[p + chunkEnd + 1]!;
    records[p + chunkEnd + 1] = 0;
    records[tail[t]! + 1] = chunk;
    return p;
  }

  /** All events of the thread's chunk have been executed: what was freed by then is anybody's. */
  function leave(t: number, position: number): void {
    const chunk = position >> lgChunkWords;
    records[(chunk << lgChunkWords) + chunkEnd + 1] = state[FREE_CHUNK]!;
    state[FREE_CHUNK] = chunk;
    while (firstBatch[t] !== 0 && lives[(firstBatch[t]! << lgLifeWords) + LAST_CHUNK] === chunk) {
      const batch = takeBatch(t);
      lives[(batch << lgLifeWords) + NEXT_BATCH] = state[POOL]!;
      state[POOL] = batch;
    }
  }

  /** The thread's free slots become a batch. */
  function closeBatch(t: number): void {
    const batch = freeSlots[t]!;
    freeSlots[t] = 0;
    freeCount[t] = 0;
    lives[(batch << lgLifeWords) + NEXT_BATCH] = 0;
    lives[(batch << lgLifeWords) + LAST_CHUNK] = (tail[t]! - recordWords) >> lgChunkWords;
    if (firstBatch[t] === 0) firstBatch[t] = batch;
    else lives[(lastBatch[t]! << lgLifeWords) + NEXT_BATCH] = batch;
    lastBatch[t] = batch;
  }

  /** The oldest batch of the thread, 0 for none. */
  function takeBatch(t: number): number {
    const batch = firstBatch[t]!;
    if (batch !== 0) firstBatch[t] = lives[(batch << lgLifeWords) + NEXT_BATCH]!;
    return batch;
  }

  function dead(row: number, doing: string): UserError {
    return new UserError(
      `event ${row} ${doing} an object that no earlier event allocates: it would wait for ever, in any order of the threads`,
    );
  }

  /** The thread has no free slot left: gets more, and returns the first. */
  function refill(t: number): number {
    let batch = takeBatch(t);
    if (batch === 0 && state[POOL] !== 0) {
      batch = state[POOL]!;
      state[POOL] = lives[(batch << lgLifeWords) + NEXT_BATCH]!;
    }
    freeCount[t] = batch === 0 ? FRESH_SLOTS : BATCH_SLOTS;
    freeSlots[t] = batch || freshSlots();
    return freeSlots[t]!;
  }

  /** A few that were never used, side by side. */
  function freshSlots(): number {
    const first = state[SLOTS]!;
    state[SLOTS] = first + FRESH_SLOTS;
    if (state[SLOTS]! > slotLimit)
      throw new UserError(`found more than ${slotLimit} objects, expected fewer at a time`);
    for (let s = first; s < first + FRESH_SLOTS - 1; s++) lives[(s << lgLifeWords) + OWNER] = s + 1;
    return first;
  }

  /** An allocation: the slot that it gets. */
  function allocate(t: number, traceSlot: number): number {
    const s = freeSlots[t] || refill(t);
    freeSlots[t] = lives[(s << LG_LIFE_WORDS) + OWNER]!;
    freeCount[t]!--;
    now[traceSlot] = s;
    lives[(s << LG_LIFE_WORDS) + OWNER] = t << 1;
    renew(s);
    return s;
  }

  /** It was allocated or resized. */
  function renew(s: number): void {
    const p = s << LG_LIFE_WORDS;
    lives[p + ALLOCATED] = ++lives[p + USES]!;
  }

  /** Whether others than `t` have to do with a live object, as a flag: computed, as it is often as good as random. */
  function flagOf(t: number, s: number): number {
    const difference = lives[(s << LG_LIFE_WORDS) + OWNER]! ^ (t << 1);
    return ((difference | -difference) >>> 31) * ofOthers;
  }

  /** The object is dead: its slot is the freeing thread's. */
  function release(t: number, traceSlot: number, s: number): void {
    now[traceSlot] = 0;
    const difference = (lives[(s << LG_LIFE_WORDS) + OWNER]! >> 1) ^ t;
    state[CROSS_THREAD_FREES]! += (difference | -difference) >>> 31;
    addFree(t, s);
  }

  function addFree(t: number, s: number): void {
    lives[(s << LG_LIFE_WORDS) + OWNER] = freeSlots[t]!;
    freeSlots[t] = s;
    if (++freeCount[t]! === BATCH_SLOTS) closeBatch(t);
  }

  /** The thread uses a live object, and leaves it alive. */
  function use(t: number, s: number): void {
    if (lives[(s << LG_LIFE_WORDS) + OWNER]! >> 1 !== t) lives[(s << LG_LIFE_WORDS) + OWNER]! |= 1;
  }

  /** The position of the thread's next event. */
  function nextPosition(t: number): number {
    let p = tail[t]!;
    if ((p & chunkMask) === chunkEnd) p = extend(t);
    tail[t] = p + recordWords;
    return p;
  }

  /** A malloc of so many bytes, or a free that waits for so many uses. */
  function put(t: number, word: number, argument: number): void {
    const p = nextPosition(t);
    records[p] = word;
    records[p + 1] = argument;
  }

  /** What is rare, and may have to wait. */
  function putOther(t: number, row: number, word: number, need: number): void {
    const p = nextPosition(t);
    records[p] = word;
    records[p + 1] = a[row]!;
    extra[p >> lgRecordWords] = b[row]!;
    needs[p >> lgRecordWords] = need;
  }

  /**
   * Up to the first row that is neither malloc nor free, which is returned; or `to`. Most of what is done about a trace is done here:
   * what `allocate`, `release` and others do for the rest is written out, with what they count in variables.
   */
  function read(from: number, to: number): number {
    let crossThreadFrees = 0;
    let row = from;
    for (; row < to; row++) {
      const word = head[row]!;
      const op = word & OP_OR_MARK;
      if (op === OP_MALLOC || op === OP_EMALLOC) {
        const t = current[word >>> OP_BITS]!;
        const s = freeSlots[t] === 0 ? refill(t) : freeSlots[t]!;
        const life = s << lgLifeWords;
        freeSlots[t] = lives[life + OWNER]!;
        freeCount[t]!--;
        now[slot[row]!] = s;
        lives[life + OWNER] = t << 1;
        lives[life + ALLOCATED] = ++lives[life + USES]!;
        put(t, op | (s << slotShift), a[row]!);
      } else if (op === OP_FREE || op === OP_EFREE) {
        const t = current[word >>> OP_BITS]!;
        const s = now[slot[row]!]!;
        if (s === 0) throw dead(row, 'frees');
        now[slot[row]!] = 0;
        const life = s << lgLifeWords;
        const stranger = lives[life + OWNER]! ^ (t << 1);
        const owner = stranger >> 1;
        put(t, op | (((stranger | -stranger) >>> 31) * ofOthers) | (s << slotShift), lives[life + USES]!);
        crossThreadFrees += (owner | -owner) >>> 31;
        addFree(t, s);
      } else {
        break;
      }
    }
    state[CROSS_THREAD_FREES]! += crossThreadFrees;
    if (row > from) state[LAST_THREAD] = current[head[row - 1]! >>> OP_BITS]!;
    return row;
  }

  function readOther(row: number): void {
    const op = head[row]! & OP_MASK;
    if (namesThread(op)) state[LAST_THREAD] = current[head[row]! >>> OP_BITS]!;
    const t = state[LAST_THREAD]!;
    if ((head[row]! & OP_MARKED) !== 0) {
      readMarked(t, row, op);
      return;
    }
    switch (op) {
      case OP_CALLOC:
      case OP_ECALLOC:
      case OP_MEMALIGN:
        putOther(t, row, op | (allocate(t, slot[row]!) << slotShift), 0);
        break;
      case OP_REALLOC:
      case OP_EREALLOC:
        readRealloc(t, row, op);
        break;
      case OP_WRITE: {
        const s = now[slot[row]!]!;
        if (s === 0) throw dead(row, 'writes to');
        putOther(t, row, op | flagOf(t, s) | (s << slotShift), lives[(s << LG_LIFE_WORDS) + ALLOCATED]!);
        lives[(s << LG_LIFE_WORDS) + USES]!++;
        use(t, s);
        break;
      }
      case OP_REQUEST_END:
        putOther(t, row, op, 0);
        for (let i = a[row]!; i < a[row]! + b[row]!; i++) {
          const s = now[tracedFrees[i]!]!;
          requestFrees[i] = s;
          requestNeeds[i] = lives[(s << LG_LIFE_WORDS) + USES]!;
          release(t, tracedFrees[i]!, s);
        }
        break;
      case OP_SAMPLE:
        putOther(t, row, op, 0);
        extra[(tail[t]! - RECORD_WORDS) >> lgRecordWords] = row;
        break;
      default: // nothing to wait for; of a mallopt the slot is its name
        putOther(t, row, op | (slot[row]! << slotShift), 0);
    }
  }

  /** A row with a mark: the interpreter looks up the rest by its number. */
  function readMarked(t: number, row: number, op: number): void {
    const old = now[slot[row]!]!; // 0 for an allocation that fails: it has no slot
    if (op === OP_WRITE && old === 0) throw dead(row, 'writes to');
    const isFailed = traced.hasFailed(events, row);
    const isFirst = old === 0 && slot[row] !== 0 && op !== OP_TRIM && !isFailed;
    const s = isFirst ? allocate(t, slot[row]!) : old;
    const need = isFirst ? 0 : lives[(s << LG_LIFE_WORDS) + (op === OP_WRITE ? ALLOCATED : USES)]!;
    putOther(t, row, OP_BY_MARK | (isFirst || s === 0 ? 0 : flagOf(t, s)) | (s << slotShift), s === 0 ? 0 : need);
    records[tail[t]! - RECORD_WORDS + 1] = row;
    if (isFirst || s === 0) return;
    if (op === OP_WRITE || isFailed) lives[(s << LG_LIFE_WORDS) + USES]!++;
    else renew(s);
    use(t, s);
  }

  function readRealloc(t: number, row: number, op: number): void {
    const old = now[slot[row]!]!;
    if (old === 0) {
      putOther(t, row, op | ((a[row] === 0 ? 0 : allocate(t, slot[row]!)) << slotShift), 0);
      return;
    }
    putOther(t, row, op | flagOf(t, old) | (old << slotShift), lives[(old << LG_LIFE_WORDS) + USES]!);
    if (a[row] === 0) {
      release(t, slot[row]!, old);
    } else {
      renew(old);
      use(t, old);
    }
  }

  /** Reads a piece of the trace; it ends where a thread begins or ends. */
  function readOn(): void {
    const from = state[READ]!;
    assert(from < length, 'a thread has no end');
    for (; beginRows[state[BEGUN]!] === from; state[BEGUN]!++) {
      const { thread, id } = begins[state[BEGUN]!]!;
      current[thread] = threadOf.get(id)!;
    }
    const to = Math.min(from + PIECE_ROWS, beginRows[state[BEGUN]!]!, endRows[state[ENDED]!]!);
    for (let row = read(from, to); row < to; row = read(row + 1, to)) readOther(row);
    state[READ] = to;
    if (endRows[state[ENDED]!] === to && state[ENDED]! < ends.length) {
      hasEnded[ends[state[ENDED]!]!.thread] = 1;
      state[ENDED]!++;
    }
  }

  function isEnd(t: number, position: number): boolean {
    while (position === tail[t]) {
      if (hasEnded[t] === 1) return true;
      readOn();
    }
    return false;
  }

  function next(t: number, position: number): number {
    if (isEnd(t, position)) return 0;
    if ((position & CHUNK_MASK) !== CHUNK_END) return position;
    const chunk = records[position + 1]!;
    leave(t, position);
    return chunk << LG_CHUNK_WORDS;
  }

  function endOf(t: number, position: number): number {
    const end = (position & ~CHUNK_MASK) + CHUNK_END;
    const known = tail[t]!;
    return known >= position && known < end ? known : end;
  }

  return {
    order,
    next,
    isEnd,
    endOf,
    readAll: () => {
      while (state[READ]! < length) readOn();
    },
    objectSlots: () => state[SLOTS]!,
    crossThreadFrees: () => state[CROSS_THREAD_FREES]!,
    rowOf: (t, n) => {
      const { rows, first } = (byThread ??= rowsByThread(events, order.ids));
      return rows[Math.min(first[t]! + n, first[t + 1]! - 1)] ?? 0;
    },
  };
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

/** Whether others may wait for the event: an allocation, a realloc or a write; a free is the last that happens to an object. */
export function isUse(op: number, slot: number, a: number): boolean {
  if (op === traced.OP_BY_MARK) return slot !== 0;
  if (op > traced.OP_EREALLOC || op === traced.OP_FREE || op === traced.OP_EFREE || slot === 0) return false;
  return a !== 0 || (op !== traced.OP_REALLOC && op !== traced.OP_EREALLOC);
}

function sharedInt32(words: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(Math.max(1, words) * 4));
}

import { assert, UserError } from '../contract/assert.ts';
import { type Beginning, createBeginning } from '../contract/beginning.ts';
import type { EventBuffer, PassingTrace } from '../contract/event.ts';
import * as traced from '../contract/event.ts';
import { emptyOrder } from './empty-order.ts';
import { createJoins, joinSlots } from './joins.ts';
import {
  CHUNK_END,
  CHUNK_MASK,
  LG_CHUNK_WORDS,
  LG_RECORD_WORDS,
  OF_OTHERS,
  type ProgramOrder,
  type ProgramOrderReader,
  RECORD_WORDS,
  SLOT_SHIFT,
} from './program-order.ts';
import { ALLOCATED, createSlots, LG_LIFE_WORDS, OWNER, USES } from './slots.ts';
import { lastRows, namesThread, rowsByThread, type ThreadEnd, type TraceThreads, threadsOf } from './thread-rows.ts';

/** An end that is not known yet. */
const NO_ROW = 0x7fffffff;

/** Rows that are read at a time: few enough for all that is written about them to stay in a first cache. */
const PIECE_ROWS = 1024;

/**
 * The columns are shared memory, so that workers can be given them as they are. A trace that passes has one thread, and is read once; one that does not is
 * read again after `beginning` was restored.
 */
export function readProgramOrder(
  events: EventBuffer | PassingTrace,
  beginning = createBeginning(),
): ProgramOrderReader {
  const traceThreads = threadsOf(events);
  const order = emptyOrder(events, traceThreads, beginning);
  const ends = traced.isPassing(events) ? [{ thread: 0, row: NO_ROW - 1 }] : lastRows(events, traceThreads);
  return createReader(events, order, traceThreads, ends, beginning);
}

function createReader(
  events: EventBuffer | PassingTrace,
  order: ProgramOrder,
  traceThreads: TraceThreads,
  ends: readonly ThreadEnd[],
  beginning: Beginning,
): ProgramOrderReader {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const { OP_BITS, OP_MASK, OP_MARKED, OP_OR_MARK, OP_BY_MARK, OP_MALLOC, OP_FREE, OP_EMALLOC, OP_EFREE } = traced;
  const { OP_CALLOC, OP_ECALLOC, OP_MEMALIGN, OP_REALLOC, OP_EREALLOC, OP_WRITE, OP_TRIM, OP_SAMPLE } = traced;
  const { OP_REQUEST_END, OP_FORK, OP_THREAD_BEGIN, OP_THREAD_EXIT, OP_CREATE, OP_JOIN } = traced;
  const ofOthers = OF_OTHERS;
  const slotShift = SLOT_SHIFT;
  const chunkEnd = CHUNK_END;
  const chunkMask = CHUNK_MASK;
  const lgChunkWords = LG_CHUNK_WORDS;
  const recordWords = RECORD_WORDS;
  const lgLifeWords = LG_LIFE_WORDS;
  const { requestFrees: tracedFrees, begins } = events;
  const isPassing = traced.isPassing(events);
  const { head, slot, a, b, mask, bring } = traced.rowsOf(events);
  const { threads, records, extra, needs, tail, taken, requestFrees, requestNeeds } = order;
  const lgRecordWords = LG_RECORD_WORDS;
  /** By thread slot of the trace: the thread. */
  const current = beginning.keep(new Int32Array(events.threadSlots));
  /** By slot of the trace: the slot of this file, 0 while dead. */
  const now = beginning.keep(new Int32Array(traced.isPassing(events) ? events.objectSlotLimit : events.objectSlots));
  const { named } = traceThreads;
  const reserved = taken.length + joinSlots(named, threads);
  const slots = createSlots(threads, order.slotLimit, lastChunk, reserved, beginning);
  const { lives, freeSlots, freeCount, refill, addFree } = slots;
  const joins = createJoins(named, taken.length, lives, beginning);
  // Where the next thread begins, and behind the last event of the next one that ends.
  const beginRows = Int32Array.from([...begins.map(({ row }) => row), NO_ROW]);
  const endRows = Int32Array.from([...ends.map(({ row }) => row + 1), NO_ROW]);
  const hasEnded = beginning.keep(new Uint8Array(threads).fill(1)); // whether the thread's last event has been read; some have none
  for (const { thread } of ends) hasEnded[thread] = 0;
  const state = beginning.keep(new Int32Array(8)); // in an array: a variable that functions share is looked up, checked and stored at every use
  const READ = 0; // rows
  const BEGUN = 1; // entries of `begins`
  const LAST_THREAD = 2; // the thread of the event before
  const FREE_CHUNK = 3;
  const CHUNKS = 4; // ever used
  const CROSS_THREAD_FREES = 5;
  const ENDED = 6; // entries of `ends`
  const FORKS = 7; // their slots are the first
  let byThread: ReturnType<typeof rowsByThread> | undefined;
  state[CHUNKS] = threads + 1;

  /** The thread's last chunk is full: links a new one to it. */
  function extend(t: number): number {
    const chunk = state[FREE_CHUNK]! || state[CHUNKS]!++;
    const p = chunk << lgChunkWords;
    if (chunk === state[FREE_CHUNK]) state[FREE_CHUNK] = records[p + chunkEnd + 1]!;
    assert(p < records.length, 'a thread is further ahead than there is room for');
    records[p + chunkEnd + 1] = 0;
    records[tail[t]! + 1] = chunk;
    return p;
  }

  /** All events of the thread's chunk have been executed: what was freed by then is anybody's. */
  function leave(t: number, position: number): void {
    const chunk = position >> lgChunkWords;
    records[(chunk << lgChunkWords) + chunkEnd + 1] = state[FREE_CHUNK]!;
    state[FREE_CHUNK] = chunk;
    slots.leave(t, chunk);
  }

  /** The chunk of the thread's last event. */
  function lastChunk(t: number): number {
    return (tail[t]! - recordWords) >> lgChunkWords;
  }

  function dead(row: number, doing: string): UserError {
    return new UserError(
      `event ${row} ${doing} an object that no earlier event allocates: it would wait for ever, in any order of the threads`,
    );
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
    records[p + 1] = a[row & mask]!;
    extra[p >> lgRecordWords] = b[row & mask]!;
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
      const word = head[row & mask]!;
      const op = word & OP_OR_MARK;
      if (op === OP_MALLOC || op === OP_EMALLOC) {
        const t = current[word >>> OP_BITS]!;
        const s = freeSlots[t] === 0 ? refill(t) : freeSlots[t]!;
        const life = s << lgLifeWords;
        freeSlots[t] = lives[life + OWNER]!;
        freeCount[t]!--;
        now[slot[row & mask]!] = s;
        lives[life + OWNER] = t << 1;
        lives[life + ALLOCATED] = ++lives[life + USES]!;
        put(t, op | (s << slotShift), a[row & mask]!);
      } else if (op === OP_FREE || op === OP_EFREE) {
        const t = current[word >>> OP_BITS]!;
        const s = now[slot[row & mask]!]!;
        if (s === 0) throw dead(row, 'frees');
        now[slot[row & mask]!] = 0;
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
    if (row > from) state[LAST_THREAD] = current[head[(row - 1) & mask]! >>> OP_BITS]!;
    return row;
  }

  function readOther(row: number): void {
    const op = head[row & mask]! & OP_MASK;
    if (namesThread(op)) state[LAST_THREAD] = current[head[row & mask]! >>> OP_BITS]!;
    const t = state[LAST_THREAD]!;
    if ((head[row & mask]! & OP_MARKED) !== 0) {
      readMarked(t, row, op);
      return;
    }
    switch (op) {
      case OP_CALLOC:
      case OP_ECALLOC:
      case OP_MEMALIGN:
        putOther(t, row, op | (allocate(t, slot[row & mask]!) << slotShift), 0);
        break;
      case OP_REALLOC:
      case OP_EREALLOC:
        readRealloc(t, row, op);
        break;
      case OP_WRITE: {
        const s = now[slot[row & mask]!]!;
        if (s === 0) throw dead(row, 'writes to');
        putOther(t, row, op | flagOf(t, s) | (s << slotShift), lives[(s << LG_LIFE_WORDS) + ALLOCATED]!);
        lives[(s << LG_LIFE_WORDS) + USES]!++;
        use(t, s);
        break;
      }
      case OP_REQUEST_END:
        putOther(t, row, op, 0);
        for (let i = a[row & mask]!; i < a[row & mask]! + b[row & mask]!; i++) {
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
      case OP_FORK:
        if (taken.length > 1) state[FORKS]!++; // the only thread takes nobody, and waits for nothing
        putOther(t, row, op | (state[FORKS]! << slotShift), taken[state[FORKS]!]!);
        break;
      case OP_THREAD_BEGIN:
      case OP_THREAD_EXIT:
      case OP_CREATE:
      case OP_JOIN: {
        const s = joins.slotOf(op, t);
        putOther(t, row, op | (s << slotShift), joins.needOf(op, s));
        break;
      }
      default: // nothing to wait for; of a mallopt the slot is its name
        putOther(t, row, op | (slot[row & mask]! << slotShift), 0);
    }
  }

  /** A row with a mark: the interpreter looks up the rest by its number. */
  function readMarked(t: number, row: number, op: number): void {
    const old = now[slot[row & mask]!]!; // 0 for an allocation that fails: it has no slot
    if (op === OP_WRITE && old === 0) throw dead(row, 'writes to');
    const isFailed = !traced.isPassing(events) && traced.hasFailed(events, row);
    const isFirst = old === 0 && slot[row & mask] !== 0 && op !== OP_TRIM && !isFailed;
    const s = isFirst ? allocate(t, slot[row & mask]!) : old;
    const need = isFirst ? 0 : lives[(s << LG_LIFE_WORDS) + (op === OP_WRITE ? ALLOCATED : USES)]!;
    putOther(t, row, OP_BY_MARK | (isFirst || s === 0 ? 0 : flagOf(t, s)) | (s << slotShift), s === 0 ? 0 : need);
    records[tail[t]! - RECORD_WORDS + 1] = row;
    if (isFirst || s === 0) return;
    if (op === OP_WRITE || isFailed) lives[(s << LG_LIFE_WORDS) + USES]!++;
    else renew(s);
    use(t, s);
  }

  function readRealloc(t: number, row: number, op: number): void {
    const old = now[slot[row & mask]!]!;
    if (old === 0) {
      putOther(t, row, op | ((a[row & mask] === 0 ? 0 : allocate(t, slot[row & mask]!)) << slotShift), 0);
      return;
    }
    putOther(t, row, op | flagOf(t, old) | (old << slotShift), lives[(old << LG_LIFE_WORDS) + USES]!);
    if (a[row & mask] === 0) {
      release(t, slot[row & mask]!, old);
    } else {
      renew(old);
      use(t, old);
    }
  }

  /** Reads a piece of the trace; it ends where a thread begins or ends. */
  function readOn(): void {
    const from = state[READ]!;
    assert(from < events.length, 'a thread has no end');
    for (; beginRows[state[BEGUN]!] === from; state[BEGUN]!++) {
      current[begins[state[BEGUN]!]!.thread] = traceThreads.ofBegin[state[BEGUN]!]!;
    }
    const there = bring(from);
    if (isPassing && events.length < NO_ROW) endRows[0] = events.length; // known with the last rows
    const to = Math.min(from + PIECE_ROWS, there, beginRows[state[BEGUN]!]!, endRows[state[ENDED]!]!);
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
      while (state[READ]! < events.length) readOn();
    },
    objectSlots: slots.used,
    crossThreadFrees: () => state[CROSS_THREAD_FREES]!,
    rowOf: (t, n) => {
      if (isPassing) return Math.min(n, events.length - 1);
      const { rows, first } = (byThread ??= rowsByThread(events, traceThreads));
      return rows[Math.min(first[t]! + n, first[t + 1]! - 1)] ?? 0;
    },
  };
}

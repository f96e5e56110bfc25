import { UserError } from '../assert.ts';
import {
  type EventBuffer,
  OP_BITS,
  OP_CALLOC,
  OP_CLOCK,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FREE,
  OP_MALLOC,
  OP_MASK,
  OP_MEMALIGN,
  OP_REALLOC,
  OP_REQUEST_END,
  OP_SAMPLE,
  OP_SKIPPED,
  OP_THREAD_EXIT,
  OP_WRITE,
} from '../event.ts';

// An event ─►  ┌────────────┬──────────┬───┬───┐   RECORD_WORDS int32 each, the events of one thread side by side
//              │ op, flags  │ slot     │ a │ b │   slot, a, b as in event.ts, with the slots of this file
//              └────────────┴──────────┴───┴───┘
export const RECORD_WORDS = 4;
/** The object is used by several threads: wait until `done[slot]` has reached `need`, count the own use afterwards. */
export const SHARED_OBJECT = 1 << OP_BITS;
/** The use counts: others may wait for it. Set on shared objects alone. */
export const COUNTED_USE = 2 << OP_BITS;

/**
 * A trace as the free-running modes need it (trace-format.md): for each thread its own events in their order, and what
 * each of them waits for.
 *
 * Object slots are numbered anew. In a trace's own numbering a slot is used again as soon as its block is dead in *file*
 * order, which is no order that threads keep. Here a slot that thread T has freed is used again by T alone.
 *
 * Every use of a slot (allocation, realloc, write) has a number, counted over all its lives. `done[slot]` says how many
 * have happened; a free or a realloc waits for all earlier ones, a write for the last allocation or realloc. Only slots
 * that more than one thread uses are counted at run time.
 *
 * A thread is a thread number of the trace; its later lives follow in the same list, after the THREAD_EXIT of the one
 * before. Every wait points backwards in the file, so a cycle is impossible.
 */
export interface ProgramOrder {
  readonly threads: number;
  /** Thread number in the trace, by thread. */
  readonly ids: Uint32Array;
  /** Index of each thread's first event; `first[threads]` is the number of events. */
  readonly first: Int32Array;
  readonly records: Int32Array;
  /** Event index in the trace. */
  readonly rows: Int32Array;
  readonly need: Int32Array;
  readonly objectSlots: number;
  /** As in event.ts, in slots of this file; and what each waits for (0: nothing). */
  readonly requestFrees: Int32Array;
  readonly requestNeeds: Int32Array;
  readonly allocations: number;
  readonly frees: number;
  readonly crossThreadFrees: number;
}

/** The columns are shared memory, so that workers can be given them as they are. */
export function createProgramOrder(events: EventBuffer): ProgramOrder {
  const { length, head, slot, a, b } = events;
  const { threadOfRow, ids } = assignThreads(events);
  const threads = ids.length;

  const first = sharedInt32(threads + 1);
  for (let row = 0; row < length; row++) first[threadOfRow[row]! + 1]!++;
  for (let t = 0; t < threads; t++) first[t + 1]! += first[t]!;

  let allocating = 0;
  for (let row = 0; row < length; row++) if (allocates(head[row]! & OP_MASK)) allocating++;
  const records = sharedInt32(length * RECORD_WORDS);
  const rows = sharedInt32(length);
  const need = sharedInt32(length);
  const requestFrees = sharedInt32(events.requestFrees.length);
  const requestNeeds = sharedInt32(events.requestFrees.length);

  // By slot of the trace: the slot of this file, 0 while dead. By slot of this file: who allocated it, …
  const now = new Int32Array(events.objectSlots);
  const owner = new Int32Array(allocating + 1);
  const uses = new Int32Array(allocating + 1);
  const allocated = new Int32Array(allocating + 1); // number of the last allocation or realloc
  const sizes = new Int32Array(allocating + 1); // what was asked for last, as unsigned
  const isShared = new Uint8Array(allocating + 1);
  const nextFree = new Int32Array(allocating + 1);
  const freeHead = new Int32Array(2 * threads); // of slots for objects of one thread, of slots for shared ones
  const isSharedLife = findSharedLives(events, threadOfRow);
  let slots = 1;
  let allocations = 0;
  let frees = 0;
  let crossThreadFrees = 0;

  const live = (row: number, doing: string): number => {
    const s = now[slot[row]!]!;
    if (s === 0) {
      throw new UserError(
        `event ${row} ${doing} an object that no earlier event allocates: it would wait for ever, in any order of the threads`,
      );
    }
    return s;
  };
  const release = (t: number, traceSlot: number): void => {
    const s = now[traceSlot]!;
    now[traceSlot] = 0;
    const list = 2 * t + isShared[s]!;
    nextFree[s] = freeHead[list]!;
    freeHead[list] = s;
    frees++;
    if (owner[s] !== t) crossThreadFrees++;
  };

  const next = first.slice();
  for (let row = 0; row < length; row++) {
    const t = threadOfRow[row]!;
    const index = next[t]!++;
    const op = head[row]! & OP_MASK;
    let flags = 0;
    let argument = a[row]! | 0;
    let s = slot[row]!;
    let waitsFor = 0;
    switch (op) {
      case OP_MALLOC:
      case OP_CALLOC:
      case OP_MEMALIGN:
      case OP_EMALLOC:
      case OP_ECALLOC:
      case OP_REALLOC:
      case OP_EREALLOC: {
        const old = now[s]!;
        const resizes = (op === OP_REALLOC || op === OP_EREALLOC) && old !== 0;
        if (resizes) {
          waitsFor = uses[old]!;
          if (a[row] === 0) {
            release(t, s);
          } else {
            allocated[old] = ++uses[old]!;
            sizes[old] = a[row]!;
            allocations++;
            flags = COUNTED_USE;
          }
          s = old;
        } else if ((op === OP_REALLOC || op === OP_EREALLOC) && a[row] === 0) {
          s = 0;
        } else {
          const list = 2 * t + isSharedLife[row]!;
          let fresh = freeHead[list]!;
          if (fresh !== 0) freeHead[list] = nextFree[fresh]!;
          else fresh = slots++;
          now[s] = fresh;
          s = fresh;
          owner[s] = t;
          isShared[s] = isSharedLife[row]!;
          waitsFor = uses[s]!;
          allocated[s] = ++uses[s]!;
          sizes[s] = op === OP_CALLOC || op === OP_ECALLOC ? a[row]! * b[row]! : op === OP_MEMALIGN ? b[row]! : a[row]!;
          allocations++;
          flags = COUNTED_USE;
        }
        break;
      }
      case OP_FREE:
      case OP_EFREE: {
        const traceSlot = s;
        s = live(row, 'frees');
        waitsFor = uses[s]!;
        argument = sizes[s]!;
        release(t, traceSlot);
        break;
      }
      case OP_WRITE:
        s = live(row, 'writes to');
        waitsFor = allocated[s]!;
        uses[s]!++;
        flags = COUNTED_USE;
        break;
      case OP_REQUEST_END:
        for (let i = a[row]!; i < a[row]! + b[row]!; i++) {
          const traceSlot = events.requestFrees[i]!;
          const held = now[traceSlot]!;
          requestFrees[i] = held;
          requestNeeds[i] = isShared[held] === 1 ? uses[held]! : 0;
          release(t, traceSlot);
        }
        break;
      default: // nothing to wait for
    }
    if (namesObject(op)) flags = isShared[s] === 1 ? flags | SHARED_OBJECT : 0;
    const p = index * RECORD_WORDS;
    records[p] = op | flags;
    records[p + 1] = s;
    records[p + 2] = argument;
    records[p + 3] = b[row]! | 0;
    rows[index] = row;
    need[index] = waitsFor;
  }

  return {
    threads,
    ids,
    first,
    records,
    rows,
    need,
    objectSlots: slots,
    requestFrees,
    requestNeeds,
    allocations,
    frees,
    crossThreadFrees,
  };
}

/** By row of an allocation: 1 where another thread than the allocating one uses the object until its free. */
function findSharedLives(events: EventBuffer, threadOfRow: Int32Array): Uint8Array {
  const { length, head, slot, a, b, requestFrees } = events;
  const result = new Uint8Array(length);
  const allocatedAt = new Int32Array(events.objectSlots).fill(-1);
  for (let row = 0; row < length; row++) {
    const op = head[row]! & OP_MASK;
    if (op === OP_REQUEST_END) {
      for (let i = a[row]!; i < a[row]! + b[row]!; i++) {
        const begin = allocatedAt[requestFrees[i]!]!;
        if (begin >= 0 && threadOfRow[begin] !== threadOfRow[row]) result[begin] = 1;
        allocatedAt[requestFrees[i]!] = -1;
      }
      continue;
    }
    if (!namesObject(op)) continue;
    const s = slot[row]!;
    const begin = allocatedAt[s]!;
    if (begin < 0) {
      const resizesNothing = (op === OP_REALLOC || op === OP_EREALLOC) && a[row] === 0;
      if (allocates(op) && !resizesNothing) allocatedAt[s] = row;
      continue;
    }
    if (threadOfRow[begin] !== threadOfRow[row]) result[begin] = 1;
    if (op === OP_FREE || op === OP_EFREE || ((op === OP_REALLOC || op === OP_EREALLOC) && a[row] === 0)) {
      allocatedAt[s] = -1;
    }
  }
  return result;
}

/**
 * Gives each row its thread: a number for each thread number of the trace, in the order in which they begin. A sample
 * point and a move of the clock belong to the thread of the event before; after an exit that is the main thread.
 */
function assignThreads(events: EventBuffer): { threadOfRow: Int32Array; ids: Uint32Array } {
  const { length, head, begins } = events;
  const ids = [0];
  const byId = new Map([[0, 0]]);
  const current = new Int32Array(events.threadSlots);
  const threadOfRow = new Int32Array(length);
  let begin = 0;
  let last = 0;
  for (let row = 0; row < length; row++) {
    for (; begins[begin]?.row === row; begin++) {
      const { thread, id } = begins[begin]!;
      let t = byId.get(id);
      if (t === undefined) {
        t = ids.length;
        ids.push(id);
        byId.set(id, t);
      }
      current[thread] = t;
    }
    const op = head[row]! & OP_MASK;
    if (op !== OP_CLOCK && op !== OP_SAMPLE && op !== OP_SKIPPED) last = current[head[row]! >>> OP_BITS]!;
    threadOfRow[row] = last;
    if (op === OP_THREAD_EXIT) last = 0;
  }
  return { threadOfRow, ids: Uint32Array.from(ids) };
}

function allocates(op: number): boolean {
  return op <= OP_EREALLOC && op !== OP_FREE && op !== OP_WRITE && op !== OP_EFREE;
}

/** Whether the slot column names an object. */
function namesObject(op: number): boolean {
  return op <= OP_EREALLOC;
}

/** Whether a thread that has exited begins a new life with this event. */
export function beginsLife(op: number): boolean {
  return op !== OP_CLOCK && op !== OP_SAMPLE && op !== OP_SKIPPED;
}

function sharedInt32(words: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(Math.max(1, words) * 4));
}

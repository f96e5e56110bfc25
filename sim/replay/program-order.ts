import { UserError } from '../assert.ts';
import * as traced from '../event.ts';
import type { EventBuffer } from '../event.ts';

// An event ─►  ┌────────────┬──────────┬───┬───┐   RECORD_WORDS int32 each, the events of one thread side by side
//              │ op, flags  │ slot     │ a │ b │   slot, a, b as in event.ts, with the slots of this file
//              └────────────┴──────────┴───┴───┘   b of malloc and free: the line of the program's table, of a sample: its row
export const RECORD_WORDS = 4;
/** Other threads use the object too: wait until `done[slot]` has reached `need`. */
export const AWAITS_USES = 1 << traced.OP_BITS;
/** The use counts: others may wait for it. Set on shared objects alone. */
export const COUNTED_USE = 2 << traced.OP_BITS;

/**
 * A trace as the free-running modes need it (trace-format.md): for each thread its own events in their order, and what
 * each of them waits for.
 *
 * Object slots are numbered anew. In a trace's own numbering a slot is used again as soon as its block is dead in *file*
 * order, which is no order that threads keep. Here a slot that thread T has freed is used again by T alone.
 *
 * Every use of a slot (allocation, realloc, write) has a number, counted over all its lives. `done[slot]` says how many
 * have happened; a free or a realloc waits for all earlier ones, a write for the last allocation or realloc. An allocation
 * waits for nothing: its thread has freed the slot, after all uses. Only slots that more than one thread uses are counted
 * at run time.
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
  /** Event index in the trace; made when somebody asks for the first time. */
  readonly rows: Int32Array;
  /** By event that awaits uses: how many; one more element takes what is noted for the others. */
  readonly need: Int32Array;
  readonly objectSlots: number;
  /** Lines of the table in which the program keeps its blocks: an entry for each allocation, in file order. */
  readonly tableLines: number;
  /** As in event.ts, in slots of this file; and what each waits for (0: nothing). */
  readonly requestFrees: Int32Array;
  readonly requestNeeds: Int32Array;
  readonly allocations: number;
  readonly frees: number;
  readonly crossThreadFrees: number;
}

// What is known of a slot while the order is made: int32 each, and what was asked for last as unsigned.
const LG_LIFE_WORDS = 2;
const LIST = 0; // of a live object: the thread that allocated it << 1, | 1 where others use it; of a dead one: the next on its list
const SIZE = 1;
const LINE = 2; // of the program's table
const USES = 3; // of a shared one

/** The program is a replay: it keeps a pointer and a count for each allocation, 16 bytes in a line of 64. */
const LG_ENTRIES_PER_LINE = 2;

/** Slots that a thread gets at a time: a line of the table of objects, and more. */
const FRESH_SLOTS = 16;

/** Rows that one call of a pass looks at: code that replaces a function is better than code that replaces a running loop. */
const PIECE_ROWS = 8192;

/** The columns are shared memory, so that workers can be given them as they are. */
export function createProgramOrder(events: EventBuffer): ProgramOrder {
  const { length } = events;
  const { threadOfRow, isSharedLife, ids, eventsOf, allocating } = assignThreads(events);
  const threads = ids.length;
  const first = sharedInt32(threads + 1);
  for (let t = 0; t < threads; t++) first[t + 1] = first[t]! + eventsOf[t]!;
  const records = sharedInt32(length * RECORD_WORDS);
  const need = sharedInt32(length + 1);
  const requestFrees = sharedInt32(events.requestFrees.length);
  const requestNeeds = sharedInt32(events.requestFrees.length);
  const columns = { threadOfRow, isSharedLife, first, records, need, requestFrees, requestNeeds };
  const { order, counts } = createOrdering(events, columns, allocating, threads);
  for (let row = 0; row < length; row += PIECE_ROWS) order(row, Math.min(length, row + PIECE_ROWS));
  let rows: Int32Array | undefined;
  return {
    threads,
    ids,
    first,
    records,
    need,
    requestFrees,
    requestNeeds,
    ...counts(),
    get rows() {
      return (rows ??= rowsByThread(threadOfRow, first));
    },
  };
}

function rowsByThread(threadOfRow: Int32Array, first: Int32Array): Int32Array {
  const rows = sharedInt32(threadOfRow.length);
  const next = first.slice();
  for (let row = 0; row < threadOfRow.length; row++) rows[next[threadOfRow[row]!]!++] = row;
  return rows;
}

interface Columns {
  readonly threadOfRow: Int32Array;
  readonly isSharedLife: Uint8Array;
  readonly first: Int32Array;
  readonly records: Int32Array;
  readonly need: Int32Array;
  readonly requestFrees: Int32Array;
  readonly requestNeeds: Int32Array;
}

/** Files rows under their threads, with the slots of this file and what each waits for. */
function createOrdering(events: EventBuffer, columns: Columns, allocating: number, threads: number) {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const {
    OP_BITS,
    OP_CALLOC,
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
    OP_WRITE,
  } = traced;
  const [awaitsUses, countedUse, recordWords] = [AWAITS_USES, COUNTED_USE, RECORD_WORDS];
  const { head, slot, a, b, requestFrees: tracedFrees } = events;
  const { threadOfRow, isSharedLife, records, need, requestFrees, requestNeeds } = columns;
  // By slot of the trace: the slot of this file, 0 while dead.
  const now = new Int32Array(events.objectSlots);
  const lives = new Int32Array((allocating + 2 * threads * FRESH_SLOTS + FRESH_SLOTS) << LG_LIFE_WORDS);
  const allocated = new Int32Array(lives.length >> LG_LIFE_WORDS); // number of the last allocation or realloc, of a shared one
  const freeHead = new Int32Array(2 * threads); // of slots for objects of one thread, of slots for shared ones
  const next = columns.first.slice();
  const fresh = new Int32Array(2 * threads); // by the same lists
  let slots = FRESH_SLOTS;
  const totals = new Int32Array(3);
  const ALLOCATIONS = 0;
  const FREES = 1;
  const CROSS_THREAD_FREES = 2;
  const dummy = events.length; // of `need`, for events that wait for nothing

  function live(row: number, doing: string): number {
    const s = now[slot[row]!]!;
    if (s === 0) {
      throw new UserError(
        `event ${row} ${doing} an object that no earlier event allocates: it would wait for ever, in any order of the threads`,
      );
    }
    return s;
  }

  // Which objects are shared is often as good as random. What depends on it is computed, as far as it can be, not chosen: a wrong
  // guess of the processor costs more than all else, as what it would be corrected with is still on its way from memory.

  /** The object is dead: its slot is the freeing thread's. */
  function release(t: number, traceSlot: number, s: number): void {
    const p = s << LG_LIFE_WORDS;
    const list = lives[p + LIST]!;
    const mine = (t << 1) | (list & 1);
    now[traceSlot] = 0;
    lives[p + LIST] = freeHead[mine]!;
    freeHead[mine] = s;
    totals[FREES]!++;
    totals[CROSS_THREAD_FREES]! += ((list - mine) | (mine - list)) >>> 31;
  }

  /** A slot that was never used, one of a few that lie side by side for the same thread. */
  function freshSlot(list: number): number {
    if (fresh[list]! % FRESH_SLOTS === 0) {
      fresh[list] = slots;
      slots += FRESH_SLOTS;
    }
    return fresh[list]!++;
  }

  /** An allocation of `size` bytes: the slot that it gets. */
  function allocate(t: number, row: number, size: number): number {
    const list = (t << 1) | isSharedLife[row]!;
    let s = freeHead[list]!;
    if (s !== 0) freeHead[list] = lives[(s << LG_LIFE_WORDS) + LIST]!;
    else s = freshSlot(list);
    now[slot[row]!] = s;
    lives[(s << LG_LIFE_WORDS) + LIST] = list;
    renew(s, size);
    return s;
  }

  /** An entry in the program's table for what was allocated or resized. */
  function renew(s: number, size: number): void {
    const p = s << LG_LIFE_WORDS;
    const entry = totals[ALLOCATIONS]!;
    totals[ALLOCATIONS] = entry + 1;
    lives[p + SIZE] = size;
    lives[p + LINE] = entry >> LG_ENTRIES_PER_LINE;
    lives[p + USES]! += isShared(s);
    allocated[s] = lives[p + USES]!;
  }

  /** Notes the event as the next one of its thread. */
  function put(
    t: number,
    row: number,
    word: number,
    s: number,
    argument: number,
    waitsFor: number,
    other = b[row]!,
  ): void {
    const index = next[t]!;
    next[t] = index + 1;
    const p = index * recordWords;
    records[p] = word;
    records[p + 1] = s;
    records[p + 2] = argument;
    records[p + 3] = other | 0;
    need[dummy + (index - dummy) * ((word >> OP_BITS) & 1)] = waitsFor;
  }

  const isShared = (s: number): 0 | 1 => (lives[(s << LG_LIFE_WORDS) + LIST]! & 1) as 0 | 1;
  const flagsOf = (s: number, flags: number): number => flags * isShared(s);

  function order(from: number, to: number): void {
    for (let row = from; row < to; row++) {
      const op = head[row]! & OP_MASK;
      const t = threadOfRow[row]!;
      if (op === OP_MALLOC || op === OP_EMALLOC) {
        const size = a[row]! | 0;
        const s = allocate(t, row, size);
        put(t, row, op | flagsOf(s, countedUse), s, size, 0, lives[(s << LG_LIFE_WORDS) + LINE]!);
      } else if (op === OP_FREE || op === OP_EFREE) {
        const s = live(row, 'frees');
        const p = s << LG_LIFE_WORDS;
        put(t, row, op | flagsOf(s, awaitsUses), s, lives[p + SIZE]!, lives[p + USES]!, lives[p + LINE]!);
        release(t, slot[row]!, s);
      } else {
        orderOther(t, row, op);
      }
    }
  }

  function orderOther(t: number, row: number, op: number): void {
    const argument = a[row]! | 0;
    switch (op) {
      case OP_CALLOC:
      case OP_ECALLOC:
      case OP_MEMALIGN: {
        const s = allocate(t, row, op === OP_MEMALIGN ? b[row]! : a[row]! * b[row]!);
        put(t, row, op | flagsOf(s, countedUse), s, argument, 0);
        break;
      }
      case OP_REALLOC:
      case OP_EREALLOC:
        orderRealloc(t, row, op, argument);
        break;
      case OP_WRITE: {
        const s = live(row, 'writes to');
        lives[(s << LG_LIFE_WORDS) + USES]! += isShared(s);
        put(t, row, op | flagsOf(s, awaitsUses | countedUse), s, argument, allocated[s]!);
        break;
      }
      case OP_REQUEST_END:
        for (let i = a[row]!; i < a[row]! + b[row]!; i++) {
          const traceSlot = tracedFrees[i]!;
          const s = now[traceSlot]!;
          requestFrees[i] = s;
          requestNeeds[i] = lives[(s << LG_LIFE_WORDS) + USES]! * isShared(s);
          release(t, traceSlot, s);
        }
        put(t, row, op, slot[row]!, argument, 0);
        break;
      case OP_SAMPLE:
        put(t, row, op, slot[row]!, argument, 0, row);
        break;
      default: // nothing to wait for
        put(t, row, op, slot[row]!, argument, 0);
    }
  }

  function orderRealloc(t: number, row: number, op: number, size: number): void {
    const old = now[slot[row]!]!;
    if (old === 0) {
      const s = size === 0 ? 0 : allocate(t, row, size);
      put(t, row, op | flagsOf(s, countedUse), s, size, 0);
      return;
    }
    const p = old << LG_LIFE_WORDS;
    put(t, row, op | flagsOf(old, size === 0 ? awaitsUses : awaitsUses | countedUse), old, size, lives[p + USES]!);
    if (size === 0) release(t, slot[row]!, old);
    else renew(old, size);
  }

  return {
    order,
    counts: () => ({
      objectSlots: slots,
      tableLines: (totals[ALLOCATIONS]! >> LG_ENTRIES_PER_LINE) + 1,
      allocations: totals[ALLOCATIONS]!,
      frees: totals[FREES]!,
      crossThreadFrees: totals[CROSS_THREAD_FREES]!,
    }),
  };
}

/**
 * Gives each row its thread: a number for each thread number of the trace, in the order in which they begin. A sample
 * point and a move of the clock belong to the thread of the event before; after an exit that is the main thread.
 *
 * `isSharedLife`, by row of an allocation: 1 where another thread than the allocating one uses the object until its free.
 */
function assignThreads(events: EventBuffer) {
  const {
    OP_BITS,
    OP_CLOCK,
    OP_EFREE,
    OP_EMALLOC,
    OP_EREALLOC,
    OP_FREE,
    OP_MALLOC,
    OP_MASK,
    OP_REALLOC,
    OP_REQUEST_END,
    OP_SAMPLE,
    OP_SKIPPED,
    OP_THREAD_EXIT,
    OP_WRITE,
  } = traced;
  const { length, head, slot, a, b, requestFrees, begins } = events;
  const ids = [0];
  const byId = new Map([[0, 0]]);
  const current = new Int32Array(events.threadSlots);
  const threadOfRow = new Int32Array(length);
  const isSharedLife = new Uint8Array(length);
  const eventsOf = new Int32Array(begins.length + 1);
  // By slot of the trace, side by side: the row that allocated the object, -1 while it is dead; its thread.
  const life = new Int32Array(2 * events.objectSlots).fill(-1);
  let last = 0;
  let allocating = 0;

  function beginThread(thread: number, id: number): void {
    let t = byId.get(id);
    if (t === undefined) {
      t = ids.length;
      ids.push(id);
      byId.set(id, t);
    }
    current[thread] = t;
  }

  function use(s: number, t: number): void {
    if (life[2 * s]! >= 0 && life[2 * s + 1] !== t) isSharedLife[life[2 * s]!] = 1;
  }

  function assignOther(row: number, op: number): void {
    if (op !== OP_CLOCK && op !== OP_SAMPLE && op !== OP_SKIPPED) last = current[head[row]! >>> OP_BITS]!;
    const t = last;
    threadOfRow[row] = t;
    eventsOf[t]!++;
    if (op === OP_THREAD_EXIT) last = 0;
    if (op === OP_REQUEST_END) {
      for (let i = a[row]!; i < a[row]! + b[row]!; i++) {
        use(requestFrees[i]!, t);
        life[2 * requestFrees[i]!] = -1;
      }
    }
    if (op > OP_EREALLOC) return; // names no object
    const s = slot[row]!;
    const isRealloc = op === OP_REALLOC || op === OP_EREALLOC;
    if (op !== OP_WRITE) allocating++;
    if (life[2 * s]! >= 0) {
      use(s, t);
      if (isRealloc && a[row] === 0) life[2 * s] = -1;
    } else if (op !== OP_WRITE && !(isRealloc && a[row] === 0)) {
      life[2 * s] = row;
      life[2 * s + 1] = t;
    }
  }

  function assign(from: number, to: number): void {
    for (let row = from; row < to; row++) {
      const word = head[row]!;
      const op = word & OP_MASK;
      if (op === OP_MALLOC || op === OP_EMALLOC || op === OP_FREE || op === OP_EFREE) {
        const t = current[word >>> OP_BITS]!;
        const p = 2 * slot[row]!;
        last = t;
        threadOfRow[row] = t;
        eventsOf[t]!++;
        if (op === OP_MALLOC || op === OP_EMALLOC) {
          allocating++;
          life[p] = row;
          life[p + 1] = t;
        } else {
          if (life[p + 1] !== t && life[p]! >= 0) isSharedLife[life[p]!] = 1;
          life[p] = -1;
        }
      } else {
        assignOther(row, op);
      }
    }
  }

  let begin = 0;
  for (let row = 0; row < length; ) {
    for (; begins[begin]?.row === row; begin++) beginThread(begins[begin]!.thread, begins[begin]!.id);
    const to = Math.min(length, row + PIECE_ROWS, begins[begin]?.row ?? length);
    assign(row, to);
    row = to;
  }
  return { threadOfRow, isSharedLife, ids: Uint32Array.from(ids), eventsOf, allocating };
}

/** Whether a thread that has exited begins a new life with this event. */
export function beginsLife(op: number): boolean {
  return op !== traced.OP_CLOCK && op !== traced.OP_SAMPLE && op !== traced.OP_SKIPPED;
}

function sharedInt32(words: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(Math.max(1, words) * 4));
}

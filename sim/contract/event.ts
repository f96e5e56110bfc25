import type { Bytes } from './units.ts';

/**
 * A trace as columns of typed arrays over shared memory: one row an event line of the file, so that the row number *is*
 * the event index of trace-format.md.
 *
 *   head   thread slot << OP_BITS | OP_MARKED where the row has a mark | op code
 *   slot   object slot (malloc … write); otherwise see the table below
 *   a, b   arguments, unsigned 32-bit
 *
 *   op                slot      a             b
 *   MALLOC EMALLOC    object    size          -
 *   CALLOC ECALLOC    object    count         size
 *   REALLOC EREALLOC  object    size          old requested size (0: the object was dead, so it is a malloc)
 *   MEMALIGN          object    align         size
 *   FREE EFREE        object    -             -
 *   WRITE             object    offset        length (both already cut to the object's requested size)
 *   REQUEST_BEGIN     -         -             -
 *   REQUEST_END       -         first index   count of the object slots in `requestFrees` that the request still holds,
 *                                             in the order of their allocation
 *   TRIM              -         pad           -
 *   OPT               name index in MALLOPT_NAMES    value (two's complement)
 *   CLOCK             -         low 32 bits   high 21 bits of the nanoseconds
 *   SAMPLE            -         label index in `labels`
 *   THREAD_BEGIN      -         -             -
 *   THREAD_EXIT       -         -             -
 *   EXIT              -         -             -              the program begins to exit
 *   FORK              -         -             -              here the process came to be: only this thread lives on
 *   GC                -         -             -              gc_mem_caches()
 *   SHUTDOWN          -         -             -              the thread's heap of PHP ends
 *   CREATE            -         number        -              the thread makes the one with that number in the trace
 *   JOIN              -         number        ns waited      the thread has waited for the exit of the one with that number in the trace; ns at most 2^32 - 1
 *   CTL               -         name, arena   value (two's complement), see mallctl.ts
 *   SKIPPED           an event that --lenient left out; it keeps its number and does nothing
 *   STALE_FREE        -         row of the event that allocated the block, which was freed already; only where a trace
 *                               is read for --faithful-abort
 *
 * A *mark* (see Marks) is what a row has beside its columns: a number of 2^32 or more, for which the column holds
 * 0xffffffff; an allocation that failed in the recorded program (its slot is 0, or the object that a realloc left as it
 * was); a block whose writes are known. Rows with marks are rare, and never executed by a replay's hot loop.
 *
 * Object ids are renumbered to slots when a trace is compiled: the slot of a dead object is used again (last in, first
 * out), so the object table is as small as the largest number of live objects. Slots start at 1.
 *
 * Threads are renumbered likewise. Slot 0 is the main thread. A new thread takes the slot of the thread that exited
 * last, else the next number: slot k is the k-th stack of the ground-truth replay. As there, the slot of an exiting
 * thread becomes free only after the next event's thread has been created.
 */
export const OP_MALLOC = 0;
export const OP_FREE = 1;
export const OP_CALLOC = 2;
export const OP_REALLOC = 3;
export const OP_MEMALIGN = 4;
export const OP_WRITE = 5;
export const OP_EMALLOC = 6;
export const OP_EFREE = 7;
export const OP_ECALLOC = 8;
export const OP_EREALLOC = 9;
export const OP_REQUEST_BEGIN = 10;
export const OP_REQUEST_END = 11;
export const OP_TRIM = 12;
export const OP_OPT = 13;
export const OP_CLOCK = 14;
export const OP_SAMPLE = 15;
export const OP_THREAD_BEGIN = 16;
export const OP_THREAD_EXIT = 17;
export const OP_SKIPPED = 18;
export const OP_STALE_FREE = 19;

export const OP_EXIT = 20;
export const OP_FORK = 21;
export const OP_GC = 22;
export const OP_CTL = 23;
export const OP_SHUTDOWN = 24;
export const OP_JOIN = 25;
export const OP_CREATE = 26;
/** Never in a buffer: what a replay hands over in place of the operation of a row with a mark, whose number is in `a`. */
export const OP_BY_MARK = 31;

export const OP_BITS = 6;
export const OP_MASK = 31;
/** Set in `head` where the row has a mark. */
export const OP_MARKED = 32;
/** The operation of rows without a mark; larger than any operation for one with. */
export const OP_OR_MARK = OP_MASK | OP_MARKED;

export const MARK_FAILED = 1;
export const MARK_UNWRITTEN = 2;
/** A number of the row is 2^32 or more. */
export const MARK_WIDE = 4;
/** Sizes, counts and offsets; what is larger is written so, and cannot be had. */
export const NUMBER_MAX = Number.MAX_SAFE_INTEGER;

/**
 * What an OPT event sets, by its index in this table: mallopt's parameters by the names of malloc.h; PHP's memory_limit in
 * pages of 4 KiB, -1 for none.
 */
export const MALLOPT_NAMES = [
  'M_MXFAST',
  'M_TRIM_THRESHOLD',
  'M_TOP_PAD',
  'M_MMAP_THRESHOLD',
  'M_MMAP_MAX',
  'M_CHECK_ACTION',
  'M_PERTURB',
  'M_ARENA_TEST',
  'M_ARENA_MAX',
  'memory_limit',
] as const;
export type MalloptName = (typeof MALLOPT_NAMES)[number];

/** What a thread writes into a fresh block (`%touch`). */
export type Touch = 'full' | 'first' | 'none';

export interface EventBuffer {
  /** Rows in use; the columns may be longer. */
  readonly length: number;
  readonly head: Int32Array;
  readonly slot: Int32Array;
  readonly a: Uint32Array;
  readonly b: Uint32Array;
  readonly touch: Touch;
  readonly name: string;
  readonly source: string;
  readonly labels: readonly string[];
  /** Object slots ever used + 1, thread slots ever used. */
  readonly objectSlots: number;
  readonly threadSlots: number;
  /** In row order: before `row` runs, the thread with number `id` in the trace begins in thread slot `thread`. Thread 0 is not listed. */
  readonly begins: readonly ThreadBegin[];
  /** Largest sum of requested bytes of live objects, if no allocation fails. */
  readonly requestedPeakBytes: number;
  /** Whether there is any e… event. */
  readonly hasRequestEvents: boolean;
  /** Object slots that request ends release; see REQUEST_END. */
  readonly requestFrees: Int32Array;
  /** Events left out by --lenient. */
  readonly skipped: number;
  readonly marks: Marks;
  /** By row, the call site of an allocating event; 0 where it is not known. Undefined where no event has one. */
  readonly sites: Int32Array | undefined;
  /** The frames of call stacks, from 1; place 0 is empty. */
  readonly frames: readonly Frame[];
  /** The tree of call stacks: by site, from 1, who called it (0: nobody) and its frame. A parent comes before its children. */
  readonly siteParent: Int32Array;
  readonly siteFrame: Int32Array;
  /** What the kernel said at samples, in row order. */
  readonly observations: readonly Observation[];
  readonly recorded: RecordedFacts;
  /** The first row of EXIT, -1 without. */
  readonly exitRow: number;
}

/** What is known of a trace beside its rows. */
export type TraceSummary = Omit<EventBuffer, 'head' | 'slot' | 'a' | 'b' | 'sites'>;

/**
 * The rows of a trace, all of them or a few at a time. Row r is in the columns at `r & mask`.
 *
 *   rows      0 ─────────── … ──────────┬────────────────────┬─────── … ─── length
 *                already executed       │   in the columns   │  not read yet
 *                                       └────────────────────┘
 *                                     a piece of mask + 1 rows
 */
export interface Rows extends Pick<EventBuffer, 'head' | 'slot' | 'a' | 'b'> {
  readonly mask: number;
  /** Sees to it that `row` is in the columns; returns the row behind the last one that is. Rows are asked for in order. */
  bring(row: number): number;
}

/**
 * A trace whose rows are read while they are executed. Where nothing says beforehand what is in it, its length is Infinity until the last
 * rows are in the columns, and labels and object slots are those of the rows so far.
 */
export interface PassingTrace extends TraceSummary {
  readonly rows: Rows;
  /** Object slots that there can be in the end. */
  readonly objectSlotLimit: number;
  /** About how many rows there are, where only the file's size says something. */
  readonly expectedLength?: number | undefined;
  /** What reading has taken so far where another thread reads, ms. */
  readonly workedMs?: () => number;
  /** The rows from the beginning once more. Those of `rows` are of no use then. */
  again(): Rows;
  /** Nobody asks for rows any more. */
  close(): Promise<void>;
}

/** The mask where all rows are in the columns. */
export const ALL_ROWS = 0x7fffffff;

export const isPassing = (events: TraceSummary): events is PassingTrace => 'again' in events;

export function rowsOf(events: EventBuffer | PassingTrace): Rows {
  if (isPassing(events)) return events.rows;
  const { head, slot, a, b, length } = events;
  return { head, slot, a, b, mask: ALL_ROWS, bring: () => length };
}

/** Rows with marks, ascending; `flags` are MARK_…, `a` and `b` the arguments of the row without the limit of 32 bits. */
export interface Marks {
  readonly rows: Int32Array;
  /** Operation of the row. */
  readonly ops: Uint8Array;
  readonly flags: Uint8Array;
  readonly a: Float64Array;
  readonly b: Float64Array;
}

export interface Frame {
  readonly functionName: string;
  /** '' where it is not known. */
  readonly file: string;
  /** 0 where it is not known. */
  readonly line: number;
  /** The program or library; '' where it is not known. */
  readonly module: string;
}

export interface Observation {
  /** Of the sample. */
  readonly row: number;
  /** As in /proc/self/status (VmRSS, RssAnon, …) and other names; bytes. */
  readonly values: readonly (readonly [name: string, bytes: Bytes])[];
}

/** What was known of the program and its machine when the trace was recorded. */
export interface RecordedFacts {
  readonly command: string;
  readonly process: { readonly pid: number; readonly parent: number } | undefined;
  /** The allocators' settings: MALLOC_…, GLIBC_TUNABLES, MALLOC_CONF, USE_ZEND_ALLOC. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** cpus, kernel, thp, page, allocator. */
  readonly machine: readonly (readonly [key: string, value: string])[];
  /** By number of the trace. */
  readonly threadNames: readonly (readonly [thread: number, name: string])[];
  /** Mappings at the beginning, summed by name. */
  readonly mappings: readonly { readonly bytes: Bytes; readonly residentBytes: Bytes; readonly name: string }[];
}

export interface ThreadBegin {
  readonly row: number;
  readonly thread: number;
  readonly id: number;
}

/** Place of the row in `marks`, -1 where it has none. */
export function markOf({ rows }: Marks, row: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows[middle]! < row) low = middle + 1;
    else high = middle;
  }
  return rows[low] === row ? low : -1;
}

/** Whether this event gives a block, so that it has a line among the placements (trace-format.md). */
export function isAllocating(op: number): boolean {
  return (
    op === OP_MALLOC ||
    op === OP_CALLOC ||
    op === OP_REALLOC ||
    op === OP_MEMALIGN ||
    op === OP_EMALLOC ||
    op === OP_ECALLOC ||
    op === OP_EREALLOC
  );
}

/** Whether the row is an allocation that failed in the recorded program: it allocates, moves and resizes nothing. */
export function hasFailed(events: EventBuffer, row: number): boolean {
  if ((events.head[row]! & OP_MARKED) === 0) return false;
  return (events.marks.flags[markOf(events.marks, row)]! & MARK_FAILED) !== 0;
}

/** `a` of the row, without the limit of 32 bits. */
export function exactA({ head, a, marks }: EventBuffer, row: number): number {
  return (head[row]! & OP_MARKED) === 0 ? a[row]! : marks.a[markOf(marks, row)]!;
}

/** `b` likewise. */
export function exactB({ head, b, marks }: EventBuffer, row: number): number {
  return (head[row]! & OP_MARKED) === 0 ? b[row]! : marks.b[markOf(marks, row)]!;
}

/** What a call asks for, in bytes; 0 of any other row. */
export function askedBytes(events: EventBuffer, row: number): Bytes {
  switch (events.head[row]! & OP_MASK) {
    case OP_MALLOC:
    case OP_REALLOC:
    case OP_EMALLOC:
    case OP_EREALLOC:
      return exactA(events, row);
    case OP_CALLOC:
    case OP_ECALLOC:
      return exactA(events, row) * exactB(events, row);
    case OP_MEMALIGN:
      return exactB(events, row);
    default:
      return 0;
  }
}

export const NO_MARKS: Marks = {
  rows: new Int32Array(0),
  ops: new Uint8Array(0),
  flags: new Uint8Array(0),
  a: new Float64Array(0),
  b: new Float64Array(0),
};

export const NO_FACTS: RecordedFacts = {
  command: '',
  process: undefined,
  environment: [],
  machine: [],
  threadNames: [],
  mappings: [],
};

/**
 * A trace as columns of typed arrays over shared memory: one row an event line of the file, so that the row number *is*
 * the event index of trace-format.md.
 *
 *   head   thread slot << OP_BITS | op code
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
 *   SKIPPED           an event that --lenient left out; it keeps its number and does nothing
 *   STALE_FREE        -         row of the event that allocated the block, which was freed already; only where a trace
 *                               is read for --faithful-abort
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

export const OP_BITS = 5;
export const OP_MASK = 31;

/** mallopt's parameters by the names of malloc.h; an OPT event holds an index into this table. */
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
}

export interface ThreadBegin {
  readonly row: number;
  readonly thread: number;
  readonly id: number;
}

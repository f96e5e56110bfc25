import {
  type EventBuffer,
  type Frame,
  MALLOPT_NAMES,
  MARK_FAILED,
  MARK_UNWRITTEN,
  MARK_WIDE,
  type MalloptName,
  NO_FACTS,
  NUMBER_MAX,
  type Observation,
  OP_BITS,
  OP_CALLOC,
  OP_CLOCK,
  OP_CREATE,
  OP_CTL,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_EXIT,
  OP_FORK,
  OP_FREE,
  OP_GC,
  OP_JOIN,
  OP_MALLOC,
  OP_MARKED,
  OP_MASK,
  OP_MEMALIGN,
  OP_OPT,
  OP_REALLOC,
  OP_REQUEST_BEGIN,
  OP_REQUEST_END,
  OP_SAMPLE,
  OP_SHUTDOWN,
  OP_SKIPPED,
  OP_STALE_FREE,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
  OP_TRIM,
  OP_WRITE,
  type RecordedFacts,
  type ThreadBegin,
  type Touch,
} from '../../sim/contract/event.ts';
import { type Mallctl, packMallctl } from '../../sim/contract/mallctl.ts';
import { BATCH_EVENTS, type EventBatch } from './batch.ts';
import { createCallSites } from './call-sites.ts';
import { mostRows, roomForRows, sharedBytes, sharedCopy, sharedInt32, sharedUint32 } from './columns.ts';
import type { CommonLines, LineCounters } from './common-lines.ts';
import { createIdTable } from './id-table.ts';
import { createMarksBuilder } from './marks.ts';
import type { RowDrain } from './row-drain.ts';

/** Object ids and most arguments are unsigned 32-bit numbers; larger ones are in the marks. */
export const U32_MAX = 0xffffffff;
/** 2^32 - 1 is kept for "no thread". */
export const THREAD_ID_MAX = 0xfffffffe;

/** Why the compiler refused an event; 0: it did not. The event has become a SKIPPED row. */
export const FINE = 0;
export const OBJECT_DEAD = 1;
export const OBJECT_LIVE = 2;
export const OBJECT_OF_MALLOC = 3;
export const OBJECT_OF_EMALLOC = 4;
export const BLOCK_TOO_LARGE = 5;
export const ALIGNMENT_INVALID = 6;
export const CLOCK_TOO_LARGE = 7;
export const SITE_UNKNOWN = 8;
export type Refusal = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

export interface CompilerOptions {
  /** As in messages. */
  readonly source?: string;
  /** Rows that are expected; the columns grow beyond. */
  readonly rows?: number;
  /** Refuse blocks above 2^32 - 1 bytes, as version 1 of the format does. */
  readonly narrow?: boolean;
  /** Keep a free of a block that was freed already as a STALE_FREE, instead of refusing it. */
  readonly staleFrees?: boolean;
  /** Takes the rows; `finish` then gives none. */
  readonly drain?: RowDrain;
  /** Tables that are as empty as those of a new compiler, and who reads the commonest lines into them. */
  readonly lines?: CommonLines;
}

/**
 * Compiles events, given by the thread numbers and object ids of a trace, into an EventBuffer. All rules that concern
 * more than one line are here and nowhere else: what is live, who owns it, which slots are used again. The text reader
 * and the generators both write through it. Numbers must be in range (sizes, counts and offsets: NUMBER_MAX); names are
 * the trace's own.
 */
export interface TraceCompiler {
  /** Says of the next event, an allocating one, what it has beside its arguments. */
  annotate(annotation: Annotation): void;
  malloc(thread: number, id: number, size: number): Refusal;
  calloc(thread: number, id: number, count: number, size: number): Refusal;
  realloc(thread: number, id: number, size: number): Refusal;
  memalign(thread: number, id: number, align: number, size: number): Refusal;
  free(thread: number, id: number): Refusal;
  emalloc(thread: number, id: number, size: number): Refusal;
  ecalloc(thread: number, id: number, count: number, size: number): Refusal;
  erealloc(thread: number, id: number, size: number): Refusal;
  efree(thread: number, id: number): Refusal;
  write(thread: number, id: number, offset: number, length: number): Refusal;
  requestBegin(thread: number): void;
  requestEnd(thread: number): void;
  trim(thread: number, pad: number): void;
  mallopt(thread: number, name: MalloptName, value: number): void;
  mallctl(thread: number, call: Mallctl): void;
  clock(ns: number): Refusal;
  sample(label: string): void;
  threadBegin(thread: number): void;
  threadExit(thread: number): void;
  /** The thread makes another one. */
  threadCreate(thread: number, other: number): void;
  /** The thread has waited so long, ns, for the exit of another one. */
  threadJoin(thread: number, other: number, ns: number): void;
  /** The program begins to exit. */
  exit(thread: number): void;
  /** The process begins here as a copy of its parent, of whose threads only this one lives on. */
  fork(thread: number): void;
  /** gc_mem_caches() */
  gc(thread: number): void;
  /** The thread's heap of PHP ends, with what it still holds. */
  shutdown(thread: number): void;
  /** What the kernel said at the sample that was the last event; whether it was one. */
  observe(values: Observation['values']): boolean;
  /** The next frame of call stacks; returns its number, from 1. */
  addFrame(frame: Frame): number;
  /** The next call site: a frame that was added, called from a site that was added (0: nobody). Returns its number, from 1. */
  addSite(parent: number, frame: number): number;
  readonly frameCount: number;
  readonly siteCount: number;
  /**
   * Lines of the commonest forms that break no rule, from `from` on, which `CommonLines` has been shown: as many as stand there, at most
   * `BATCH_EVENTS`. Returns where the others begin.
   */
  acceptLines(from: number): number;
  /** A batch of events, in order; `refused` hears of each that breaks a rule. */
  accept(batch: EventBatch, refused: (index: number, why: Refusal) => void): void;
  /** An event that cannot be understood keeps its number. */
  skip(): void;
  /** Rows so far. */
  readonly length: number;
  /** Whether the thread has begun and not exited. */
  isAlive(thread: number): boolean;
  /** Requested size of a live object, -1 for a dead one. */
  sizeOf(id: number): number;
  /** The slot that the next new object gets. */
  nextSlot(): number;
  finish(header: TraceHeader): EventBuffer;
}

export interface TraceHeader {
  readonly touch: Touch;
  readonly name: string;
  readonly source: string;
  readonly recorded?: RecordedFacts;
}

export interface Annotation {
  /** The call site, 0 for none. */
  readonly site?: number;
  /** The allocation failed in the recorded program. */
  readonly failed?: boolean;
  /** What is written into the block is known: it is said by `w` lines alone. */
  readonly unwritten?: boolean;
}

/** Events whose slot is the object that they allocate or move. */
const ALLOCATING: ReadonlySet<number> = new Set([OP_MALLOC, OP_CALLOC, OP_MEMALIGN, OP_REALLOC]);
const CLOCK_LIMIT = 2 ** 53;
const DIRECT_THREADS = 65536;
const NOT_ALIVE = -1;
/** In `owner`: the object came from malloc. Otherwise 1 + the record of the thread whose request holds it. */
const MALLOC_OWNED = 0;
/** Indices into `totals`: doubles kept in a typed array, since a captured variable would box each new value. */
const LIVE_BYTES = 0;
const PEAK_BYTES = 1;
const CLOCK_NS = 2;

export function createTraceCompiler(options: CompilerOptions = {}): TraceCompiler {
  const { drain, source = '(trace)' } = options;
  let { lines } = options;
  const expected = Math.max(1024, Math.ceil(options.rows ?? 4096));
  let capacity = drain ? drain.pieceRows + BATCH_EVENTS : Math.min(expected, Math.max(1024, mostRows()));
  let { head, slot, a, b } = columnsFor(capacity, drain !== undefined, lines);
  const narrow = options.narrow ?? false;
  /** In the columns; before them were those that were drained. */
  let rows = 0;
  let drained = 0;
  let skipped = 0;
  const totals = new Float64Array(3);
  const labels: string[] = [];
  const labelIndex = new Map<string, number>();
  let hasRequestEvents = false;
  const marks = createMarksBuilder();
  const callSites = createCallSites();
  const observations: { row: number; values: Observation['values'] }[] = [];
  let exitRow = -1;
  /** What `annotate` has said of the next event: flags of its mark, and its site. */
  let nextFlags = 0;
  let nextSite = 0;
  /** By slot, the exact size of a block of 2^32 bytes or more; in `size` it is U32_MAX. */
  const wideSizes = new Map<number, number>();

  // Objects. A free slot's `next` leads to the slot that was freed before it; an e-block's `next` and `previous` are its
  // neighbours in the order of allocation among the live e-blocks of one thread number.
  const ids = createIdTable(lines?.slotOfId);
  /** By object id, the row of its last free. */
  const freeRows = options.staleFrees ? new Map<number, number>() : undefined;
  let objectCapacity = lines?.sizes.length ?? 4096;
  let size = lines?.sizes ?? new Uint32Array(objectCapacity);
  let next = lines?.next ?? new Int32Array(objectCapacity);
  let previous = lines?.previous ?? new Int32Array(objectCapacity);
  let owner = lines?.owner ?? new Int32Array(objectCapacity);
  let objectSlots = 1;
  let freeSlot = 0;
  /** The ids of e-blocks by slot: a request's end kills ids that no line names. */
  const idOfRequestBlock = createSlotColumn();

  // Threads. `current…` is the thread of the event before; after an exit there is none, and `+` and `=` are the main
  // thread's. A record belongs to a thread number for good: its list of e-blocks outlives the thread.
  const slotOfThread = lines?.slotOfThread ?? new Int32Array(DIRECT_THREADS); // plus one, so that 0 is "not alive"
  const slotOfHighThread = new Map<number, number>();
  const recordOfThread = new Map<number, number>();
  const requestHead: number[] = [];
  const requestTail: number[] = [];
  const recordOfSlot: number[] = [];
  const begins: ThreadBegin[] = [];
  const freeThreadSlots: number[] = [];
  let threadSlots = 0;
  let leavingSlot = NOT_ALIVE;
  let currentThread = 0;
  let currentSlot = 0;

  let requestFrees = new Int32Array(1024);
  let requestFreeCount = 0;

  begin(0);

  function growRows(needed: number): void {
    // By a factor of four: what is copied costs, what is too long is not committed.
    while (capacity < needed) capacity *= 4;
    // The old columns are still there when the new ones are filled.
    capacity = Math.min(capacity, roomForRows(source, needed));
    const grown = (old: Int32Array | Uint32Array) => {
      const buffer = sharedBytes(capacity, 4);
      new Uint32Array(buffer).set(old);
      return buffer;
    };
    head = new Int32Array(grown(head));
    slot = new Int32Array(grown(slot));
    a = new Uint32Array(grown(a));
    b = new Uint32Array(grown(b));
  }

  /** Hands over the first `count` rows; what is behind them moves to the front. */
  function drainRows({ take }: RowDrain, count: number): void {
    take({ head, slot, a, b }, count, {
      objectSlots,
      requestedPeakBytes: totals[PEAK_BYTES]!,
      labels,
      isTimed: totals[CLOCK_NS]! > 0,
      isPlain:
        begins.length === 0 &&
        marks.count === 0 &&
        callSites.frameCount === 0 &&
        observations.length === 0 &&
        !hasRequestEvents &&
        requestFreeCount === 0,
    });
    for (const column of [head, slot, a, b]) {
      column.copyWithin(0, count, rows);
      column.fill(0, rows - count, rows);
    }
    rows -= count;
    drained += count;
  }

  /** Room for so many rows more: at most those of a batch, where they are drained. */
  function makeRoom(count: number): void {
    if (!drain) growRows(rows + count);
    else drainRows(drain, drain.pieceRows);
  }

  function emit(op: number, t: number, s: number, first: number, second: number): void {
    if (rows === capacity) makeRoom(1);
    // Fresh columns are zero: what is not written is not committed, and a page fault costs more than this whole function.
    head[rows] = (t << OP_BITS) | op;
    if (s !== 0) slot[rows] = s;
    if (first !== 0) a[rows] = first;
    if (second !== 0) b[rows] = second;
    rows++;
  }

  // ---- lines and batches

  const counters: LineCounters = {
    freeSlot,
    objectSlots,
    liveBytes: 0.5, // fields that hold doubles from the beginning
    peakBytes: 0.5,
    clockNs: 0.5,
    thread: currentThread,
    threadSlot: currentSlot,
  };

  function acceptLines(from: number): number {
    if (!lines || !isCommon() || hasRequestEvents) return from;
    if (rows + BATCH_EVENTS > capacity) makeRoom(BATCH_EVENTS);
    if (objectSlots + BATCH_EVENTS > objectCapacity) {
      growObjects();
      return from;
    }
    counters.freeSlot = freeSlot;
    counters.objectSlots = objectSlots;
    counters.liveBytes = totals[LIVE_BYTES]!;
    counters.peakBytes = totals[PEAK_BYTES]!;
    counters.clockNs = totals[CLOCK_NS]!;
    counters.thread = currentThread;
    counters.threadSlot = currentSlot;
    const isOwn = head.buffer === lines.head.buffer;
    const { rows: count, hasB, stopped } = lines.take(from, isOwn ? rows : 0, counters);
    if (!isOwn) copyLines(lines, count, hasB);
    rows += count;
    freeSlot = counters.freeSlot;
    objectSlots = counters.objectSlots;
    totals[LIVE_BYTES] = counters.liveBytes;
    totals[PEAK_BYTES] = counters.peakBytes;
    totals[CLOCK_NS] = counters.clockNs;
    currentThread = counters.thread;
    currentSlot = counters.threadSlot;
    return stopped;
  }

  function copyLines(from: CommonLines, count: number, hasB: boolean): void {
    head.set(from.head.subarray(0, count), rows);
    slot.set(from.slot.subarray(0, count), rows);
    a.set(from.a.subarray(0, count), rows);
    if (!hasB) return;
    const ofOthers = from.b.subarray(0, count);
    b.set(ofOthers, rows);
    ofOthers.fill(0);
  }

  /** Whether an event by a thread that is alive, of an object below 2^32 bytes, needs nothing but the tables. */
  function isCommon(): boolean {
    return leavingSlot === NOT_ALIVE && freeRows === undefined && wideSizes.size === 0;
  }

  function accept(batch: EventBatch, refused: (index: number, why: Refusal) => void): void {
    const { count } = batch;
    if (rows + count > capacity) makeRoom(count);
    while (objectSlots + count > objectCapacity) growObjects();
    for (let i = 0; i < count; i++) {
      i = acceptCommon(batch, i);
      if (i === count) return;
      const why = acceptOne(batch.op[i]!, batch.fields, 4 * i);
      if (why !== FINE) refused(i, why);
    }
  }

  /**
   * The events of a batch by threads that are alive, on objects with small ids: runs from event `from` to the first one
   * that is not so, or breaks a rule, and returns its index. It does what the functions of each event do, with all tables
   * and counters in locals.
   */
  function acceptCommon(batch: EventBatch, from: number): number {
    if (!isCommon()) return from;
    const { count, op, fields } = batch;
    const slotOfId = ids.direct();
    const idLimit = slotOfId.length;
    const [headColumn, slotColumn, aColumn, bColumn] = [head, slot, a, b];
    const [sizeOfSlot, nextOfSlot, ownerOfSlot] = [size, next, owner];
    let row = rows;
    let free = freeSlot;
    let fresh = objectSlots;
    let live = totals[LIVE_BYTES]!;
    let peak = totals[PEAK_BYTES]!;
    let thread = currentThread;
    let t = currentSlot;
    let i = from;
    for (; i < count; i++) {
      const kind = op[i]!;
      const at = 4 * i;
      if (kind === OP_CLOCK) {
        // A batch holds numbers below 2^31: a step's upper part is zero.
        const now = totals[CLOCK_NS]! + fields[at]!;
        if (now >= CLOCK_LIMIT) break;
        totals[CLOCK_NS] = now;
        headColumn[row] = (t << OP_BITS) | OP_CLOCK;
        aColumn[row] = fields[at]!;
        row++;
        continue;
      }
      const id = fields[at + 1]!;
      if (id >= idLimit) break;
      const actor = fields[at]!;
      if (actor !== thread) {
        if (actor >= DIRECT_THREADS) break;
        const alive = slotOfThread[actor]!;
        if (alive === 0) break;
        thread = actor;
        t = alive - 1;
      }
      let s = slotOfId[id]!;
      const x = fields[at + 2]!;
      if (kind === OP_FREE || kind === OP_EFREE) {
        if (s === 0 || (ownerOfSlot[s] === MALLOC_OWNED) !== (kind === OP_FREE)) break;
        if (kind === OP_EFREE) {
          unlinkFromRequest(s);
          hasRequestEvents = true;
        }
        slotOfId[id] = 0;
        live -= sizeOfSlot[s]!;
        nextOfSlot[s] = free;
        free = s;
      } else if (kind === OP_REALLOC || kind === OP_EREALLOC) {
        if (s === 0 || x === 0 || (ownerOfSlot[s] === MALLOC_OWNED) !== (kind === OP_REALLOC)) break;
        const old = sizeOfSlot[s]!;
        sizeOfSlot[s] = x;
        live += x - old;
        if (live > peak) peak = live;
        aColumn[row] = x;
        bColumn[row] = old;
      } else {
        if (kind === OP_WRITE || s !== 0) break;
        let bytes = x;
        if (kind !== OP_MALLOC && kind !== OP_EMALLOC) {
          if (kind === OP_MEMALIGN) {
            if ((x & (x - 1)) !== 0) break;
            bytes = fields[at + 3]!;
          } else {
            bytes *= fields[at + 3]!;
            if (bytes > U32_MAX) break;
          }
          bColumn[row] = fields[at + 3]!;
        }
        s = free;
        if (s !== 0) free = nextOfSlot[s]!;
        else s = fresh++;
        slotOfId[id] = s;
        sizeOfSlot[s] = bytes;
        ownerOfSlot[s] = MALLOC_OWNED;
        live += bytes;
        if (live > peak) peak = live;
        if (kind === OP_EMALLOC || kind === OP_ECALLOC) {
          appendToRequest(s, id, t);
          hasRequestEvents = true;
        }
        if (x !== 0) aColumn[row] = x;
      }
      headColumn[row] = (t << OP_BITS) | kind;
      slotColumn[row] = s;
      row++;
    }
    rows = row;
    freeSlot = free;
    objectSlots = fresh;
    totals[LIVE_BYTES] = live;
    totals[PEAK_BYTES] = peak;
    currentThread = thread;
    currentSlot = t;
    return i;
  }

  function acceptOne(op: number, fields: Int32Array, at: number): Refusal {
    const first = fields[at]!;
    const id = fields[at + 1]!;
    const third = fields[at + 2]!;
    const fourth = fields[at + 3]!;
    switch (op) {
      case OP_MALLOC:
        return malloc(first, id, third);
      case OP_FREE:
        return free(first, id);
      case OP_REALLOC:
        return resize(OP_REALLOC, first, id, third);
      case OP_CALLOC:
        return allocate(OP_CALLOC, first, id, third * fourth, third, fourth);
      case OP_MEMALIGN:
        return memalign(first, id, third, fourth);
      case OP_WRITE:
        return write(first, id, third, fourth);
      case OP_EMALLOC:
        return allocate(OP_EMALLOC, first, id, third, third, 0);
      case OP_EFREE:
        return efree(first, id);
      case OP_EREALLOC:
        return resize(OP_EREALLOC, first, id, third);
      case OP_ECALLOC:
        return allocate(OP_ECALLOC, first, id, third * fourth, third, fourth);
      default:
        return clock(first);
    }
  }

  // ---- threads

  function aliveSlot(thread: number): number {
    return thread < DIRECT_THREADS ? slotOfThread[thread]! - 1 : (slotOfHighThread.get(thread) ?? NOT_ALIVE);
  }

  function setSlot(thread: number, t: number): void {
    if (thread < DIRECT_THREADS) slotOfThread[thread] = t + 1;
    else if (t === NOT_ALIVE) slotOfHighThread.delete(thread);
    else slotOfHighThread.set(thread, t);
  }

  function begin(thread: number): number {
    const t = freeThreadSlots.pop() ?? threadSlots++;
    setSlot(thread, t);
    let record = recordOfThread.get(thread);
    if (record === undefined) {
      record = requestHead.push(0) - 1;
      requestTail.push(0);
      recordOfThread.set(thread, record);
    }
    recordOfSlot[t] = record;
    // The main thread is there from the start; after a fork of another one it may begin like any.
    const row = drained + rows;
    if (thread !== 0 || row > 0) begins.push({ row, thread: t, id: thread });
    return t;
  }

  /** The slot of the thread that acts now; it begins here if it is not alive. */
  function act(thread: number): number {
    return thread === currentThread ? currentSlot : switchTo(thread);
  }

  function switchTo(thread: number): number {
    const alive = aliveSlot(thread);
    currentSlot = alive === NOT_ALIVE ? begin(thread) : alive;
    currentThread = thread;
    releaseLeavingSlot();
    return currentSlot;
  }

  /** A slot becomes free after the thread of the event behind the exit has been created, not before. */
  function releaseLeavingSlot(): void {
    if (leavingSlot === NOT_ALIVE) return;
    freeThreadSlots.push(leavingSlot);
    leavingSlot = NOT_ALIVE;
  }

  // ---- objects

  /** The tables that are shared with `lines` are as long as they can be: from here on every line is read without. */
  function growObjects(): void {
    lines = undefined;
    objectCapacity *= 2;
    const grow = <T extends Int32Array | Uint32Array>(old: T, grown: T) => {
      grown.set(old);
      return grown;
    };
    size = grow(size, new Uint32Array(objectCapacity));
    next = grow(next, new Int32Array(objectCapacity));
    previous = grow(previous, new Int32Array(objectCapacity));
    owner = grow(owner, new Int32Array(objectCapacity));
  }

  function takeSlot(id: number, bytes: number): number {
    let s = freeSlot;
    if (s !== 0) {
      freeSlot = next[s]!;
    } else {
      s = objectSlots++;
      if (s === objectCapacity) growObjects();
    }
    ids.set(id, s);
    setSize(s, bytes);
    owner[s] = MALLOC_OWNED;
    addLive(bytes);
    return s;
  }

  function setSize(s: number, bytes: number): void {
    size[s] = Math.min(bytes, U32_MAX);
    if (bytes > U32_MAX) wideSizes.set(s, bytes);
    else if (wideSizes.size > 0) wideSizes.delete(s);
  }

  function sizeOfSlot(s: number): number {
    return (size[s] === U32_MAX ? wideSizes.get(s) : undefined) ?? size[s]!;
  }

  function addLive(bytes: number): void {
    const live = totals[LIVE_BYTES]! + bytes;
    totals[LIVE_BYTES] = live;
    if (live > totals[PEAK_BYTES]!) totals[PEAK_BYTES] = live;
  }

  function releaseSlot(s: number): void {
    totals[LIVE_BYTES]! -= sizeOfSlot(s);
    if (size[s] === U32_MAX) wideSizes.delete(s);
    next[s] = freeSlot;
    freeSlot = s;
  }

  function appendToRequest(s: number, id: number, t: number): void {
    const record = recordOfSlot[t]!;
    const tail = requestTail[record]!;
    owner[s] = 1 + record;
    previous[s] = tail;
    next[s] = 0;
    if (tail === 0) requestHead[record] = s;
    else next[tail] = s;
    requestTail[record] = s;
    idOfRequestBlock.set(s, id);
  }

  function unlinkFromRequest(s: number): void {
    const record = owner[s]! - 1;
    const before = previous[s]!;
    const after = next[s]!;
    if (before === 0) requestHead[record] = after;
    else next[before] = after;
    if (after === 0) requestTail[record] = before;
    else previous[after] = before;
  }

  // ---- refusals

  function refuse(why: Refusal, t: number): Refusal {
    skipped++;
    forgetAnnotation();
    emit(OP_SKIPPED, t, 0, 0, 0);
    return why;
  }

  function familyRefusal(s: number): Refusal {
    return owner[s] === MALLOC_OWNED ? OBJECT_OF_MALLOC : OBJECT_OF_EMALLOC;
  }

  // ---- marks and call sites

  function annotate({ site = 0, failed, unwritten }: Annotation): void {
    nextSite = site;
    nextFlags = (failed ? MARK_FAILED : 0) | (unwritten ? MARK_UNWRITTEN : 0);
  }

  /** Whether the event that comes has no annotation and no large number, and so neither mark nor site. */
  function isPlain(largest: number): boolean {
    return largest <= U32_MAX && nextFlags === 0 && nextSite === 0;
  }

  /** As `emit`, with arguments of any size and what was said beforehand; `flags` are those of the mark. */
  function emitMarked(op: number, t: number, s: number, first: number, second: number, flags: number): void {
    const marked = flags | (Math.max(first, second) > U32_MAX ? MARK_WIDE : 0);
    if (marked !== 0) marks.add(drained + rows, op, marked, first, second);
    if (nextSite !== 0) callSites.set(drained + rows, nextSite);
    forgetAnnotation();
    const word = marked === 0 ? op : op | OP_MARKED;
    emit(word, t, s, Math.min(first, U32_MAX), Math.min(second, U32_MAX));
  }

  function forgetAnnotation(): void {
    nextFlags = 0;
    nextSite = 0;
  }

  // ---- events

  /** Arguments as they stand in the columns: a calloc of 2^32 bytes or more is one of one element. */
  function allocate(op: number, thread: number, id: number, bytes: number, first: number, second: number): Refusal {
    const t = act(thread);
    if (ids.get(id) !== 0) return refuse(OBJECT_LIVE, t);
    if (!isPlain(Math.max(bytes, first, second))) {
      return allocateMarked(op, t, id, Math.min(bytes, NUMBER_MAX), first, second);
    }
    const s = takeSlot(id, bytes);
    noteRequestBlock(op, s, id, t);
    emit(op, t, s, first, second);
    return FINE;
  }

  function noteRequestBlock(op: number, s: number, id: number, t: number): void {
    if (op !== OP_EMALLOC && op !== OP_ECALLOC) return;
    hasRequestEvents = true;
    if (s !== 0) appendToRequest(s, id, t);
  }

  function allocateMarked(op: number, t: number, id: number, bytes: number, first: number, second: number): Refusal {
    const problem = refusalOfMarked(bytes);
    if (problem !== FINE) return refuse(problem, t);
    const s = (nextFlags & MARK_FAILED) === 0 ? takeSlot(id, bytes) : 0;
    noteRequestBlock(op, s, id, t);
    const isWideCalloc = bytes > U32_MAX && (op === OP_CALLOC || op === OP_ECALLOC);
    if (isWideCalloc) emitMarked(op, t, s, 1, bytes, nextFlags);
    else emitMarked(op, t, s, first, second, nextFlags);
    return FINE;
  }

  function refusalOfMarked(bytes: number): Refusal {
    if (narrow && bytes > U32_MAX) return BLOCK_TOO_LARGE;
    return nextSite > callSites.siteCount ? SITE_UNKNOWN : FINE;
  }

  /** In the compiled trace the realloc of a dead object is the malloc that it amounts to. */
  function resize(op: number, thread: number, id: number, bytes: number): Refusal {
    const s = ids.get(id);
    if (s === 0) return allocate(op === OP_REALLOC ? OP_MALLOC : OP_EMALLOC, thread, id, bytes, bytes, 0);
    const t = act(thread);
    if ((op === OP_REALLOC) !== (owner[s] === MALLOC_OWNED)) return refuse(familyRefusal(s), t);
    if (!isPlain(bytes)) return resizeMarked(op, t, id, s, bytes);
    const old = sizeOfSlot(s);
    emit(op, t, s, bytes, Math.min(old, U32_MAX));
    if (bytes === 0) {
      drop(id, s);
      return FINE;
    }
    setSize(s, bytes);
    addLive(bytes - old);
    return FINE;
  }

  function resizeMarked(op: number, t: number, id: number, s: number, bytes: number): Refusal {
    const problem = refusalOfMarked(bytes);
    if (problem !== FINE) return refuse(problem, t);
    const old = sizeOfSlot(s);
    const hasFailed = (nextFlags & MARK_FAILED) !== 0;
    emitMarked(op, t, s, bytes, old, bytes === 0 ? nextFlags & MARK_FAILED : nextFlags);
    if (hasFailed) return FINE;
    if (bytes === 0) {
      drop(id, s);
      return FINE;
    }
    setSize(s, bytes);
    addLive(bytes - old);
    return FINE;
  }

  function drop(id: number, s: number): void {
    if (owner[s] !== MALLOC_OWNED) unlinkFromRequest(s);
    ids.clear(id);
    releaseSlot(s);
  }

  function malloc(thread: number, id: number, bytes: number): Refusal {
    if (!isPlain(bytes)) return allocate(OP_MALLOC, thread, id, bytes, bytes, 0);
    const t = act(thread);
    if (ids.get(id) !== 0) return refuse(OBJECT_LIVE, t);
    emit(OP_MALLOC, t, takeSlot(id, bytes), bytes, 0);
    return FINE;
  }

  function free(thread: number, id: number): Refusal {
    const t = act(thread);
    const s = ids.get(id);
    if (s === 0) return freeDead(t, id);
    if (owner[s] !== MALLOC_OWNED) return refuse(OBJECT_OF_EMALLOC, t);
    if (freeRows !== undefined) freeRows.set(id, drained + rows);
    emit(OP_FREE, t, s, 0, 0);
    ids.clear(id);
    releaseSlot(s);
    return FINE;
  }

  function freeDead(t: number, id: number): Refusal {
    const freed = freeRows?.get(id);
    if (freed === undefined) return refuse(OBJECT_DEAD, t);
    let row = freed - 1;
    while (slot[row] !== slot[freed] || !ALLOCATING.has(head[row]! & OP_MASK)) row--;
    emit(OP_STALE_FREE, t, 0, row, 0);
    return FINE;
  }

  function efree(thread: number, id: number): Refusal {
    const t = act(thread);
    const s = ids.get(id);
    if (s === 0) return refuse(OBJECT_DEAD, t);
    if (owner[s] === MALLOC_OWNED) return refuse(OBJECT_OF_MALLOC, t);
    hasRequestEvents = true;
    emit(OP_EFREE, t, s, 0, 0);
    drop(id, s);
    return FINE;
  }

  function memalign(thread: number, id: number, align: number, bytes: number): Refusal {
    const real = Math.max(8, align);
    if (real > 2 ** 31 || (real & (real - 1)) !== 0) return refuse(ALIGNMENT_INVALID, act(thread));
    return allocate(OP_MEMALIGN, thread, id, bytes, align, bytes);
  }

  function write(thread: number, id: number, offset: number, length: number): Refusal {
    const t = act(thread);
    const s = ids.get(id);
    if (s === 0) return refuse(OBJECT_DEAD, t);
    const bytes = sizeOfSlot(s);
    const from = Math.min(offset, bytes);
    emitMarked(OP_WRITE, t, s, from, Math.min(length, bytes - from), 0);
    return FINE;
  }

  function requestEnd(thread: number): void {
    const t = act(thread);
    hasRequestEvents = true;
    const first = requestFreeCount;
    const record = recordOfSlot[t]!;
    for (let s = requestHead[record]!; s !== 0; ) {
      const after = next[s]!;
      if (requestFreeCount === requestFrees.length) {
        const grown = new Int32Array(requestFrees.length * 2);
        grown.set(requestFrees);
        requestFrees = grown;
      }
      requestFrees[requestFreeCount++] = s;
      drop(idOfRequestBlock.get(s), s);
      s = after;
    }
    emit(OP_REQUEST_END, t, 0, first, requestFreeCount - first);
  }

  function clock(ns: number): Refusal {
    releaseLeavingSlot();
    const now = totals[CLOCK_NS]! + ns;
    if (now >= CLOCK_LIMIT) return refuse(CLOCK_TOO_LARGE, currentSlot);
    totals[CLOCK_NS] = now;
    emit(OP_CLOCK, currentSlot, 0, ns >>> 0, Math.floor(ns / 2 ** 32));
    return FINE;
  }

  function sample(text: string): void {
    releaseLeavingSlot();
    const label = oneLine(text);
    let index = labelIndex.get(label);
    if (index === undefined) {
      index = labels.push(label) - 1;
      labelIndex.set(label, index);
    }
    emit(OP_SAMPLE, currentSlot, 0, index, 0);
  }

  function threadExit(thread: number): void {
    const t = act(thread);
    if (thread === 0) {
      emit(OP_THREAD_BEGIN, t, 0, 0, 0); // trace-format.md: the main thread's exit is ignored
      return;
    }
    emit(OP_THREAD_EXIT, t, 0, 0, 0);
    setSlot(thread, NOT_ALIVE);
    leavingSlot = t;
    currentThread = -1;
    currentSlot = 0;
  }

  function fork(thread: number): void {
    const t = act(thread);
    emit(OP_FORK, t, 0, 0, 0);
    // What is gone without having exited leaves its cache, its arena and its request's heap as they are: its slot is not used again.
    const gone = [...slotOfHighThread.keys()];
    for (let id = 0; id < DIRECT_THREADS; id++) if (slotOfThread[id] !== 0) gone.push(id);
    for (const id of gone) {
      if (id === thread) continue;
      setSlot(id, NOT_ALIVE);
      recordOfThread.delete(id);
    }
  }

  function observe(values: Observation['values']): boolean {
    if (rows === 0 || (head[rows - 1]! & OP_MASK) !== OP_SAMPLE) return false;
    const last = observations.at(-1);
    const row = drained + rows - 1;
    if (last?.row === row) last.values = [...last.values, ...values];
    else observations.push({ row, values });
    return true;
  }

  return {
    annotate,
    malloc,
    calloc: (thread, id, count, each) => allocate(OP_CALLOC, thread, id, count * each, count, each),
    realloc: (thread, id, bytes) => resize(OP_REALLOC, thread, id, bytes),
    memalign,
    free,
    emalloc: (thread, id, bytes) => allocate(OP_EMALLOC, thread, id, bytes, bytes, 0),
    ecalloc: (thread, id, count, each) => allocate(OP_ECALLOC, thread, id, count * each, count, each),
    erealloc: (thread, id, bytes) => resize(OP_EREALLOC, thread, id, bytes),
    efree,
    write,
    requestBegin(thread) {
      hasRequestEvents = true;
      emit(OP_REQUEST_BEGIN, act(thread), 0, 0, 0);
    },
    requestEnd,
    trim: (thread, pad) => emitMarked(OP_TRIM, act(thread), 0, pad, 0, 0),
    mallopt: (thread, name, value) => emit(OP_OPT, act(thread), MALLOPT_NAMES.indexOf(name), value >>> 0, 0),
    mallctl: (thread, call) => emit(OP_CTL, act(thread), 0, packMallctl(call), call.value >>> 0),
    clock,
    sample,
    threadBegin: (thread) => emit(OP_THREAD_BEGIN, act(thread), 0, 0, 0),
    threadExit,
    threadCreate: (thread, other) => emit(OP_CREATE, act(thread), 0, other, 0),
    threadJoin: (thread, other, ns) => emit(OP_JOIN, act(thread), 0, other, Math.min(ns, U32_MAX)),
    exit(thread) {
      if (exitRow < 0) exitRow = drained + rows;
      emit(OP_EXIT, act(thread), 0, 0, 0);
    },
    fork,
    gc(thread) {
      hasRequestEvents = true;
      emit(OP_GC, act(thread), 0, 0, 0);
    },
    shutdown(thread) {
      hasRequestEvents = true;
      emit(OP_SHUTDOWN, act(thread), 0, 0, 0);
    },
    observe,
    addFrame: callSites.addFrame,
    addSite: callSites.addSite,
    get frameCount() {
      return callSites.frameCount;
    },
    get siteCount() {
      return callSites.siteCount;
    },
    acceptLines,
    accept,
    skip() {
      releaseLeavingSlot();
      refuse(FINE, currentSlot);
    },
    get length() {
      return drained + rows;
    },
    isAlive: (thread) => aliveSlot(thread) !== NOT_ALIVE,
    sizeOf(id) {
      const s = ids.get(id);
      return s === 0 ? -1 : sizeOfSlot(s);
    },
    nextSlot: () => (freeSlot !== 0 ? freeSlot : objectSlots),
    finish(header) {
      if (drain) {
        while (rows > drain.pieceRows) drainRows(drain, drain.pieceRows);
        drainRows(drain, rows);
      }
      return bufferOf(header);
    },
  };

  function bufferOf(header: TraceHeader): EventBuffer {
    return {
      length: drained + rows,
      head,
      slot,
      a,
      b,
      touch: header.touch,
      name: oneLine(header.name),
      source: oneLine(header.source),
      labels,
      objectSlots,
      threadSlots,
      begins,
      requestedPeakBytes: Math.min(totals[PEAK_BYTES]!, NUMBER_MAX),
      hasRequestEvents,
      requestFrees: sharedCopy(requestFrees.subarray(0, requestFreeCount)),
      skipped,
      marks: marks.finish(),
      ...callSites.finish(drained + rows),
      observations,
      recorded: header.recorded ?? NO_FACTS,
      exitRow,
    };
  }
}

/** Of rows that are handed over a piece at a time they are those that `lines` writes into, where these are long enough. */
function columnsFor(capacity: number, isDrained: boolean, lines: CommonLines | undefined) {
  if (!isDrained) {
    const [a, b] = [sharedUint32(capacity), sharedUint32(capacity)];
    return { head: sharedInt32(capacity), slot: sharedInt32(capacity), a, b };
  }
  if (lines && capacity <= lines.head.length) {
    const { head, slot, a, b } = lines;
    return { head, slot, a, b };
  }
  const [a, b] = [new Uint32Array(capacity), new Uint32Array(capacity)];
  return { head: new Int32Array(capacity), slot: new Int32Array(capacity), a, b };
}

/** A text that can stand in a line of the text form, and comes back as it was. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ').trimStart();
}

/** A column of unsigned numbers by slot that costs nothing until it is used. */
function createSlotColumn(): { get(s: number): number; set(s: number, value: number): void } {
  let values = new Uint32Array(0);
  return {
    get: (s) => values[s]!,
    set(s, value) {
      if (s >= values.length) {
        const grown = new Uint32Array(Math.max(1024, s * 2));
        grown.set(values);
        values = grown;
      }
      values[s] = value;
    },
  };
}

import {
  type EventBuffer,
  isAllocating,
  MALLOPT_NAMES,
  MARK_FAILED,
  MARK_UNWRITTEN,
  MARK_WIDE,
  NUMBER_MAX,
  OP_BITS,
  OP_CALLOC,
  OP_CLOCK,
  OP_CTL,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_EXIT,
  OP_FORK,
  OP_FREE,
  OP_GC,
  OP_MALLOC,
  OP_MARKED,
  OP_MASK,
  OP_MEMALIGN,
  OP_OPT,
  OP_REALLOC,
  OP_REQUEST_BEGIN,
  OP_REQUEST_END,
  OP_SAMPLE,
  OP_SKIPPED,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
  OP_TRIM,
  OP_WRITE,
  type Rows,
  rowsOf,
  type TraceSummary,
} from '../../sim/contract/event.ts';
import { unpackMallctl } from '../../sim/contract/mallctl.ts';
import { THREAD_ID_MAX, U32_MAX } from './compiler.ts';

/** By object slot. */
const DEAD = 0;
const OF_MALLOC = 1;
const OF_EMALLOC = 2;
const NO_OBJECT = 3; // slot 0
/** No states: other common operations. */
const PASSES = 16;
const RESIZES = 17;
const COUNTS = 18;
const WRITES = 19;
const EMALLOCS = 20;
const EFREES = 21;
const ERESIZES = 22;
const UNCOMMON = 255;
/** By thread slot. */
const NOBODY = 0;
const ALIVE = 1;
const GONE = 2; // at a fork: the slot is not used again

const CLOCK_LIMIT = 2 ** 53;
const NO_LIST = -1;
const NOT_FREE = 'an object that is not free';
const NOT_LIVE = 'an object that is not live';
const MISMATCH = 'a summary in the header that its events do not give';
/** Rows that one call looks at: code that replaces a function is better than code that replaces a running loop. */
const PIECE_ROWS = 1 << 14;

/**
 * What is wrong with a buffer that did not come from the compiler; undefined where nothing is. Whatever replays and
 * studies take for granted is checked: that threads live, that objects live and have the sizes that are said of them,
 * that lists and tables have what events refer to. The header's peak is believed. A buffer that the compiler has made has no problem.
 */
export function problemOf(events: EventBuffer): string | undefined {
  const checker = createChecker(events, rowsOf(events));
  return checker.check(events.length) ?? checker.finish() ?? siteProblem(events) ?? observationProblem(events);
}

export interface Checker {
  /** Looks at the rows up to `to`, which are in the columns; what is wrong with them. */
  check(to: number): string | undefined;
  /** What is wrong with the summary, now that all rows have been looked at. */
  finish(): string | undefined;
}

/** As `problemOf`, for rows that come one after the other. Call sites and observations are not looked at. */
export function createChecker(events: TraceSummary, rows: Rows): Checker {
  const { begins, labels, objectSlots, threadSlots, requestFrees, marks } = events;
  const { head, slot, a, b, mask } = rows;
  const states = new Uint8Array(objectSlots);
  /** Of live objects; U32_MAX for one of 2^32 bytes or more, whose size is in `wide`. */
  const sizes = new Uint32Array(objectSlots);
  const wide = new Map<number, number>();
  /** Of e-blocks: the number of their thread's list. */
  const owners = new Int32Array(events.hasRequestEvents ? objectSlots : 0);
  /** Of e-blocks: the row of their allocation. */
  const born = new Int32Array(owners.length);
  const threads = new Uint8Array(threadSlots);
  const idOf = new Float64Array(threadSlots);
  const aliveIds = new Set<number>([0]);
  const records = new Map<number, number>();
  const requestBlocks: number[] = [];
  const listOf = new Int32Array(threadSlots); // where owners are kept: of the threads that are alive
  states[0] = NO_OBJECT;
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const LARGEST = U32_MAX;
  const opBits = OP_BITS;
  const clock = new Float64Array(1); // in an array: a captured variable would box each new value
  let nextBegin = 0;
  let nextMark = 0;
  let nextFree = 0;
  let skipped = 0;
  let exitRow = -1;
  let seesRequests = false;
  let problem: string | undefined;
  let position = 0;

  function fail(row: number, what: string): false {
    problem ??= `event ${row}: ${what}`;
    return false;
  }

  const unsigned = (s: number) => s >>> 0;
  const isObject = (s: number) => s !== 0 && unsigned(s) < objectSlots;

  function beginThreads(row: number): boolean {
    for (; nextBegin < begins.length && begins[nextBegin]!.row === row; nextBegin++) {
      const { thread, id } = begins[nextBegin]!;
      if (thread >= threadSlots || threads[thread] !== NOBODY) return fail(row, 'a thread begins where another one is');
      if (id > THREAD_ID_MAX || aliveIds.has(id)) return fail(row, 'a thread begins that is alive');
      idOf[thread] = id;
      setThread(thread, ALIVE);
      aliveIds.add(id);
    }
    return true;
  }

  function recordOf(t: number): number {
    const id = idOf[t]!;
    let record = records.get(id);
    if (record === undefined) {
      record = requestBlocks.push(0) - 1;
      records.set(id, record);
    }
    return record;
  }

  /**
   * By head (thread and operation), of rows without a mark by threads that are alive: what a malloc or free finds in `states` of its object, or
   * which other operation it is. One entry more than there can be: an array of 64 bytes would lie in the heap, where arrays move.
   */
  const expected = new Uint8Array((threadSlots + 1) << OP_BITS).fill(UNCOMMON);

  function setThread(t: number, state: number): void {
    threads[t] = state;
    expected.fill(UNCOMMON, t << opBits, (t + 1) << opBits);
    if (state !== ALIVE) return;
    const set = (op: number, value: number) => (expected[(t << opBits) | op] = value);
    set(OP_MALLOC, DEAD);
    set(OP_FREE, OF_MALLOC);
    set(OP_CALLOC, COUNTS);
    set(OP_REALLOC, RESIZES);
    set(OP_WRITE, WRITES);
    set(OP_CLOCK, PASSES);
    if (owners.length === 0) return;
    listOf[t] = recordOf(t);
    set(OP_EMALLOC, EMALLOCS);
    set(OP_EFREE, EFREES);
    set(OP_EREALLOC, ERESIZES);
  }

  /**
   * Rows from `from` on, up to `to` or the first that is uncommon or may break a rule; returns it. No thread begins in there. What
   * malloc and free do is computed, without a branch between them: which comes next is as good as random, and so is the thread. What lies
   * outside of a table is undefined, and no state.
   */
  function lookAtCommon(from: number, to: number): number {
    let row = from;
    let now = clock[0]!;
    let requests = false;
    for (; row < to; row++) {
      const state = expected[head[row & mask]!];
      const s = slot[row & mask]!;
      const size = a[row & mask]!;
      if (size === LARGEST || state === undefined) break;
      if (states[s] === state) {
        states[s] = 1 - state; // DEAD is 0, OF_MALLOC is 1
        sizes[s] = size; // of a block that is no more, it is never looked at
      } else if (state === EMALLOCS) {
        if (states[s] !== DEAD) break;
        const list = listOf[head[row & mask]! >>> opBits]!;
        states[s] = OF_EMALLOC;
        sizes[s] = size;
        owners[s] = list;
        born[s] = row;
        requestBlocks[list]!++;
        requests = true;
      } else if (state === EFREES) {
        if (states[s] !== OF_EMALLOC) break;
        states[s] = DEAD;
        requestBlocks[owners[s]!]!--;
        requests = true;
      } else if (state === PASSES) {
        const next = now + b[row & mask]! * 2 ** 32 + size;
        if (s !== 0 || next >= CLOCK_LIMIT) break;
        now = next;
      } else if (state === RESIZES || state === ERESIZES) {
        const kind = state === RESIZES ? OF_MALLOC : OF_EMALLOC;
        if (states[s] !== kind || sizes[s] !== b[row & mask] || b[row & mask] === LARGEST || size === 0) break;
        sizes[s] = size;
        if (kind === OF_EMALLOC) requests = true;
      } else if (state === COUNTS) {
        const bytes = size * b[row & mask]!;
        if (states[s] !== DEAD || bytes >= LARGEST) break;
        states[s] = OF_MALLOC;
        sizes[s] = bytes;
      } else if (state === WRITES) {
        if (states[s] !== OF_MALLOC || sizes[s] === LARGEST || size + b[row & mask]! > sizes[s]!) break;
      } else {
        break;
      }
    }
    clock[0] = now;
    if (requests) seesRequests = true;
    return row;
  }

  function sizeOf(s: number): number {
    return sizes[s] === U32_MAX ? (wide.get(s) ?? U32_MAX) : sizes[s]!;
  }

  function setSize(s: number, bytes: number): void {
    sizes[s] = Math.min(bytes, U32_MAX);
    if (bytes >= U32_MAX) wide.set(s, bytes);
  }

  function allocates(row: number, s: number, bytes: number, owner: number): boolean {
    if (!isObject(s) || states[s] !== DEAD) return fail(row, NOT_FREE);
    setSize(s, bytes);
    states[s] = OF_MALLOC;
    if (owner === NO_LIST) return true;
    if (owners.length === 0) return fail(row, 'an e… event, which the header denies');
    states[s] = OF_EMALLOC;
    owners[s] = owner;
    born[s] = row;
    requestBlocks[owner]!++;
    return true;
  }

  function dies(s: number): void {
    if (states[s] === OF_EMALLOC) requestBlocks[owners[s]!]!--;
    states[s] = DEAD;
  }

  function isLive(row: number, s: number, isRequest: boolean): boolean {
    if (!isObject(s) || states[s] === DEAD) return fail(row, NOT_LIVE);
    return (states[s] === OF_EMALLOC) === isRequest || fail(row, 'an object of the other family');
  }

  function resizes(row: number, bytes: number, old: number, isRequest: boolean, failed: boolean): boolean {
    const s = slot[row & mask]!;
    if (!isLive(row, s, isRequest)) return false;
    const had = sizeOf(s);
    const isMarked = (head[row & mask]! & OP_MARKED) !== 0;
    if (old !== (isMarked ? had : Math.min(had, U32_MAX))) return fail(row, 'an old size that the object has not');
    if (failed) return true;
    if (bytes === 0) {
      dies(s);
      return true;
    }
    setSize(s, bytes);
    return true;
  }

  function endsRequest(row: number, t: number): boolean {
    const record = recordOf(t);
    if (a[row & mask] !== nextFree || b[row & mask]! > requestFrees.length - nextFree)
      return fail(row, 'an unknown request');
    let before = -1;
    for (const end = nextFree + b[row & mask]!; nextFree < end; nextFree++) {
      const s = requestFrees[nextFree]!;
      if (!isObject(s) || states[s] !== OF_EMALLOC || owners[s] !== record || born[s]! <= before)
        return fail(row, 'a request that frees an unknown object');
      before = born[s]!;
      dies(s);
    }
    return requestBlocks[record] === 0 || fail(row, 'a request that leaves an object behind');
  }

  /** The mark of the row, checked against its columns; -1 where there is none and should be none. */
  function markAt(row: number): number {
    if ((head[row & mask]! & OP_MARKED) === 0) return -1;
    const place = nextMark++;
    if (marks.rows[place] !== row) {
      fail(row, 'a mark that is missing');
      return -1;
    }
    const [first, second, flags] = [marks.a[place]!, marks.b[place]!, marks.flags[place]!];
    const isWide = Math.max(first, second) > U32_MAX;
    const isRight =
      flags !== 0 &&
      (flags & ~(MARK_FAILED | MARK_UNWRITTEN | MARK_WIDE)) === 0 &&
      ((flags & MARK_WIDE) !== 0) === isWide &&
      first <= NUMBER_MAX &&
      second <= NUMBER_MAX &&
      a[row & mask] === Math.min(first, U32_MAX) &&
      b[row & mask] === Math.min(second, U32_MAX);
    if (!isRight) fail(row, 'a mark that does not fit');
    return place;
  }

  /** Any row. */
  function lookAt(row: number): boolean {
    const op = head[row & mask]! & OP_MASK;
    const t = head[row & mask]! >>> OP_BITS;
    if (t >= threadSlots) return fail(row, 'an unknown thread');
    const isOfNobody = op === OP_CLOCK || op === OP_SAMPLE || op === OP_SKIPPED;
    if (!isOfNobody && threads[t] !== ALIVE) return fail(row, 'a thread that is not alive');
    const place = markAt(row);
    if (problem !== undefined) return false;
    const flags = place < 0 ? 0 : marks.flags[place]!;
    const first = place < 0 ? a[row & mask]! : marks.a[place]!;
    const second = place < 0 ? b[row & mask]! : marks.b[place]!;
    return isAllocating(op) ? allocation(row, op, t, first, second, flags) : other(row, op, t, first, second, flags);
  }

  function allocation(row: number, op: number, t: number, first: number, second: number, flags: number): boolean {
    const s = slot[row & mask]!;
    const failed = (flags & MARK_FAILED) !== 0;
    const isRequest = op === OP_EMALLOC || op === OP_ECALLOC || op === OP_EREALLOC;
    if (isRequest) seesRequests = true;
    if (op === OP_REALLOC || op === OP_EREALLOC) return resizes(row, first, second, isRequest, failed);
    let bytes = first;
    if (op === OP_CALLOC || op === OP_ECALLOC) {
      bytes = first * second;
      if (bytes > U32_MAX && first !== 1) return fail(row, 'a block that is too large');
    } else if (op === OP_MEMALIGN) {
      bytes = second;
      const isRight = first <= 8 || (first <= 2 ** 31 && Number.isInteger(Math.log2(first)));
      if (!isRight) return fail(row, 'an alignment that is no power of two');
    }
    if (failed) return s === 0 || fail(row, 'an object of an allocation that failed');
    return allocates(row, s, bytes, isRequest ? recordOf(t) : NO_LIST);
  }

  function other(row: number, op: number, t: number, first: number, second: number, flags: number): boolean {
    const s = slot[row & mask]!;
    if ((flags & ~MARK_WIDE) !== 0 || (flags !== 0 && op !== OP_WRITE && op !== OP_TRIM))
      return fail(row, 'a mark that does not fit');
    if (op > OP_EREALLOC && op !== OP_OPT && s !== 0) return fail(row, 'an object where none belongs');
    switch (op) {
      case OP_FREE:
      case OP_EFREE:
        if (op === OP_EFREE) seesRequests = true;
        if (!isLive(row, s, op === OP_EFREE)) return false;
        dies(s);
        return true;
      case OP_WRITE:
        if (!isObject(s) || states[s] === DEAD) return fail(row, NOT_LIVE);
        return first + second <= sizeOf(s) || fail(row, 'a write beyond its object');
      case OP_REQUEST_BEGIN:
      case OP_GC:
        seesRequests = true;
        return true;
      case OP_REQUEST_END:
        seesRequests = true;
        return endsRequest(row, t);
      case OP_OPT:
        return unsigned(s) < MALLOPT_NAMES.length || fail(row, 'an unknown option');
      case OP_CTL:
        return unpackMallctl(first, second) !== undefined || fail(row, 'an unknown call of mallctl');
      case OP_CLOCK:
        clock[0]! += second * 2 ** 32 + first;
        return clock[0]! < CLOCK_LIMIT || fail(row, 'a clock beyond its range');
      case OP_SAMPLE:
        return first < labels.length || fail(row, 'an unknown label');
      case OP_SKIPPED:
        skipped++;
        return true;
      case OP_THREAD_EXIT:
        if (idOf[t] === 0) return fail(row, 'an exit of the main thread');
        setThread(t, NOBODY);
        aliveIds.delete(idOf[t]!);
        return true;
      case OP_FORK:
        for (let other = 0; other < threadSlots; other++)
          if (other !== t && threads[other] === ALIVE) setThread(other, GONE);
        aliveIds.clear();
        aliveIds.add(idOf[t]!);
        return true;
      case OP_EXIT:
        if (exitRow < 0) exitRow = row;
        return true;
      case OP_TRIM:
      case OP_THREAD_BEGIN:
        return true;
      default:
        return fail(row, 'an unknown operation');
    }
  }

  function summaryProblem(): string | undefined {
    if (nextBegin < begins.length) return 'a thread that begins nowhere';
    if (nextMark < marks.rows.length) return 'a mark of no event';
    if (nextFree < requestFrees.length) return 'a free of no request';
    const isSame = skipped === events.skipped && exitRow === events.exitRow && seesRequests === events.hasRequestEvents;
    return isSame ? undefined : MISMATCH;
  }

  setThread(0, ALIVE);
  return {
    check(end) {
      while (position < end) {
        if (!beginThreads(position)) break;
        const to = Math.min(end, begins[nextBegin]?.row ?? end, position + PIECE_ROWS);
        if (to <= position) return `event ${position}: threads that begin in no order`;
        while (position < to) {
          position = lookAtCommon(position, to);
          if (position < to && !lookAt(position++)) break;
        }
        if (problem !== undefined) break;
      }
      return problem;
    },
    finish: summaryProblem,
  };
}

function siteProblem({ sites, length, head, siteParent, siteFrame, frames }: EventBuffer): string | undefined {
  for (let site = 1; site < siteParent.length; site++) {
    if (siteParent[site]! >>> 0 >= site) return `call site ${site} above the one that calls it`;
    if (siteFrame[site] === 0 || siteFrame[site]! >>> 0 >= frames.length)
      return `an unknown frame at call site ${site}`;
  }
  if (!sites) return undefined;
  for (let row = 0; row < length; row++) {
    if (sites[row]! >>> 0 >= siteParent.length) return `event ${row}: an unknown call site`;
    if (sites[row] !== 0 && !isAllocating(head[row]! & OP_MASK)) return `event ${row}: a call site of no allocation`;
  }
  return undefined;
}

function observationProblem({ observations, head }: EventBuffer): string | undefined {
  let before = -1;
  for (const { row } of observations) {
    if (row <= before || (head[row]! & OP_MASK) !== OP_SAMPLE) return `event ${row}: an observation of no sample`;
    before = row;
  }
  return undefined;
}

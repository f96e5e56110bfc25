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
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
  OP_TRIM,
  OP_WRITE,
  type Rows,
  rowsOf,
  type TraceSummary,
} from '../../sim/contract/event.ts';
import { unpackMallctl } from '../../sim/contract/mallctl.ts';
import {
  CLOCK_LIMIT,
  CLOCK_NS,
  type CommonRows,
  DEAD,
  OF_EMALLOC,
  OF_MALLOC,
  openCommonRows,
  PIECE_ROWS,
  SEES_REQUESTS,
} from './common-rows.ts';
import { THREAD_ID_MAX, U32_MAX } from './compiler.ts';

/** By thread slot. */
const [NOBODY, ALIVE, GONE] = [0, 1, 2]; // gone at a fork: the slot is not used again

const NO_LIST = -1;
const NOT_FREE = 'an object that is not free';
const NOT_LIVE = 'an object that is not live';
const MISMATCH = 'a summary in the header that its events do not give';
/**
 * What is wrong with a buffer that did not come from the compiler; undefined where nothing is. Whatever replays and
 * studies take for granted is checked: that threads live, that objects live and have the sizes that are said of them,
 * that lists and tables have what events refer to. The header's peak is believed. A buffer that the compiler has made has no problem.
 */
export function problemOf(events: EventBuffer, tables: CommonRows = openCommonRows(events)): string | undefined {
  const checker = createChecker(events, tables);
  const { sites, head, length, siteParent, observations } = events;
  return (
    problemOfRows(events, tables, checker) ??
    checker.finish() ??
    siteTreeProblem(events) ??
    (sites && rowSiteProblem(sites, head, length, 0, siteParent.length)) ??
    createObservationCheck(observations, rowsOf(events))(length)
  );
}

function problemOfRows(events: EventBuffer, tables: CommonRows, checker: Checker): string | undefined {
  for (let from = 0; from < events.length; from += PIECE_ROWS) {
    const to = Math.min(events.length, from + PIECE_ROWS);
    for (const name of ['head', 'slot', 'a', 'b'] as const) tables[name].set(events[name].subarray(from, to));
    const problem = checker.check(to);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

export interface Checker {
  /** Looks at the rows up to `to`, which are in the columns: those of one piece, which begins at a multiple of PIECE_ROWS. Says what is wrong with them. */
  check(to: number): string | undefined;
  /** What is wrong with the summary, now that all rows have been looked at. */
  finish(): string | undefined;
}

/** As `problemOf`, for rows that come one after the other. Call sites and observations are not looked at. */
export function createChecker(events: TraceSummary, tables: CommonRows): Checker {
  const { begins, labels, objectSlots, threadSlots, requestFrees, marks } = events;
  const { head, slot, a, b, states, sizes, owners, born, listOf, requestBlocks, totals } = tables;
  const mask = PIECE_ROWS - 1;
  /** Of live objects, the sizes from 2^32 - 1 bytes on. */
  const wide = new Map<number, number>();
  const threads = new Uint8Array(threadSlots);
  const idOf = new Float64Array(threadSlots);
  const aliveIds = new Set<number>([0]);
  const records = new Map<number, number>();
  let lists = 0;
  let nextBegin = 0;
  let nextMark = 0;
  let nextFree = 0;
  let skipped = 0;
  let exitRow = -1;
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
      record = lists++;
      records.set(id, record);
    }
    return record;
  }

  const { setAlive, lookAtCommon } = tables;

  function setThread(t: number, state: number): void {
    threads[t] = state;
    if (owners.length > 0 && state === ALIVE) listOf[t] = recordOf(t);
    setAlive(t, state === ALIVE);
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
    if (isRequest) totals[SEES_REQUESTS] = 1;
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
        if (op === OP_EFREE) totals[SEES_REQUESTS] = 1;
        if (!isLive(row, s, op === OP_EFREE)) return false;
        dies(s);
        return true;
      case OP_WRITE:
        if (!isObject(s) || states[s] === DEAD) return fail(row, NOT_LIVE);
        return first + second <= sizeOf(s) || fail(row, 'a write beyond its object');
      case OP_REQUEST_BEGIN:
      case OP_GC:
      case OP_SHUTDOWN:
      case OP_REQUEST_END:
        totals[SEES_REQUESTS] = 1;
        return op !== OP_REQUEST_END || endsRequest(row, t);
      case OP_OPT:
        return unsigned(s) < MALLOPT_NAMES.length || fail(row, 'an unknown option');
      case OP_CTL:
        return unpackMallctl(first, second) !== undefined || fail(row, 'an unknown call of mallctl');
      case OP_CLOCK:
        totals[CLOCK_NS]! += second * 2 ** 32 + first;
        return totals[CLOCK_NS]! < CLOCK_LIMIT || fail(row, 'a clock beyond its range');
      case OP_SAMPLE:
        return first < labels.length || fail(row, 'an unknown label');
      case OP_THREAD_EXIT:
        if (idOf[t] === 0) return fail(row, 'an exit of the main thread');
        setThread(t, NOBODY);
        aliveIds.delete(idOf[t]!);
        return true;
      case OP_FORK:
        for (let other = 0; other < threadSlots; other++) {
          if (other === t || threads[other] !== ALIVE) continue;
          setThread(other, GONE);
          records.delete(idOf[other]!);
        }
        aliveIds.clear();
        aliveIds.add(idOf[t]!);
        return true;
      case OP_EXIT:
      case OP_SKIPPED:
        if (op === OP_SKIPPED) skipped++;
        else if (exitRow < 0) exitRow = row;
        return true;
      case OP_CREATE:
      case OP_JOIN:
        return first <= THREAD_ID_MAX || fail(row, 'a thread number beyond its range');
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
    const isSame =
      skipped === events.skipped &&
      exitRow === events.exitRow &&
      (totals[SEES_REQUESTS] === 1) === events.hasRequestEvents;
    return isSame ? undefined : MISMATCH;
  }

  setThread(0, ALIVE);
  return {
    check(end) {
      while (position < end) {
        if (!beginThreads(position)) break;
        const to = Math.min(end, begins[nextBegin]?.row ?? end);
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

/** What is wrong with the tree of call stacks. */
export function siteTreeProblem({ siteParent, siteFrame, frames }: TraceSummary): string | undefined {
  for (let site = 1; site < siteParent.length; site++) {
    if (siteParent[site]! >>> 0 >= site) return `call site ${site} above the one that calls it`;
    if (siteFrame[site] === 0 || siteFrame[site]! >>> 0 >= frames.length)
      return `an unknown frame at call site ${site}`;
  }
  return undefined;
}

/** What is wrong with the call sites of `count` rows from `first` on, which begin the columns. */
export function rowSiteProblem(
  sites: ArrayLike<number>,
  head: Int32Array,
  count: number,
  first: number,
  siteCount: number,
): string | undefined {
  for (let i = 0; i < count; i++) {
    if (sites[i]! >>> 0 >= siteCount) return `event ${first + i}: an unknown call site`;
    if (sites[i] !== 0 && !isAllocating(head[i]! & OP_MASK)) return `event ${first + i}: a call site of no allocation`;
  }
  return undefined;
}

/** Looks at the observations up to a row, whose heads are in the columns. */
export function createObservationCheck(observations: TraceSummary['observations'], { head, mask }: Rows) {
  let next = 0;
  let before = -1;
  return (to: number): string | undefined => {
    for (; next < observations.length && observations[next]!.row < to; next++) {
      const { row } = observations[next]!;
      if (row <= before || (head[row & mask]! & OP_MASK) !== OP_SAMPLE)
        return `event ${row}: an observation of no sample`;
      before = row;
    }
    return undefined;
  };
}

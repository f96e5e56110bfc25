import {
  isAllocating,
  MALLOPT_NAMES,
  MARK_WIDE,
  OP_BITS,
  OP_CLOCK,
  OP_CREATE,
  OP_CTL,
  OP_EFREE,
  OP_EREALLOC,
  OP_EXIT,
  OP_FORK,
  OP_FREE,
  OP_GC,
  OP_JOIN,
  OP_MASK,
  OP_OPT,
  OP_REQUEST_BEGIN,
  OP_REQUEST_END,
  OP_SAMPLE,
  OP_SHUTDOWN,
  OP_SKIPPED,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
  OP_TRIM,
  OP_WRITE,
  type TraceSummary,
} from '../../../sim/contract/event.ts';
import { unpackMallctl } from '../../../sim/contract/mallctl.ts';
import { CLOCK_NS, type CommonRows, PIECE_ROWS, SEES_REQUESTS } from '../common-rows.ts';
import { NUMBER_LIMIT, THREAD_ID_MAX } from '../compiler/limits.ts';
import { createBlockRows } from './block-rows.ts';
import { RowMarks } from './row-marks.ts';
import { RowThreads } from './row-threads.ts';

export interface Checker {
  /** Looks at the rows up to `to`, which are in the columns: those of one piece, which begins at a multiple of PIECE_ROWS. Says what is wrong with them. */
  check(to: number): string | undefined;
  /** What is wrong with the summary, now that all rows have been looked at. */
  finish(): string | undefined;
}

/** As `problemOf`, for rows that come one after the other. Call sites and observations are not looked at. */
export function createChecker(events: TraceSummary, tables: CommonRows): Checker {
  const { labels, threadSlots } = events;
  const { head, slot, totals, lookAtCommon } = tables;
  const mask = PIECE_ROWS - 1;
  const threads = new RowThreads(events, tables);
  const marks = new RowMarks(events.marks, tables);
  const blocks = createBlockRows(events, tables, threads);
  let skipped = 0;
  let exitRow = -1;
  let position = 0;

  /** Any row. */
  function lookAt(row: number): string | undefined {
    const op = head[row & mask]! & OP_MASK;
    const t = head[row & mask]! >>> OP_BITS;
    if (t >= threadSlots) return 'an unknown thread';
    const isOfNobody = op === OP_CLOCK || op === OP_SAMPLE || op === OP_SKIPPED;
    if (!isOfNobody && !threads.isAlive(t)) return 'a thread that is not alive';
    const problem = marks.lookAt(row);
    if (problem !== undefined) return problem;
    const { first, second, flags } = marks;
    if (isAllocating(op)) return blocks.allocation(row, op, t, first, second, flags);
    const isWidened = op === OP_WRITE || op === OP_TRIM;
    if (flags !== 0 && (flags !== MARK_WIDE || !isWidened)) return 'a mark that does not fit';
    if (op === OP_FREE || op === OP_EFREE || op === OP_WRITE) return blocks.use(row, op, first, second);
    if (op > OP_EREALLOC && op !== OP_OPT && slot[row & mask] !== 0) return 'an object where none belongs';
    return other(row, op, t, first, second);
  }

  /** A row that is about no block. */
  function other(row: number, op: number, t: number, first: number, second: number): string | undefined {
    switch (op) {
      case OP_REQUEST_BEGIN:
      case OP_GC:
      case OP_SHUTDOWN:
        totals[SEES_REQUESTS] = 1;
        return undefined;
      case OP_REQUEST_END:
        return blocks.requestEnd(row, t);
      case OP_OPT:
        return slot[row & mask]! >>> 0 < MALLOPT_NAMES.length ? undefined : 'an unknown option';
      case OP_CTL:
        return unpackMallctl(first, second) ? undefined : 'an unknown call of mallctl';
      case OP_CLOCK:
        totals[CLOCK_NS]! += second * 2 ** 32 + first;
        return totals[CLOCK_NS]! < NUMBER_LIMIT ? undefined : 'a clock beyond its range';
      case OP_SAMPLE:
        return first < labels.length ? undefined : 'an unknown label';
      case OP_THREAD_EXIT:
        if (threads.isMain(t)) return 'an exit of the main thread';
        threads.exit(t);
        return undefined;
      case OP_FORK:
        threads.fork(t);
        return undefined;
      case OP_EXIT:
        if (exitRow < 0) exitRow = row;
        return undefined;
      case OP_SKIPPED:
        skipped++;
        return undefined;
      case OP_CREATE:
      case OP_JOIN:
        return first <= THREAD_ID_MAX ? undefined : 'a thread number beyond its range';
      case OP_TRIM:
      case OP_THREAD_BEGIN:
        return undefined;
      default:
        return 'an unknown operation';
    }
  }

  /** Rows up to `to`, in which no thread begins. */
  function checkPart(to: number): string | undefined {
    while (position < to) {
      position = lookAtCommon(position, to);
      if (position === to) break;
      const problem = lookAt(position);
      if (problem !== undefined) return `event ${position}: ${problem}`;
      position++;
    }
    return undefined;
  }

  function check(end: number): string | undefined {
    while (position < end) {
      const problem = threads.begin(position);
      if (problem !== undefined) return `event ${position}: ${problem}`;
      const to = Math.min(end, threads.rowOfNext ?? end);
      if (to <= position) return `event ${position}: threads that begin in no order`;
      const problemOfPart = checkPart(to);
      if (problemOfPart !== undefined) return problemOfPart;
    }
    return undefined;
  }

  function finish(): string | undefined {
    if (threads.rowOfNext !== undefined) return 'a thread that begins nowhere';
    if (marks.hasMore) return 'a mark of no event';
    if (blocks.hasMoreFrees()) return 'a free of no request';
    const isSame =
      skipped === events.skipped &&
      exitRow === events.exitRow &&
      (totals[SEES_REQUESTS] === 1) === events.hasRequestEvents;
    return isSame ? undefined : 'a summary in the header that its events do not give';
  }

  return { check, finish };
}

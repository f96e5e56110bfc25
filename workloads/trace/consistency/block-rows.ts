import {
  MARK_FAILED,
  OP_CALLOC,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FREE,
  OP_MARKED,
  OP_MEMALIGN,
  OP_REALLOC,
  type TraceSummary,
} from '../../../sim/contract/event.ts';
import { type CommonRows, DEAD, OF_EMALLOC, OF_MALLOC, PIECE_ROWS, SEES_REQUESTS } from '../common-rows.ts';
import { U32_MAX } from '../compiler/limits.ts';
import type { RowThreads } from './row-threads.ts';

const NOT_LIVE = 'an object that is not live';

/** Rows that are about blocks, each of which says what is wrong with it: what lives, of which family and how large it is. */
export interface BlockRows {
  /** A malloc, calloc, memalign or realloc, with its arguments and the flags of its mark. */
  allocation(row: number, op: number, t: number, first: number, second: number, flags: number): string | undefined;
  /** A free or write. */
  use(row: number, op: number, first: number, second: number): string | undefined;
  requestEnd(row: number, t: number): string | undefined;
  /** Whether there are frees of requests that no row has named. */
  hasMoreFrees(): boolean;
}

export function createBlockRows(
  { objectSlots, requestFrees }: TraceSummary,
  tables: CommonRows,
  threads: RowThreads,
): BlockRows {
  const { head, slot, a, b, states, sizes, owners, born, requestBlocks, totals } = tables;
  const mask = PIECE_ROWS - 1;
  /** Of live objects, the sizes from 2^32 - 1 bytes on. */
  const wide = new Map<number, number>();
  let nextFree = 0;

  const isObject = (s: number) => s !== 0 && s >>> 0 < objectSlots;

  function sizeOf(s: number): number {
    return sizes[s] === U32_MAX ? (wide.get(s) ?? U32_MAX) : sizes[s]!;
  }

  function setSize(s: number, bytes: number): void {
    sizes[s] = Math.min(bytes, U32_MAX);
    if (bytes >= U32_MAX) wide.set(s, bytes);
  }

  function dies(s: number): void {
    if (states[s] === OF_EMALLOC) requestBlocks[owners[s]!]!--;
    states[s] = DEAD;
  }

  function problemOfLive(s: number, isRequest: boolean): string | undefined {
    if (!isObject(s) || states[s] === DEAD) return NOT_LIVE;
    return (states[s] === OF_EMALLOC) === isRequest ? undefined : 'an object of the other family';
  }

  function allocation(row: number, op: number, t: number, first: number, second: number, flags: number) {
    const failed = (flags & MARK_FAILED) !== 0;
    const isRequest = op === OP_EMALLOC || op === OP_ECALLOC || op === OP_EREALLOC;
    if (isRequest) totals[SEES_REQUESTS] = 1;
    if (op === OP_REALLOC || op === OP_EREALLOC) return resize(row, first, second, isRequest, failed);
    let bytes = first;
    if (op === OP_CALLOC || op === OP_ECALLOC) {
      bytes = first * second;
      if (bytes > U32_MAX && first !== 1) return 'a block that is too large';
    } else if (op === OP_MEMALIGN) {
      bytes = second;
      const isRight = first <= 8 || (first <= 2 ** 31 && Number.isInteger(Math.log2(first)));
      if (!isRight) return 'an alignment that is no power of two';
    }
    const s = slot[row & mask]!;
    if (failed) return s === 0 ? undefined : 'an object of an allocation that failed';
    return isRequest ? addToRequest(row, t, s, bytes) : add(s, bytes);
  }

  function add(s: number, bytes: number): string | undefined {
    if (!isObject(s) || states[s] !== DEAD) return 'an object that is not free';
    setSize(s, bytes);
    states[s] = OF_MALLOC;
    return undefined;
  }

  function addToRequest(row: number, t: number, s: number, bytes: number): string | undefined {
    const problem = add(s, bytes);
    if (problem !== undefined) return problem;
    if (owners.length === 0) return 'an e… event, which the header denies';
    const list = threads.requestList(t);
    states[s] = OF_EMALLOC;
    owners[s] = list;
    born[s] = row;
    requestBlocks[list]!++;
    return undefined;
  }

  function resize(row: number, bytes: number, old: number, isRequest: boolean, failed: boolean): string | undefined {
    const s = slot[row & mask]!;
    const problem = problemOfLive(s, isRequest);
    if (problem !== undefined) return problem;
    const had = sizeOf(s);
    const isMarked = (head[row & mask]! & OP_MARKED) !== 0;
    if (old !== (isMarked ? had : Math.min(had, U32_MAX))) return 'an old size that the object has not';
    if (failed) return undefined;
    if (bytes === 0) dies(s);
    else setSize(s, bytes);
    return undefined;
  }

  function use(row: number, op: number, first: number, second: number): string | undefined {
    const s = slot[row & mask]!;
    if (op !== OP_FREE && op !== OP_EFREE) {
      if (!isObject(s) || states[s] === DEAD) return NOT_LIVE;
      return first + second <= sizeOf(s) ? undefined : 'a write beyond its object';
    }
    if (op === OP_EFREE) totals[SEES_REQUESTS] = 1;
    const problem = problemOfLive(s, op === OP_EFREE);
    if (problem === undefined) dies(s);
    return problem;
  }

  function requestEnd(row: number, t: number): string | undefined {
    totals[SEES_REQUESTS] = 1;
    const list = threads.requestList(t);
    if (a[row & mask] !== nextFree || b[row & mask]! > requestFrees.length - nextFree) return 'an unknown request';
    let before = -1;
    for (const end = nextFree + b[row & mask]!; nextFree < end; nextFree++) {
      const s = requestFrees[nextFree]!;
      if (!isObject(s) || states[s] !== OF_EMALLOC || owners[s] !== list || born[s]! <= before)
        return 'a request that frees an unknown object';
      before = born[s]!;
      dies(s);
    }
    return requestBlocks[list] === 0 ? undefined : 'a request that leaves an object behind';
  }

  return { allocation, use, requestEnd, hasMoreFrees: () => nextFree < requestFrees.length };
}

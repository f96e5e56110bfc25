import { isFreeRange, RANGE_CACHED } from '../../../../sim/contract/allocator.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import { residentBytes } from '../../../run/areas.ts';
import type { Assembled } from '../../../run/machine.ts';

/** Free chunks with cached ones beside them: those count as used, so nothing merges across them. */
export interface KeptApart {
  /** Cached chunks with a free one beside them, or beside cached ones beside it. */
  readonly cachedChunks: number;
  /** Free chunks beside them. */
  readonly pieces: number;
  /** What these would be in number if the cached chunks were merged with them. */
  readonly joined: number;
  /** Resident bytes of these free chunks. */
  readonly freeBytes: Bytes;
}

/** Between two chunks of glibc's lies the second one's header, a word or two; a live block is longer. */
const HEADER_BYTES = 16;

/** Of glibc's heaps, at this moment. */
export function keptApart(assembled: Assembled): KeptApart {
  const starts: number[] = [];
  const ends: number[] = [];
  const cached: boolean[] = [];
  assembled.allocator.walk((start, length, kind) => {
    if (kind !== RANGE_CACHED && !isFreeRange(kind)) return;
    starts.push(start);
    ends.push(start + length);
    cached.push(kind === RANGE_CACHED);
  });
  const order = starts.map((_, i) => i).sort((i, j) => starts[i]! - starts[j]!); // as in collectRanges
  const sum = { cachedChunks: 0, pieces: 0, joined: 0, freeBytes: 0 };
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && starts[order[to]!]! - ends[order[to - 1]!]! <= HEADER_BYTES) to++;
    let free = 0;
    for (let at = from; at < to; at++) if (!cached[order[at]!]) free++;
    if (free > 0 && free < to - from) {
      sum.cachedChunks += to - from - free;
      sum.pieces += free;
      sum.joined++;
      for (let at = from; at < to; at++) {
        const i = order[at]!;
        if (!cached[i]) sum.freeBytes += residentBytes(assembled, { start: starts[i]!, end: ends[i]! });
      }
    }
    from = to;
  }
  return sum;
}

import {
  askedBytes,
  type EventBuffer,
  hasFailed,
  MARK_UNWRITTEN,
  markOf,
  OP_CALLOC,
  OP_MALLOC,
  OP_MARKED,
  OP_MASK,
  OP_MEMALIGN,
  OP_REALLOC,
} from '../../sim/contract/event.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import { inPieces } from '../../sim/replay/row-pieces.ts';

/** As in recorder/native/ring.h: smaller blocks are not looked at, and are written as a rule. */
export const BIG_BYTES: Bytes = 16384;
/** The key of %machine under which a recording has the bytes of pages of large blocks of which it saw nothing, though it looked. */
export const ASSUMED_WRITES = 'assumed-writes';
/** … and those that it took as not written, since they hold zeros, on huge pages, which come with them. */
export const ZEROS_UNWRITTEN = 'zeros-unwritten';
/** Bytes for which the program asks for huge pages itself: these are not simulated. */
export const OWN_HUGE_PAGES = 'own-huge-pages';
/** … and those with zeros on huge pages that the program asks for itself, which count as written. */
export const OWN_HUGE_ZEROS = 'own-huge-zeros';

/** Blocks of PHP's heap are not looked at. */
const LOOKED_AT: ReadonlySet<number> = new Set([OP_MALLOC, OP_REALLOC, OP_CALLOC, OP_MEMALIGN]);

/** Bytes of large blocks before row `end` that a recorded trace has as written though nobody saw it: their pages were there before, or were never looked at. */
export function assumedWrites(events: EventBuffer, end: number): Bytes {
  if (!events.source.startsWith('recorded') || events.touch !== 'full') return 0;
  let sum: Bytes = Number(new Map(events.recorded.machine).get(ASSUMED_WRITES) ?? 0);
  const mask = OP_MASK; // an imported constant is loaded and checked at every use
  const { head } = events;
  const isLookedAt = Uint8Array.from({ length: mask + 1 }, (_, op) => (LOOKED_AT.has(op) ? 1 : 0));
  const add = (from: number, to: number) => {
    for (let row = from; row < to; row++) {
      if (isLookedAt[head[row]! & mask] === 0) continue;
      const size = askedBytes(events, row);
      if (size >= BIG_BYTES && !isSeen(events, row) && !hasFailed(events, row)) sum += size;
    }
  };
  inPieces(end, add);
  return sum;
}

function isSeen({ head, marks }: EventBuffer, row: number): boolean {
  return (head[row]! & OP_MARKED) !== 0 && (marks.flags[markOf(marks, row)]! & MARK_UNWRITTEN) !== 0;
}

import {
  type EventBuffer,
  exactA,
  exactB,
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

/** As in the recorder: smaller blocks are not looked at, and are written as a rule. */
const BIG_BYTES: Bytes = 65536;
/** The key of %machine under which a recording has the bytes of pages of large blocks of which it saw nothing, though it looked. */
export const ASSUMED_WRITES = 'assumed-writes';

/** Bytes of large blocks before row `end` that a recorded trace has as written though nobody saw it: their pages were there before, or were never looked at. */
export function assumedWrites(events: EventBuffer, end: number): Bytes {
  if (!events.source.startsWith('recorded') || events.touch !== 'full') return 0;
  let sum: Bytes = Number(new Map(events.recorded.machine).get(ASSUMED_WRITES) ?? 0);
  for (let row = 0; row < end; row++) {
    const size = sizeAt(events, row);
    if (size >= BIG_BYTES && !isSeen(events, row) && !hasFailed(events, row)) sum += size;
  }
  return sum;
}

function sizeAt(events: EventBuffer, row: number): Bytes {
  switch (events.head[row]! & OP_MASK) {
    case OP_MALLOC:
    case OP_REALLOC:
      return exactA(events, row);
    case OP_CALLOC:
      return exactA(events, row) * exactB(events, row);
    case OP_MEMALIGN:
      return exactB(events, row);
    default:
      return 0;
  }
}

function isSeen({ head, marks }: EventBuffer, row: number): boolean {
  return (head[row]! & OP_MARKED) !== 0 && (marks.flags[markOf(marks, row)]! & MARK_UNWRITTEN) !== 0;
}

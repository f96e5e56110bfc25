import {
  type EventBuffer,
  exactA,
  exactB,
  hasFailed,
  OP_CALLOC,
  OP_CLOCK,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FREE,
  OP_MALLOC,
  OP_MARKED,
  OP_MASK,
  OP_MEMALIGN,
  OP_REALLOC,
  OP_REQUEST_END,
} from '../../sim/contract/event.ts';
import type { Bytes, Ns } from '../../sim/contract/units.ts';

/** What a trace says of its objects, as if no allocation failed; `slot` is an object's (event.ts). */
export interface ObjectVisitor {
  /** Before a row takes effect. */
  readonly row?: (row: number, slot: number) => void;
  /** An allocation, or a realloc to a size above 0. */
  readonly sized: (row: number, slot: number, size: Bytes) => void;
  /** A free, a realloc to 0, or the end of the request. */
  readonly freed: (row: number, slot: number) => void;
  /** The clock advances. */
  readonly advanced?: (ns: Ns) => void;
}

/** Walks rows [0, end). */
export function visitObjects(events: EventBuffer, end: number, visitor: ObjectVisitor): void {
  const { head, slot, a, b, requestFrees } = events;
  const { sized, freed, advanced } = visitor;
  for (let row = 0; row < end; row++) {
    const s = slot[row]!;
    visitor.row?.(row, s);
    if ((head[row]! & OP_MARKED) !== 0 && hasFailed(events, row)) continue;
    switch (head[row]! & OP_MASK) {
      case OP_MALLOC:
      case OP_EMALLOC:
        sized(row, s, exactA(events, row));
        break;
      case OP_REALLOC:
      case OP_EREALLOC:
        if (a[row] === 0) freed(row, s);
        else sized(row, s, exactA(events, row));
        break;
      case OP_CALLOC:
      case OP_ECALLOC:
        sized(row, s, exactA(events, row) * exactB(events, row));
        break;
      case OP_MEMALIGN:
        sized(row, s, exactB(events, row));
        break;
      case OP_FREE:
      case OP_EFREE:
        freed(row, s);
        break;
      case OP_REQUEST_END:
        for (let i = 0; i < b[row]!; i++) freed(row, requestFrees[a[row]! + i]!);
        break;
      case OP_CLOCK:
        advanced?.(b[row]! * 2 ** 32 + a[row]!);
        break;
    }
  }
}

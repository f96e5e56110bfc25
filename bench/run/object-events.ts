import type { EventBuffer } from '../../sim/contract/event.ts';
import * as traced from '../../sim/contract/event.ts';
import type { Bytes, Ns } from '../../sim/contract/units.ts';
import { inPieces } from '../../sim/replay/row-pieces.ts';

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
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const { OP_MARKED, OP_MASK, OP_MALLOC, OP_EMALLOC, OP_REALLOC, OP_EREALLOC, OP_CALLOC, OP_ECALLOC } = traced;
  const { MARK_FAILED, OP_MEMALIGN, OP_FREE, OP_EFREE, OP_REQUEST_END, OP_CLOCK } = traced;
  const { head, slot, a, b, requestFrees, marks } = events;
  const { row: before, sized, freed, advanced } = visitor;

  let mark = 0; // marks come in the order of the rows
  function visit(from: number, to: number): void {
    for (let row = from; row < to; row++) {
      const s = slot[row]!;
      const isMarked = (head[row]! & OP_MARKED) !== 0;
      before?.(row, s);
      let first = a[row]!;
      let second = b[row]!;
      if (isMarked) {
        while (marks.rows[mark]! < row) mark++;
        if ((marks.flags[mark]! & MARK_FAILED) !== 0) continue;
        first = marks.a[mark]!;
        second = marks.b[mark]!;
      }
      switch (head[row]! & OP_MASK) {
        case OP_MALLOC:
        case OP_EMALLOC:
          sized(row, s, first);
          break;
        case OP_REALLOC:
        case OP_EREALLOC:
          if (first === 0) freed(row, s);
          else sized(row, s, first);
          break;
        case OP_CALLOC:
        case OP_ECALLOC:
          sized(row, s, first * second);
          break;
        case OP_MEMALIGN:
          sized(row, s, second);
          break;
        case OP_FREE:
        case OP_EFREE:
          freed(row, s);
          break;
        case OP_REQUEST_END:
          for (let i = 0; i < second; i++) freed(row, requestFrees[first + i]!);
          break;
        case OP_CLOCK:
          advanced?.(second * 2 ** 32 + first);
          break;
      }
    }
  }

  inPieces(end, visit);
}

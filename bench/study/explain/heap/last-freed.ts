import {
  type EventBuffer,
  isAllocating,
  OP_EFREE,
  OP_EREALLOC,
  OP_FREE,
  OP_MASK,
  OP_REALLOC,
  OP_REQUEST_END,
} from '../../../../sim/contract/event.ts';
import { PAGE_BYTES } from '../../../../sim/contract/units.ts';
import type { Assembled } from '../../../run/machine.ts';
import type { RowWatcher } from '../../../run/run-options.ts';

const REQUEST_OPS: ReadonlySet<number> = new Set([OP_EFREE, OP_EREALLOC, OP_REQUEST_END]);

/** By page, of the block there that was freed, or moved away, last: 1 + the row that allocated it, and the row that freed it; 0 for none. */
export interface LastFreed {
  readonly allocated: Int32Array;
  readonly freed: Int32Array;
}

/** Follows a run in file order: it looks at every block that is about to be freed. */
export function watchLastFreed(events: EventBuffer, assembled: Assembled): LastFreed & RowWatcher {
  const { objects, allocator, request, machine } = assembled;
  const { head, slot, requestFrees, a, b } = events;
  const allocated = new Int32Array(machine.kernel.pages.length);
  const freed = new Int32Array(machine.kernel.pages.length);
  const rowOf = new Int32Array(events.objectSlots);

  function leave(s: number, row: number, op: number): void {
    const handle = objects.handles[s]!;
    if (handle === 0) return;
    const owner = REQUEST_OPS.has(op) ? (request ?? allocator) : allocator;
    const start = owner.addressOf(handle);
    const first = Math.floor(start / PAGE_BYTES);
    const behind = Math.floor((start + Math.max(1, owner.usableSize(handle)) - 1) / PAGE_BYTES) + 1;
    allocated.fill(1 + rowOf[s]!, first, behind);
    freed.fill(1 + row, first, behind);
  }

  return {
    allocated,
    freed,
    next(from, to) {
      for (let row = from; row < to; row++) {
        const op = head[row]! & OP_MASK;
        if (op === OP_FREE || op === OP_EFREE || op === OP_REALLOC || op === OP_EREALLOC || op === OP_REQUEST_END) {
          return row;
        }
        if (isAllocating(op)) rowOf[slot[row]!] = row;
      }
      return to;
    },
    look(row) {
      const op = head[row]! & OP_MASK;
      if (op === OP_REQUEST_END) {
        for (let i = a[row]!; i < a[row]! + b[row]!; i++) leave(requestFrees[i]!, row, op);
        return;
      }
      leave(slot[row]!, row, op);
      if (isAllocating(op)) rowOf[slot[row]!] = row;
    },
  };
}

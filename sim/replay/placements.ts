import type { Allocator, Handle } from '../contract/allocator.ts';
import {
  OP_CALLOC,
  OP_ECALLOC,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_MALLOC,
  OP_MEMALIGN,
  OP_REALLOC,
} from '../contract/event.ts';
import { realAddress } from '../kernel/layout.ts';

/** Whether trace-format.md wants a placement line for this event. */
export function isAllocating(op: number): boolean {
  return (
    op === OP_MALLOC ||
    op === OP_CALLOC ||
    op === OP_REALLOC ||
    op === OP_MEMALIGN ||
    op === OP_EMALLOC ||
    op === OP_ECALLOC ||
    op === OP_EREALLOC
  );
}

/** `<event index> <address in hex> <usable size>`, without the line end; a failed allocation is 0 0. */
export function placementLine(row: number, allocator: Allocator, handle: Handle): string {
  if (handle === 0) return `${row} 0 0`;
  return `${row} ${realAddress(allocator.addressOf(handle)).toString(16)} ${allocator.usableSize(handle)}`;
}

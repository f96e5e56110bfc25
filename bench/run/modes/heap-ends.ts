import type { EventBuffer } from '../../../sim/contract/event.ts';
import * as traced from '../../../sim/contract/event.ts';

/**
 * The first row in which a heap of requests ends with blocks that the trace does not name there; -1 for none: a thread that exits in its
 * request, an engine that shuts down in it, and, where malloc's blocks are in the heap too (`ofMalloc`), the end of a request that has some.
 */
export function endWithBlocks(events: EventBuffer, ofMalloc: boolean): number {
  const {
    OP_BITS,
    OP_ECALLOC,
    OP_EFREE,
    OP_EMALLOC,
    OP_EREALLOC,
    OP_MASK,
    OP_REQUEST_END,
    OP_SHUTDOWN,
    OP_THREAD_EXIT,
  } = traced;
  const { OP_CALLOC, OP_FREE, OP_MALLOC, OP_MEMALIGN, OP_REALLOC } = traced;
  const { length, head, slot, a, b, objectSlots, threadSlots, hasRequestEvents, requestFrees } = events;
  if (!hasRequestEvents || threadSlots === 1) return -1;
  const owner = new Int32Array(objectSlots).fill(-1);
  const held = new Int32Array(threadSlots);
  const own = (object: number, t: number): void => {
    if (owner[object]! >= 0) held[owner[object]!]!--;
    owner[object] = t;
    if (t >= 0) held[t]!++;
  };
  for (let row = 0; row < length; row++) {
    const op = head[row]! & OP_MASK;
    const t = head[row]! >>> OP_BITS;
    if (op === OP_EMALLOC || op === OP_ECALLOC) own(slot[row]!, t);
    else if (op === OP_EREALLOC) own(slot[row]!, a[row] === 0 ? -1 : t);
    else if (op === OP_EFREE) own(slot[row]!, -1);
    else if (op === OP_REQUEST_END) {
      for (let i = 0; i < b[row]!; i++) own(requestFrees[a[row]! + i]!, -1);
      if (held[t]! > 0) return row;
    } else if ((op === OP_THREAD_EXIT || op === OP_SHUTDOWN) && held[t]! > 0) return row;
    else if (!ofMalloc) continue;
    else if (op === OP_MALLOC || op === OP_CALLOC || op === OP_MEMALIGN) own(slot[row]!, t);
    else if (op === OP_REALLOC) own(slot[row]!, a[row] === 0 ? -1 : t);
    else if (op === OP_FREE) own(slot[row]!, -1);
  }
  return -1;
}

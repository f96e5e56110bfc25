import {
  type EventBuffer,
  exactA,
  exactB,
  hasFailed,
  OP_CALLOC,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FREE,
  OP_MALLOC,
  OP_MASK,
  OP_MEMALIGN,
  OP_REALLOC,
  OP_REQUEST_END,
} from '../contract/event.ts';
import type { Bytes } from '../contract/units.ts';

/**
 * The largest sum of requested bytes over rows [0, end) when the allocations of `failedRows` (ascending) failed. The
 * trace knows it for the case that none does.
 */
export function requestedPeakWithout(events: EventBuffer, end: number, failedRows: readonly number[]): Bytes {
  const sizes = new Float64Array(events.objectSlots);
  const { head, slot, a, b, requestFrees } = events;
  let failure = 0;
  let sum = 0;
  let peak = 0;
  const set = (s: number, size: number) => {
    sum += size - sizes[s]!;
    sizes[s] = size;
    if (sum > peak) peak = sum;
  };
  for (let row = 0; row < end; row++) {
    const op = head[row]! & OP_MASK;
    if (failedRows[failure] === row) {
      failure++;
      continue;
    }
    if (hasFailed(events, row)) continue;
    const s = slot[row]!;
    if (op === OP_MALLOC || op === OP_EMALLOC || op === OP_REALLOC || op === OP_EREALLOC) set(s, exactA(events, row));
    else if (op === OP_CALLOC || op === OP_ECALLOC) set(s, exactA(events, row) * exactB(events, row));
    else if (op === OP_MEMALIGN) set(s, exactB(events, row));
    else if (op === OP_FREE || op === OP_EFREE) set(s, 0);
    else if (op === OP_REQUEST_END) for (let i = 0; i < b[row]!; i++) set(requestFrees[a[row]! + i]!, 0);
  }
  return peak;
}

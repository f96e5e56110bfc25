import {
  type EventBuffer,
  isPassing,
  MARK_FAILED,
  markOf,
  OP_CALLOC,
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
  type PassingTrace,
  rowsOf,
} from '../contract/event.ts';
import type { Bytes } from '../contract/units.ts';

/** The largest sum of requested bytes over rows [0, end) when the allocations of `failedRows` (ascending) failed. */
export function requestedPeak(events: EventBuffer | PassingTrace, end: number, failedRows: readonly number[]): Bytes {
  return failedRows.length === 0 && end === events.length
    ? events.requestedPeakBytes
    : requestedPeakWithout(events, end, failedRows);
}

function requestedPeakWithout(events: EventBuffer | PassingTrace, end: number, failedRows: readonly number[]): Bytes {
  const sizes = new Float64Array(events.objectSlots);
  const { requestFrees, marks } = events;
  const { head, slot, a, b, mask, bring } = isPassing(events) ? events.again() : rowsOf(events);
  let failure = 0;
  let sum = 0;
  let peak = 0;
  let there = 0;
  const set = (s: number, size: number) => {
    sum += size - sizes[s]!;
    sizes[s] = size;
    if (sum > peak) peak = sum;
  };
  for (let row = 0; row < end; row++) {
    if (row >= there) there = bring(row);
    const at = row & mask;
    const op = head[at]! & OP_MASK;
    if (failedRows[failure] === row) {
      failure++;
      continue;
    }
    const place = (head[at]! & OP_MARKED) === 0 ? -1 : markOf(marks, row);
    if (place >= 0 && (marks.flags[place]! & MARK_FAILED) !== 0) continue;
    const first = place < 0 ? a[at]! : marks.a[place]!;
    const second = place < 0 ? b[at]! : marks.b[place]!;
    const s = slot[at]!;
    if (op === OP_MALLOC || op === OP_EMALLOC || op === OP_REALLOC || op === OP_EREALLOC) set(s, first);
    else if (op === OP_CALLOC || op === OP_ECALLOC) set(s, first * second);
    else if (op === OP_MEMALIGN) set(s, second);
    else if (op === OP_FREE || op === OP_EFREE) set(s, 0);
    else if (op === OP_REQUEST_END) for (let i = 0; i < b[at]!; i++) set(requestFrees[a[at]! + i]!, 0);
  }
  return peak;
}

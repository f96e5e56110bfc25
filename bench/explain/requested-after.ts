import {
  type EventBuffer,
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
} from '../../sim/event.ts';

/**
 * Walks rows [0, end) and keeps what each object slot has asked for, as if no allocation failed. `visit` is called
 * before a row takes effect, with the sizes so far and their sum.
 */
export function requestedAfter(
  events: EventBuffer,
  end: number,
  visit: (row: number, slot: number, sizes: Float64Array, sum: number) => void,
): void {
  const { head, slot, a, b, requestFrees } = events;
  const sizes = new Float64Array(events.objectSlots);
  let sum = 0;
  const set = (s: number, size: number) => {
    sum += size - sizes[s]!;
    sizes[s] = size;
  };
  for (let row = 0; row < end; row++) {
    const s = slot[row]!;
    visit(row, s, sizes, sum);
    switch (head[row]! & OP_MASK) {
      case OP_MALLOC:
      case OP_EMALLOC:
      case OP_REALLOC:
      case OP_EREALLOC:
        set(s, a[row]!);
        break;
      case OP_CALLOC:
      case OP_ECALLOC:
        set(s, a[row]! * b[row]!);
        break;
      case OP_MEMALIGN:
        set(s, b[row]!);
        break;
      case OP_FREE:
      case OP_EFREE:
        set(s, 0);
        break;
      case OP_REQUEST_END:
        for (let i = 0; i < b[row]!; i++) set(requestFrees[a[row]! + i]!, 0);
        break;
    }
  }
}

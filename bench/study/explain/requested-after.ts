import type { EventBuffer } from '../../../sim/contract/event.ts';
import { visitObjects } from '../../run/object-events.ts';

/**
 * Walks rows [0, end) and keeps what each object slot has asked for. `visit` is called before a row takes effect, with
 * the sizes so far and their sum.
 */
export function requestedAfter(
  events: EventBuffer,
  end: number,
  visit: (row: number, slot: number, sizes: Float64Array, sum: number) => void,
): void {
  const sizes = new Float64Array(events.objectSlots);
  let sum = 0;
  const set = (slot: number, size: number) => {
    sum += size - sizes[slot]!;
    sizes[slot] = size;
  };
  visitObjects(events, end, {
    row: (row, slot) => visit(row, slot, sizes, sum),
    sized: (_row, slot, size) => set(slot, size),
    freed: (_row, slot) => set(slot, 0),
  });
}

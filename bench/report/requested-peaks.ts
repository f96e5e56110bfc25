import type { EventBuffer } from '../../sim/contract/event.ts';
import { visitObjects } from '../run/object-events.ts';

/** Stretches of a trace of which each one's peak is looked at. */
const STRETCHES = 48;

/**
 * Rows before which most is asked for in each stretch of the trace, ascending: where blocks are written as they come, peaks of
 * resident bytes that fall between evenly spaced samples lie there.
 */
export function requestedPeakRows(events: EventBuffer): number[] {
  const sizes = new Float64Array(events.objectSlots);
  const rows = new Set<number>();
  const width = Math.max(1, Math.ceil(events.length / STRETCHES));
  let requested = 0;
  let most = 0;
  let mostRow = 0;
  let stretch = 0;
  visitObjects(events, events.length, {
    row(row) {
      if (row < (stretch + 1) * width) return;
      if (mostRow > 0) rows.add(mostRow);
      stretch = Math.floor(row / width);
      most = 0;
      mostRow = 0;
    },
    sized(row, slot, size) {
      requested += size - sizes[slot]!;
      sizes[slot] = size;
      if (requested <= most) return;
      most = requested;
      mostRow = row + 1;
    },
    freed(_row, slot) {
      requested -= sizes[slot]!;
      sizes[slot] = 0;
    },
  });
  if (mostRow > 0) rows.add(mostRow);
  return [...rows].sort((x, y) => x - y);
}

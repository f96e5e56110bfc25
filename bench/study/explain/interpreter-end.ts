import { type EventBuffer, OP_MASK, OP_SAMPLE } from '../../../sim/contract/event.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import { TEARDOWNS } from '../../../workloads/recorder/end-label.ts';
import { visitObjects } from '../../run/object-events.ts';

/** A process that takes more than this share again of what it held has not come to its end: it has other threads, or begins anew. */
const TAKEN_AGAIN = 1 / 8;

interface Teardown {
  readonly row: number;
  readonly label: string;
  readonly heldBytes: Bytes;
  leastBytes: Bytes;
}

/** The last time that an interpreter began to take itself down, where nothing but the exit followed. */
export function interpreterEnd(events: EventBuffer): { row: number; about: string } | undefined {
  const { head, a, labels, exitRow } = events;
  if (exitRow < 0 || !labels.some((label) => TEARDOWNS.has(label))) return undefined;
  let last: Teardown | undefined;
  const sizes = new Float64Array(events.objectSlots);
  let sum = 0;
  const set = (slot: number, size: Bytes) => {
    sum += size - sizes[slot]!;
    sizes[slot] = size;
    if (!last) return;
    if (sum < last.leastBytes) last.leastBytes = sum;
    else if (sum - last.leastBytes > last.heldBytes * TAKEN_AGAIN) last = undefined;
  };
  visitObjects(events, exitRow, {
    row(row) {
      if ((head[row]! & OP_MASK) !== OP_SAMPLE) return;
      const label = labels[a[row]!]!;
      if (TEARDOWNS.has(label)) last = { row, label, heldBytes: sum, leastBytes: sum };
    },
    sized: (_row, slot, size) => set(slot, size),
    freed: (_row, slot) => set(slot, 0),
  });
  if (!last) return undefined;
  const about = `when ${TEARDOWNS.get(last.label)!} began to take itself down (${last.label}), before the exit (--at exit judges after it)`;
  return { row: last.row, about };
}

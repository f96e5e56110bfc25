import { type EventBuffer, OP_MASK, OP_SAMPLE } from '../../../../sim/contract/event.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import { TEARDOWNS } from '../../../../workloads/recorder/end-label.ts';
import { visitObjects } from '../../../run/object-events.ts';
import { CALLS_BEHIND } from './final-frees.ts';

/** A process that takes more than this share again of what it held has not come to its end: it has other threads, or begins anew. */
const TAKEN_AGAIN = 1 / 8;

/** PHP ends its script's request, then its modules: what follows the first is a step of the same end. Of Python's two the second counts, its threads have ended then. */
const isStep = (label: string): boolean => label === 'php_request_shutdown';

interface Teardown {
  readonly row: number;
  /** Of the label with which it began, where that is another one with next to nothing behind it. */
  readonly begun: number;
  readonly label: string;
  readonly heldBytes: Bytes;
  leastBytes: Bytes;
}

export interface InterpreterEnd {
  readonly row: number;
  /** Where it was called to. Python says so twice: once more when it has waited for threads and called what was registered (native/teardown.c). */
  readonly begun: number;
  /** The function with which it began. */
  readonly label: string;
  /** Whose end it is. */
  readonly name: string;
}

/** The last time that an interpreter began to take itself down, where nothing but the exit followed. */
export function interpreterEnd(events: EventBuffer): InterpreterEnd | undefined {
  const { head, a, labels, exitRow } = events;
  if (exitRow < 0 || !labels.some((label) => TEARDOWNS.has(label))) return undefined;
  let last: Teardown | undefined;
  const sizes = new Float64Array(events.objectSlots);
  let sum = 0;
  let calls = 0;
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
      if (!TEARDOWNS.has(label)) return;
      if (last && isStep(last.label)) return;
      const begun = last && calls <= CALLS_BEHIND ? last.begun : row;
      last = { row, begun, label, heldBytes: sum, leastBytes: sum };
      calls = 0;
    },
    sized(_row, slot, size) {
      calls++;
      set(slot, size);
    },
    freed(_row, slot) {
      calls++;
      set(slot, 0);
    },
  });
  return last && { row: last.row, begun: last.begun, label: last.label, name: TEARDOWNS.get(last.label)! };
}

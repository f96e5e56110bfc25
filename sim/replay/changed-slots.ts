import type { EventBuffer, PassingTrace } from '../contract/event.ts';
import * as traced from '../contract/event.ts';
import type { ProgramOrder } from './program-order.ts';
import * as programOrder from './program-order.ts';

/** Which objects the events since the last sample had to do with, so that a sample need not look at all of them. */
export interface ChangedSlots {
  /** A turn begins at this position; 0: it has no events. */
  begin(position: number): void;
  /** Of its events, which lie side by side, those before this position have been executed. */
  note(to: number): void;
  /** Any object may have changed. */
  noteAll(): void;
  /** Object slots among which are all that have changed since the last call; undefined: any. Valid until the next call. */
  take(): Int32Array | undefined;
}

const FIRST_ENTRIES = 1024;

/** `slots`: how many there are now; a list that is longer is given up, since looking at all is less then. */
export function createChangedSlots(order: ProgramOrder, slots: () => number): ChangedSlots {
  const { OP_MASK, OP_REQUEST_END } = traced;
  const { RECORD_WORDS, SLOT_SHIFT } = programOrder;
  const { records, requestFrees } = order;
  let entries = new Int32Array(FIRST_ENTRIES);
  let length = 0;
  let noted = 0;
  let isAny = true; // before the first sample

  /** Whether so many more are to be noted, and have room. */
  function makeRoom(count: number): boolean {
    if (isAny) return false;
    if (length + count <= entries.length) return true;
    if (length + count > slots()) {
      isAny = true;
      return false;
    }
    const larger = new Int32Array(2 * (length + count));
    larger.set(entries);
    entries = larger;
    return true;
  }

  function noteRequest(p: number): void {
    const first = programOrder.argumentOf(order, p);
    const count = programOrder.secondArgumentOf(order, p);
    if (!makeRoom(count)) return;
    entries.set(requestFrees.subarray(first, first + count), length);
    length += count;
  }

  return {
    begin: (position) => void (noted = position),
    note(to) {
      const from = noted;
      if (from === 0 || to <= from) return;
      noted = to;
      if (!makeRoom((to - from) / RECORD_WORDS)) return;
      for (let p = from; p < to; p += RECORD_WORDS) entries[length++] = records[p]! >>> SLOT_SHIFT;
      for (let p = from; p < to; p += RECORD_WORDS) if ((records[p]! & OP_MASK) === OP_REQUEST_END) noteRequest(p);
    },
    noteAll: () => void (isAny = true),
    take() {
      const changed = isAny ? undefined : entries.subarray(0, length);
      isAny = false;
      length = 0;
      return changed;
    },
  };
}

/** Object slots of the rows [first, last), and of the requests that end in them; 0 for none. Undefined where rows of them are no longer there. */
export function slotsOfRows(events: EventBuffer | PassingTrace, first: number, last: number): Int32Array | undefined {
  const { requestFrees, hasRequestEvents } = events;
  const { head, slot, a, b, mask } = traced.rowsOf(events);
  const start = (last - 1) & ~mask; // of the piece
  if (first < start) return undefined;
  const from = first - start;
  const to = last - start;
  const named = slot.subarray(from, to);
  if (!hasRequestEvents) return named;
  const ends: Int32Array[] = [];
  for (let row = from; row < to; row++) {
    const op = head[row]! & traced.OP_MASK;
    if (op === traced.OP_SHUTDOWN) return undefined; // what the heap still held is in no row
    if (op === traced.OP_REQUEST_END) {
      ends.push(requestFrees.subarray(a[row]!, a[row]! + b[row]!));
    }
  }
  if (ends.length === 0) return named;
  const all = new Int32Array(ends.reduce((sum, end) => sum + end.length, named.length));
  all.set(named);
  let length = named.length;
  for (const end of ends) {
    all.set(end, length);
    length += end.length;
  }
  return all;
}

import { type EventBuffer, OP_MASK } from './event.ts';

/** Rows that one call looks at: code that replaces a function is better than code that replaces a running loop. */
const PIECE_ROWS = 1 << 14;

const known = new WeakMap<EventBuffer, number>();

/** The operations of a trace's events; bit n: operation n. The first question looks at all rows, the others at none. */
export function operationSet(events: EventBuffer): number {
  let found = known.get(events);
  if (found === undefined) {
    const { head, length } = events;
    found = 0;
    for (let row = 0; row < length; row += PIECE_ROWS)
      found |= operationsOf(head, row, Math.min(length, row + PIECE_ROWS));
    known.set(events, found);
  }
  return found;
}

/** Of events whose set is known from another thread: their rows need not be looked at again. */
export function rememberOperationSet(events: EventBuffer, operations: number): void {
  known.set(events, operations);
}

/** Whether the trace has an event of this operation. */
export function hasOperation(events: EventBuffer, op: number): boolean {
  return ((operationSet(events) >>> op) & 1) !== 0;
}

function operationsOf(head: Int32Array, from: number, to: number): number {
  const mask = OP_MASK;
  let found = 0;
  for (let row = from; row < to; row++) found |= 1 << (head[row]! & mask);
  return found;
}

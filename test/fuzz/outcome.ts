import { deepStrictEqual } from 'node:assert';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import type { TraceInput } from '../../workloads/trace/input.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';

export type Outcome = { readonly events: EventBuffer } | { readonly refusal: string };

/** What becomes of it in pieces of so many bytes. */
export function outcome(input: TraceInput, bytes: Uint8Array, piece: number): Outcome {
  try {
    for (let at = 0; at < bytes.length; at += piece) input.push(bytes.subarray(at, at + piece));
    return { events: input.finish() };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (error.message.includes('\n')) throw new Error(`a message of more than one line: ${error.message}`);
    return { refusal: error.message };
  }
}

/** Everything but the unused ends of the columns. */
function contentsOf(events: EventBuffer) {
  const { length, head, slot, a, b, sites } = events;
  const used = (column: Int32Array | Uint32Array | undefined) => column && Buffer.from(column.slice(0, length).buffer);
  return { ...events, head: used(head), slot: used(slot), a: used(a), b: used(b), sites: used(sites) };
}

export function same(x: Outcome, y: Outcome): void {
  if ('events' in x && 'events' in y) deepStrictEqual(contentsOf(x.events), contentsOf(y.events));
  else deepStrictEqual(x, y);
}

/** With so many rows to come the commonest lines are read by a loop of their own. */
const LONG_ROWS = 300_000;

/** A text is read as if it were a long one, to the same. */
export function readsAsLong(bytes: Uint8Array, piece: number): void {
  const [short, long] = [{ source: 'T' }, { source: 'T', rows: LONG_ROWS }].map((options) =>
    outcome(createTraceParser(options), bytes, piece),
  );
  same(short!, long!);
}

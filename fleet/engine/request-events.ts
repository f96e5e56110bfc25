import { type EventBuffer, OP_BITS, OP_MASK, OP_REQUEST_END, OP_THREAD_EXIT } from '../../sim/contract/event.ts';

/** The events of one request, ready to be played. */
export interface RequestEvents {
  readonly events: EventBuffer;
  /** Its rows. */
  readonly from: number;
  readonly to: number;
  /** Part of a longer trace: blocks and threads of the parts before are known to it. */
  readonly isPart: boolean;
  /** Ends of PHP requests among them. */
  readonly requestEnds: number;
  /** Row of the last one; -1 without. */
  readonly endRow: number;
  /** Thread slots whose thread has exited at the end. */
  readonly exits: readonly number[];
}

export function requestEvents(
  events: EventBuffer,
  part?: { readonly from: number; readonly to: number },
): RequestEvents {
  const { from, to } = part ?? { from: 0, to: events.length };
  let requestEnds = 0;
  let endRow = -1;
  const exited = new Map<number, number>();
  for (let row = from; row < to; row++) {
    const op = events.head[row]! & OP_MASK;
    if (op === OP_REQUEST_END) {
      requestEnds++;
      endRow = row;
    }
    if (op === OP_THREAD_EXIT) exited.set(events.head[row]! >>> OP_BITS, row);
  }
  for (const { thread, row } of events.begins)
    if (row < to && (exited.get(thread) ?? Infinity) < row) exited.delete(thread);
  return { events, from, to, isPart: part !== undefined, requestEnds, endRow, exits: [...exited.keys()] };
}

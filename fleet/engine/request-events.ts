import {
  type EventBuffer,
  OP_BITS,
  OP_CALLOC,
  OP_CLOCK,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FREE,
  OP_GC,
  OP_MALLOC,
  OP_MASK,
  OP_REALLOC,
  OP_REQUEST_BEGIN,
  OP_REQUEST_END,
  OP_SAMPLE,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
  OP_WRITE,
} from '../../sim/contract/event.ts';

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
  /** It frees and resizes blocks of its own alone, ends no thread, and aligns and trims nothing. */
  readonly isOfItsOwn: boolean;
}

const OF_ITS_OWN: ReadonlySet<number> = new Set([
  OP_MALLOC,
  OP_FREE,
  OP_CALLOC,
  OP_REALLOC,
  OP_WRITE,
  OP_EMALLOC,
  OP_EFREE,
  OP_ECALLOC,
  OP_EREALLOC,
  OP_REQUEST_BEGIN,
  OP_REQUEST_END,
  OP_CLOCK,
  OP_SAMPLE,
  OP_THREAD_BEGIN,
  OP_GC,
]);

export function requestEvents(
  events: EventBuffer,
  part?: { readonly from: number; readonly to: number },
): RequestEvents {
  const { from, to } = part ?? { from: 0, to: events.length };
  let requestEnds = 0;
  let endRow = -1;
  let isOfItsOwn = part === undefined;
  const exited = new Map<number, number>();
  for (let row = from; row < to; row++) {
    const op = events.head[row]! & OP_MASK;
    isOfItsOwn &&= OF_ITS_OWN.has(op);
    if (op === OP_REQUEST_END) {
      requestEnds++;
      endRow = row;
    }
    if (op === OP_THREAD_EXIT) exited.set(events.head[row]! >>> OP_BITS, row);
  }
  for (const { thread, row } of events.begins)
    if (row < to && (exited.get(thread) ?? Infinity) < row) exited.delete(thread);
  const exits = [...exited.keys()];
  return { events, from, to, isPart: part !== undefined, requestEnds, endRow, exits, isOfItsOwn };
}

import {
  type EventBuffer,
  isAllocating,
  OP_BITS,
  OP_EFREE,
  OP_FORK,
  OP_FREE,
  OP_MASK,
} from '../../../sim/contract/event.ts';

const NO_ROW = () => false;
const known = new WeakMap<EventBuffer, (row: number) => boolean>();

/**
 * Which rows free, in a thread beside the main one, what another thread allocated. To work off what it was given is a thread's work, not the end of it. A
 * trace is gone through once.
 */
export function handedOver(events: EventBuffer): (row: number) => boolean {
  if (events.threadSlots < 2) return NO_ROW;
  const found = known.get(events) ?? lookThrough(events);
  known.set(events, found);
  return found;
}

function lookThrough({ head, slot, objectSlots, length }: EventBuffer): (row: number) => boolean {
  const owner = new Int32Array(objectSlots);
  const rows = new Uint8Array((length >>> 3) + 1);
  let main = 0;
  for (let row = 0; row < length; row++) {
    const op = head[row]! & OP_MASK;
    const thread = head[row]! >>> OP_BITS;
    if (op === OP_FREE || op === OP_EFREE) {
      if (thread !== main && owner[slot[row]!] !== thread) rows[row >>> 3]! |= 1 << (row & 7);
    } else if (isAllocating(op)) owner[slot[row]!] = thread;
    else if (op === OP_FORK) main = thread; // the only one that goes on
  }
  return (row) => (rows[row >>> 3]! & (1 << (row & 7))) !== 0;
}

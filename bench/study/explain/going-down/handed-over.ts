import {
  type EventBuffer,
  isAllocating,
  OP_BITS,
  OP_EFREE,
  OP_FORK,
  OP_FREE,
  OP_MASK,
} from '../../../../sim/contract/event.ts';

const NO_ROW = () => false;
const known = new WeakMap<EventBuffer, (row: number) => boolean>();

/**
 * Which rows free, in a thread beside the main one, what another thread allocated. To work off what it was given is a thread's work, not the end of it. It
 * is the main thread's work too where threads came in rounds: where it freed as much of theirs before the last one began as behind that. A trace is gone
 * through once.
 */
export function handedOver(events: EventBuffer): (row: number) => boolean {
  if (events.threadSlots < 2) return NO_ROW;
  const found = known.get(events) ?? lookThrough(events);
  known.set(events, found);
  return found;
}

function lookThrough({ head, slot, objectSlots, length, begins }: EventBuffer): (row: number) => boolean {
  const owner = new Int32Array(objectSlots);
  const given = rowSet(length);
  const mains = rowSet(length);
  const begun = begins.at(-1)?.row ?? 0;
  const counts = { before: 0, behind: 0 };
  let main = 0;
  for (let row = 0; row < length; row++) {
    const op = head[row]! & OP_MASK;
    const thread = head[row]! >>> OP_BITS;
    if (op === OP_FREE || op === OP_EFREE) {
      if (owner[slot[row]!] === thread) continue;
      if (thread !== main) given.add(row);
      else {
        mains.add(row);
        counts[row < begun ? 'before' : 'behind']++;
      }
    } else if (isAllocating(op)) owner[slot[row]!] = thread;
    else if (op === OP_FORK) {
      main = thread; // the only one that goes on
      counts.before = 0;
    }
  }
  const inRounds = counts.before > 0 && counts.before >= counts.behind;
  return inRounds ? (row) => given.has(row) || mains.has(row) : given.has;
}

function rowSet(length: number): { add(row: number): void; has(row: number): boolean } {
  const bits = new Uint8Array((length >>> 3) + 1);
  return {
    add: (row) => void (bits[row >>> 3]! |= 1 << (row & 7)),
    has: (row) => (bits[row >>> 3]! & (1 << (row & 7))) !== 0,
  };
}

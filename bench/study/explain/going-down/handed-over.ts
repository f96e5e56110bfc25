import {
  type EventBuffer,
  isAllocating,
  OP_BITS,
  OP_EFREE,
  OP_FORK,
  OP_FREE,
  OP_MASK,
  OP_THREAD_EXIT,
} from '../../../../sim/contract/event.ts';
import { inPieces } from '../../../../sim/replay/row-pieces.ts';

const NO_ROW = () => false;
const known = new WeakMap<EventBuffer, (row: number) => boolean>();

/**
 * Which rows free, in a thread beside the main one, what another thread allocated. To work off what it was given is a thread's work, not the end of it. It
 * is the main thread's work too where threads came in rounds: where it freed as much of theirs before the last one began as behind that. So it is of what
 * threads themselves free at their ends, where those before did as much. A trace is gone through once.
 */
export function handedOver(events: EventBuffer): (row: number) => boolean {
  if (events.threadSlots < 2) return NO_ROW;
  const found = known.get(events) ?? lookThrough(events);
  known.set(events, found);
  return found;
}

function lookThrough(events: EventBuffer): (row: number) => boolean {
  const { head, slot, objectSlots, threadSlots, length, begins } = events;
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const [opBits, opMask, threadExit, fork] = [OP_BITS, OP_MASK, OP_THREAD_EXIT, OP_FORK];
  const [allocates, frees] = [1, 2];
  const kinds = Uint8Array.from({ length: opMask + 1 }, (_, op) =>
    isAllocating(op) ? allocates : op === OP_FREE || op === OP_EFREE ? frees : 0,
  );
  const owner = new Int32Array(objectSlots);
  const given = rowSet(length);
  const mains = rowSet(length);
  const begun = begins.at(-1)?.row ?? 0;
  const ofMain = { before: 0, behind: 0 };
  const ofEnds = { before: 0, behind: 0 };
  const lastFrees = new Int32Array(threadSlots); // of each thread, since it allocated last
  let main = 0;
  const when = (row: number) => (row < begun ? 'before' : 'behind');
  const look = (from: number, to: number) => {
    for (let row = from; row < to; row++) {
      const op = head[row]! & opMask;
      const thread = head[row]! >>> opBits;
      if (kinds[op] === frees) {
        lastFrees[thread]!++;
        if (owner[slot[row]!] === thread) continue;
        if (thread !== main) given.add(row);
        else {
          mains.add(row);
          ofMain[when(row)]++;
        }
      } else if (kinds[op] === allocates) {
        owner[slot[row]!] = thread;
        lastFrees[thread] = 0;
      } else if (op === threadExit) {
        ofEnds[when(row)] += lastFrees[thread]!;
        lastFrees[thread] = 0;
      } else if (op === fork) {
        main = thread; // the only one that goes on
        ofMain.before = ofEnds.before = 0;
        lastFrees.fill(0);
      }
    }
  };
  inPieces(length, look);
  if (isInRounds(ofEnds)) addLastFrees(events, begun, given);
  return isInRounds(ofMain) ? (row) => given.has(row) || mains.has(row) : given.has;
}

const isInRounds = ({ before, behind }: { before: number; behind: number }): boolean => before > 0 && before >= behind;

/** What threads that end behind row `begun` have freed since they allocated last. */
function addLastFrees({ head, length }: EventBuffer, begun: number, rows: RowSet): void {
  const ending = new Set<number>();
  for (let row = length - 1; row >= begun; row--) {
    const op = head[row]! & OP_MASK;
    const thread = head[row]! >>> OP_BITS;
    if (op === OP_THREAD_EXIT) ending.add(thread);
    else if (isAllocating(op)) ending.delete(thread);
    else if ((op === OP_FREE || op === OP_EFREE) && ending.has(thread)) rows.add(row);
  }
}

interface RowSet {
  add(row: number): void;
  has(row: number): boolean;
}

function rowSet(length: number): RowSet {
  const bits = new Uint8Array((length >>> 3) + 1);
  return {
    add: (row) => void (bits[row >>> 3]! |= 1 << (row & 7)),
    has: (row) => (bits[row >>> 3]! & (1 << (row & 7))) !== 0,
  };
}

import { type EventBuffer, OP_BITS, OP_FORK, OP_MASK, OP_THREAD_EXIT } from '../../../../sim/contract/event.ts';
import { hasOperation } from '../../../../sim/contract/operation-set.ts';
import { inPieces } from '../../../../sim/replay/row-pieces.ts';

/** As long as this share of the threads beside the main one lives that ever lived at once, the program is at its work. */
const AT_WORK = 0.5;

/** Where a thread ends, or what is looked at does. */
interface End {
  readonly row: number;
  /** Of the last thread that had begun. */
  readonly begun: number;
  /** Threads that lived before it, the main one aside. */
  readonly living: number;
}

/**
 * Rows before `end` where threads ended, from when all were at work for the last time: no thread began again until fewer than half of
 * them lived.
 */
export function threadEnds(events: EventBuffer, end: number): number[] {
  if (!hasOperation(events, OP_THREAD_EXIT)) return [];
  const { ends, most, left } = endsOf(events, end);
  const last = [...ends, left].findLast(({ living }) => living >= most * AT_WORK);
  return last ? ends.filter(({ row }) => row > last.begun).map(({ row }) => row) : [];
}

/** The main thread lives all the time, another one from its first event. */
function endsOf({ head, threadSlots }: EventBuffer, end: number): { ends: readonly End[]; most: number; left: End } {
  const lives = new Uint8Array(Math.max(1, threadSlots));
  lives[0] = 1;
  const ends: End[] = [];
  let living = 0;
  let most = 0;
  let begun = -1;
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const [opBits, opMask, fork, threadExit] = [OP_BITS, OP_MASK, OP_FORK, OP_THREAD_EXIT];
  const look = (from: number, to: number) => {
    for (let row = from; row < to; row++) {
      const thread = head[row]! >>> opBits;
      const op = head[row]! & opMask;
      if (op === fork) {
        // What went before was another process.
        ends.length = 0;
        lives.fill(0);
        lives[thread] = 1;
        living = most = 0;
      } else if (op === threadExit) {
        if (lives[thread] === 0) continue;
        ends.push({ row, begun, living });
        lives[thread] = 0;
        living--;
      } else if (lives[thread] === 0) {
        lives[thread] = 1;
        begun = row;
        most = Math.max(most, ++living);
      }
    }
  };
  inPieces(end, look);
  return { ends, most, left: { row: end, begun, living } };
}

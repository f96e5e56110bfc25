import type { ThreadSlot } from '../contract/allocator.ts';
import { createBeginning } from '../contract/beginning.ts';
import { type EventBuffer, OP_BITS, OP_CLOCK, OP_JOIN, OP_MASK } from '../contract/event.ts';
import type { Ns } from '../contract/units.ts';
import { inPiecesBetween } from './row-pieces.ts';
import { namesThread, type TraceThreads } from './thread-rows.ts';

/**
 * When a thread's events happened in the recorded run: the sum of the clock events before. Most have the time of their thread's event before;
 * only where the clock has moved since then a thread may have to wait, and only those events are kept. A thread goes through them in order.
 */
export interface RecordedTime {
  /** Which of its thread's events, from 0, is the next with a time of its own; NO_EVENT: none. */
  nextEvent(t: ThreadSlot): number;
  /** When that one is due for a thread that has come to it at `now`. */
  dueNs(t: ThreadSlot, now: Ns): Ns;
  /** Nobody waits in the run that begins: it goes as fast as it can. */
  ignore(): void;
  /** In the run that begins a thread waits only where it paused for so long or longer, and as long as that from when it comes there. */
  pauseFrom(ns: Ns): void;
  /** The thread has reached it in time. */
  passed(t: ThreadSlot): void;
}

export const NO_EVENT = 0x7fffffff;
const NOT_THERE = -1;

export function createRecordedTime(
  events: EventBuffer,
  traceThreads: TraceThreads,
  { keep } = createBeginning(),
): RecordedTime {
  const threads = traceThreads.ids.length;
  const first = new Int32Array(threads + 1);
  const { counts } = visitMoves(events, traceThreads);
  for (let t = 0; t < threads; t++) first[t + 1] = first[t]! + counts[t]!;
  const length = first[threads]!;
  const moves = { event: new Int32Array(length), ns: new Float64Array(length), isJoin: new Uint8Array(length) };
  const next = keep(first.slice(0, threads));
  visitMoves(events, traceThreads, { ...moves, next });
  next.set(first.subarray(0, threads));
  const { event: eventAt, ns: nsAt, isJoin } = moves;
  const pausesFrom = keep(new Float64Array(1)); // 0: the recorded times are kept
  const pauseEnds = keep(new Float64Array(threads).fill(NOT_THERE));

  /** From its event before: the first one has none, and a join ends when the other thread does. */
  function pauseOf(t: ThreadSlot): Ns {
    const at = next[t]!;
    return at > first[t]! && isJoin[at] === 0 ? nsAt[at]! - nsAt[at - 1]! : 0;
  }

  return {
    nextEvent: (t) => (next[t]! < first[t + 1]! ? eventAt[next[t]!]! : NO_EVENT),
    dueNs(t, now) {
      if (pausesFrom[0] === 0) return nsAt[next[t]!]!;
      if (pauseEnds[t] === NOT_THERE) {
        const ns = pauseOf(t);
        pauseEnds[t] = ns >= pausesFrom[0]! ? now + ns : now;
      }
      return pauseEnds[t]!;
    },
    ignore: () => next.set(first.subarray(1)),
    pauseFrom: (ns) => void (pausesFrom[0] = ns),
    passed(t) {
      next[t]!++;
      pauseEnds[t] = NOT_THERE;
    },
  };
}

/** By place: which of its thread's events it is, and when. By thread: where its next one goes. */
interface Moves {
  readonly event: Int32Array;
  readonly ns: Float64Array;
  readonly isJoin: Uint8Array;
  readonly next: Int32Array;
}

/**
 * Each event of a thread before which the clock has moved since the thread's event before: counts them by thread, and notes them where
 * there is room.
 */
function visitMoves(
  { head, a, b, begins, length, threadSlots }: EventBuffer,
  { ids, ofBegin }: TraceThreads,
  into?: Moves,
): { readonly counts: Int32Array } {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const [opBits, opMask, clock, join] = [OP_BITS, OP_MASK, OP_CLOCK, OP_JOIN];
  const names = Uint8Array.from({ length: opMask + 1 }, (_, op) => (namesThread(op) ? 1 : 0));
  const counts = new Int32Array(ids.length);
  const current = new Int32Array(threadSlots);
  const seen = new Int32Array(ids.length); // events of each thread
  const seenNs = new Float64Array(ids.length);
  let ns = 0;
  let last = 0;

  /** Rows in which no thread begins. */
  function visit(from: number, to: number): void {
    let now = ns;
    let t = last;
    for (let row = from; row < to; row++) {
      const word = head[row]!;
      const op = word & opMask;
      if (names[op] === 1) t = current[word >>> opBits]!;
      const event = seen[t]!++;
      if (now > seenNs[t]!) {
        seenNs[t] = now;
        counts[t]!++;
        if (into) {
          const place = into.next[t]!++;
          into.event[place] = event;
          into.ns[place] = now;
          if (op === join) into.isJoin[place] = 1;
        }
      }
      if (op === clock) now += b[row]! * 2 ** 32 + a[row]!;
    }
    ns = now;
    last = t;
  }

  inPiecesBetween(begins, length, (i) => void (current[begins[i]!.thread] = ofBegin[i]!), visit);
  return { counts };
}

import type { ThreadSlot } from '../contract/allocator.ts';
import { type EventBuffer, OP_BITS, OP_CLOCK, OP_MASK } from '../contract/event.ts';
import type { Ns } from '../contract/units.ts';
import { namesThread, type TraceThreads } from './thread-rows.ts';

/**
 * When a thread's events happened in the recorded run: the sum of the clock events before. Most have the time of their thread's event before;
 * only where the clock has moved since then a thread may have to wait, and only those events are kept. A thread goes through them in order.
 */
export interface RecordedTime {
  /** Which of its thread's events, from 0, is the next with a time of its own; NO_EVENT: none. */
  nextEvent(t: ThreadSlot): number;
  /** When that one is due. */
  nextNs(t: ThreadSlot): Ns;
  /** The thread has reached it in time. */
  passed(t: ThreadSlot): void;
}

export const NO_EVENT = 0x7fffffff;

export function createRecordedTime(events: EventBuffer, traceThreads: TraceThreads): RecordedTime {
  const threads = traceThreads.ids.length;
  const first = new Int32Array(threads + 1);
  forEachMove(events, traceThreads, (t) => void first[t + 1]!++);
  for (let t = 0; t < threads; t++) first[t + 1]! += first[t]!;
  const eventAt = new Int32Array(first[threads]!);
  const nsAt = new Float64Array(first[threads]!);
  const next = first.slice(0, threads);
  forEachMove(events, traceThreads, (t, event, ns) => {
    eventAt[next[t]!] = event;
    nsAt[next[t]!++] = ns;
  });
  next.set(first.subarray(0, threads));
  return {
    nextEvent: (t) => (next[t]! < first[t + 1]! ? eventAt[next[t]!]! : NO_EVENT),
    nextNs: (t) => nsAt[next[t]!]!,
    passed: (t) => void next[t]!++,
  };
}

/** Each event of a thread before which the clock has moved since the thread's event before. */
function forEachMove(
  { head, a, b, begins, length, threadSlots }: EventBuffer,
  { ids, ofBegin }: TraceThreads,
  visit: (t: ThreadSlot, event: number, ns: Ns) => void,
): void {
  const current = new Int32Array(threadSlots);
  const seen = new Int32Array(ids.length); // events of each thread
  const seenNs = new Float64Array(ids.length);
  let ns = 0;
  let begin = 0;
  let last = 0;
  for (let row = 0; row < length; row++) {
    for (; begins[begin]?.row === row; begin++) current[begins[begin]!.thread] = ofBegin[begin]!;
    const op = head[row]! & OP_MASK;
    if (namesThread(op)) last = current[head[row]! >>> OP_BITS]!;
    const event = seen[last]!++;
    if (ns > seenNs[last]!) {
      seenNs[last] = ns;
      visit(last, event, ns);
    }
    if (op === OP_CLOCK) ns += b[row]! * 2 ** 32 + a[row]!;
  }
}

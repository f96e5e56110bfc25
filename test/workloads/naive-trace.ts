/** Traces as a list of words, and the rules of the compiler written down once more in the plainest way. */
import { type EventBuffer, OP_BITS, OP_MASK } from '../../sim/contract/event.ts';
import { EVENT_NAMES } from '../../workloads/trace/statistics.ts';

export interface NaiveRow {
  readonly event: string;
  readonly thread: number;
  readonly slot: number;
  readonly a: number;
  readonly b: number;
}

export interface NaiveTrace {
  readonly rows: readonly NaiveRow[];
  readonly objectSlots: number;
  readonly threadSlots: number;
  readonly begins: readonly { readonly row: number; readonly thread: number; readonly id: number }[];
  readonly requestedPeakBytes: number;
  readonly requestFrees: readonly number[];
  readonly labels: readonly string[];
}

interface NaiveObject {
  readonly slot: number;
  size: number;
  /** Thread number whose request holds it. */
  readonly request: number | undefined;
}

/** Follows trace-format.md and the comment of sim/contract/event.ts line by line; the lines must keep the rules. */
export function naiveTrace(lines: readonly string[]): NaiveTrace {
  const rows: NaiveRow[] = [];
  const objects = new Map<number, NaiveObject>();
  const freeSlots: number[] = [];
  let objectSlots = 1;
  const threads = new Map<number, number>([[0, 0]]);
  const freeThreads: number[] = [];
  let threadSlots = 1;
  let leaving: number | undefined;
  let last = 0;
  const begins: { row: number; thread: number; id: number }[] = [];
  let live = 0;
  let requestedPeakBytes = 0;
  const requestFrees: number[] = [];
  const labels: string[] = [];

  const act = (id: number) => {
    let slot = threads.get(id);
    if (slot === undefined) {
      slot = freeThreads.pop() ?? threadSlots++;
      threads.set(id, slot);
      begins.push({ row: rows.length, thread: slot, id });
    }
    if (leaving !== undefined) freeThreads.push(leaving);
    leaving = undefined;
    last = id;
    return slot;
  };
  const born = (id: number, size: number, request: number | undefined) => {
    const slot = freeSlots.pop() ?? objectSlots++;
    objects.set(id, { slot, size, request });
    live += size;
    requestedPeakBytes = Math.max(requestedPeakBytes, live);
    return slot;
  };
  const died = (id: number) => {
    const { slot, size } = objects.get(id)!;
    objects.delete(id);
    freeSlots.push(slot);
    live -= size;
    return slot;
  };

  for (const line of lines) {
    const [event = '', ...words] = line.split(' ');
    if (event === '+' || event === '=') {
      const slot = threads.get(last)!;
      if (leaving !== undefined) freeThreads.push(leaving);
      leaving = undefined;
      if (event === '+') {
        const ns = BigInt(words[0]!);
        rows.push({ event, thread: slot, slot: 0, a: Number(ns & 0xffffffffn), b: Number(ns >> 32n) });
      } else {
        const label = words.join(' ');
        if (!labels.includes(label)) labels.push(label);
        rows.push({ event, thread: slot, slot: 0, a: labels.indexOf(label), b: 0 });
      }
      continue;
    }
    const [id = 0, object = 0, x = 0, y = 0] = words.map(Number);
    const thread = act(id);
    const push = (name: string, slot: number, a: number, b: number) => rows.push({ event: name, thread, slot, a, b });
    const request = event.startsWith('e') ? id : undefined;
    switch (event) {
      case 'm':
      case 'em':
        push(event, born(object, x, request), x, 0);
        break;
      case 'c':
      case 'ec':
        push(event, born(object, x * y, request), x, y);
        break;
      case 'a':
        push(event, born(object, y, undefined), x, y);
        break;
      case 'r':
      case 'er': {
        const block = objects.get(object);
        if (!block) {
          push(event === 'r' ? 'm' : 'em', born(object, x, request), x, 0);
          break;
        }
        push(event, block.slot, x, block.size);
        if (x === 0) {
          died(object);
        } else {
          live += x - block.size;
          requestedPeakBytes = Math.max(requestedPeakBytes, live);
          block.size = x;
        }
        break;
      }
      case 'f':
      case 'ef':
        push(event, died(object), 0, 0);
        break;
      case 'w': {
        const { slot, size } = objects.get(object)!;
        const from = Math.min(x, size);
        push(event, slot, from, Math.min(y, size - from));
        break;
      }
      case 'ee': {
        // Map keeps the order of insertion, and a realloc does not change it.
        const held = [...objects].filter(([, block]) => block.request === id).map(([key]) => key);
        const first = requestFrees.length;
        for (const key of held) requestFrees.push(died(key));
        push(event, 0, first, held.length);
        break;
      }
      case 'te':
        push(id === 0 ? 'tb' : 'te', 0, 0, 0);
        if (id === 0) break;
        threads.delete(id);
        leaving = thread;
        last = 0;
        break;
      case 'trim':
        push(event, 0, object, 0);
        break;
      default:
        push(event, 0, 0, 0);
    }
  }
  return { rows, objectSlots, threadSlots, begins, requestedPeakBytes, requestFrees, labels };
}

/** The same view of a compiled trace. */
export function viewOf(events: EventBuffer): NaiveTrace {
  const { head, slot, a, b, length, objectSlots, threadSlots, begins, requestedPeakBytes, requestFrees, labels } =
    events;
  const rows = Array.from({ length }, (_, row) => ({
    event: EVENT_NAMES[head[row]! & OP_MASK]!,
    thread: head[row]! >>> OP_BITS,
    slot: slot[row]!,
    a: a[row]!,
    b: b[row]!,
  }));
  return {
    rows,
    objectSlots,
    threadSlots,
    begins,
    requestedPeakBytes,
    requestFrees: [...requestFrees],
    labels,
  };
}

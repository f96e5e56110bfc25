import {
  OP_BITS,
  OP_CLOCK,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FREE,
  OP_MALLOC,
  OP_MEMALIGN,
  OP_REALLOC,
  OP_WRITE,
} from '../../../sim/contract/event.ts';
import type { EventBatch } from './batch.ts';
import type { EventColumns } from './event-columns.ts';
import { NUMBER_LIMIT, U32_MAX } from './limits.ts';
import { LIVE_BYTES, MALLOC_OWNED, type Objects, PEAK_BYTES } from './objects.ts';
import type { RequestBlocks } from './request-blocks.ts';
import { DIRECT_THREADS, type Threads } from './threads.ts';

/** What a compiler knows of its trace. */
export interface CompilerState {
  readonly columns: EventColumns;
  readonly objects: Objects;
  readonly threads: Threads;
  readonly requestBlocks: RequestBlocks;
  /** One number, ns: a field would box each new value. */
  readonly clock: Float64Array;
  /** Whether there was any e… event. */
  hasRequestEvents: boolean;
}

/**
 * The events of a batch by threads that are alive, on objects with small ids: runs from event `from` to the first one
 * that is not so, or breaks a rule, and returns its index. It does what the compiler's functions of each event do, with all tables
 * and counters in locals. There is room for the whole batch, and no thread is leaving.
 */
export function acceptCommon(state: CompilerState, batch: EventBatch, from: number): number {
  const { columns, objects, threads, requestBlocks, clock } = state;
  const { count, op, fields } = batch;
  const slotOfId = objects.ids.direct();
  const idLimit = slotOfId.length;
  const { head, slot, a, b } = columns;
  const { size, next, owner, bytes: totals } = objects;
  const { slotOfThread } = threads;
  let row = columns.count;
  let free = objects.freeSlot;
  let fresh = objects.slots;
  let live = totals[LIVE_BYTES]!;
  let peak = totals[PEAK_BYTES]!;
  let thread = threads.current;
  let t = threads.currentSlot;
  let i = from;
  for (; i < count; i++) {
    const kind = op[i]!;
    const at = 4 * i;
    if (kind === OP_CLOCK) {
      // A batch holds numbers below 2^31: a step's upper part is zero.
      const now = clock[0]! + fields[at]!;
      if (now >= NUMBER_LIMIT) break;
      clock[0] = now;
      head[row] = (t << OP_BITS) | OP_CLOCK;
      a[row] = fields[at]!;
      row++;
      continue;
    }
    const id = fields[at + 1]!;
    if (id >= idLimit) break;
    const actor = fields[at]!;
    if (actor !== thread) {
      if (actor >= DIRECT_THREADS) break;
      const alive = slotOfThread[actor]!;
      if (alive === 0) break;
      thread = actor;
      t = alive - 1;
    }
    let s = slotOfId[id]!;
    const x = fields[at + 2]!;
    if (kind === OP_FREE || kind === OP_EFREE) {
      if (s === 0 || (owner[s] === MALLOC_OWNED) !== (kind === OP_FREE)) break;
      if (kind === OP_EFREE) {
        requestBlocks.unlink(s);
        state.hasRequestEvents = true;
      }
      slotOfId[id] = 0;
      live -= size[s]!;
      next[s] = free;
      free = s;
    } else if (kind === OP_REALLOC || kind === OP_EREALLOC) {
      if (s === 0 || x === 0 || (owner[s] === MALLOC_OWNED) !== (kind === OP_REALLOC)) break;
      const old = size[s]!;
      size[s] = x;
      live += x - old;
      if (live > peak) peak = live;
      a[row] = x;
      b[row] = old;
    } else {
      if (kind === OP_WRITE || s !== 0) break;
      let bytes = x;
      if (kind !== OP_MALLOC && kind !== OP_EMALLOC) {
        if (kind === OP_MEMALIGN) {
          if ((x & (x - 1)) !== 0) break;
          bytes = fields[at + 3]!;
        } else {
          bytes *= fields[at + 3]!;
          if (bytes > U32_MAX) break;
        }
        b[row] = fields[at + 3]!;
      }
      s = free;
      if (s !== 0) free = next[s]!;
      else s = fresh++;
      slotOfId[id] = s;
      size[s] = bytes;
      owner[s] = MALLOC_OWNED;
      live += bytes;
      if (live > peak) peak = live;
      if (kind === OP_EMALLOC || kind === OP_ECALLOC) {
        requestBlocks.append(threads.requestList(t), s, id);
        state.hasRequestEvents = true;
      }
      if (x !== 0) a[row] = x;
    }
    head[row] = (t << OP_BITS) | kind;
    slot[row] = s;
    row++;
  }
  columns.count = row;
  objects.freeSlot = free;
  objects.slots = fresh;
  totals[LIVE_BYTES] = live;
  totals[PEAK_BYTES] = peak;
  threads.current = thread;
  threads.currentSlot = t;
  return i;
}

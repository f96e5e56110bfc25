import type { ThreadSlot } from '../contract/allocator.ts';
import * as columns from '../contract/event.ts';
import * as counters from '../contract/operations.ts';
import type { BlockWrites } from './block-writes.ts';
import * as blockWrites from './block-writes.ts';
import type { CallDurations } from './calls.ts';
import type { FreeRunningOptions } from './free-running-options.ts';
import type { LiveBytes } from './live-bytes.ts';
import * as liveBytes from './live-bytes.ts';
import * as objectWaits from './object-waits.ts';
import { AHEAD_NS } from './object-waits.ts';
import * as objectTable from './objects.ts';
import * as programOrder from './program-order.ts';

/** What the loop over served events shares with the rest of a run. */
export interface ServedEventsOptions
  extends Pick<FreeRunningOptions, 'program' | 'objects' | 'allocator' | 'touch' | 'time' | 'operations'> {
  readonly writes: BlockWrites;
  readonly live: LiveBytes;
  readonly mallocs: CallDurations;
  readonly frees: CallDurations;
}

/** Events of a thread that its own cache serves, executed ahead of the others'. */
export function createServedEvents(options: ServedEventsOptions) {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const { OP_FREE, OP_MALLOC, OP_MASK } = columns;
  const { OP_FAULTS } = counters;
  const { LG_RECORD_WORDS, OF_OTHERS, RECORD_WORDS, SLOT_SHIFT } = programOrder;
  const { LG_ENTRY_WORDS } = objectTable;
  const { WAITER_BITS, WAITER_MASK } = objectWaits;
  const { LIVE, PEAK } = liveBytes;
  const { SMALL_BYTES } = blockWrites;
  const { program, objects, allocator, touch, time, operations } = options;
  const { order } = program;
  const { records } = order;
  const { handles, requested, ended, uses, last: lastUse } = objects;
  const { touchBlock, mallocLocal = () => 0, freeLocal = () => false } = allocator;
  const { clocks, limit, log, processor, costs, topology } = time;
  const { tail } = log;
  const { transferNs } = topology;
  const { eventNs, mallocNs, freeNs, writeL2Ns, fillRateL2 } = costs;
  const touches = touch !== 'none';
  const fills = touch === 'full';
  const smallByteNs = 1 / fillRateL2;
  // An event whose call the thread's cache serves.
  const mallocEventNs = mallocNs + eventNs;
  const freeEventNs = freeNs + eventNs;

  const { live, mallocs, frees } = options;
  const { write, finish } = options.writes;

  /**
   * Executes the events from `from` on that `t`'s cache serves, up to `to` at most; returns where it stopped. What it changes at each event
   * is in its own variables: a number in memory that every event adds to would be waited for. Apart from the rest, and it leaves with
   * whatever is unusual: small code is compiled soon, and is not thrown away when it meets what was not there while it was compiled.
   */
  function runServed(t: ThreadSlot, from: number, to: number): number {
    let latest = limit[0]! + AHEAD_NS;
    const here = processor[t]!;
    let at = clocks[t]!;
    let sum = live[LIVE]!;
    let peak = live[PEAK]!;
    let servedMallocs = 0;
    let p = from;
    for (; p < to && at <= latest; p += RECORD_WORDS) {
      const word = records[p]!;
      const op = word & OP_MASK;
      const slot = word >>> SLOT_SHIFT;
      const q = slot << LG_ENTRY_WORDS;
      const second = records[p + 1]!;
      if (op === OP_MALLOC) {
        const size = second >>> 0;
        if ((lastUse[q]! & WAITER_MASK) !== 0) break;
        const handle = mallocLocal(t, size);
        if (handle === 0) break;
        handles[q] = handle;
        requested[q] = size;
        sum += size;
        if (sum > peak) peak = sum;
        at += mallocEventNs;
        if (touches && size !== 0) {
          if (size <= SMALL_BYTES) {
            const faults = operations[OP_FAULTS]!;
            touchBlock(handle, 0, size);
            if (operations[OP_FAULTS] === faults) {
              at += fills ? writeL2Ns + size * smallByteNs : writeL2Ns;
            } else {
              clocks[t] = at;
              finish(allocator, t, handle, 0, size, fills, operations[OP_FAULTS]! - faults);
              at = clocks[t]!;
              if (tail[t] !== 0) latest = -1; // has to be played first
            }
          } else {
            clocks[t] = at;
            write(allocator, t, handle, 0, size, fills);
            at = clocks[t]!;
            if (tail[t] !== 0) latest = -1;
          }
        }
        // What its thread has done with the slot before, it did after all others.
        ended[slot] = at;
        uses[q]!++;
        lastUse[q] = here << WAITER_BITS;
        servedMallocs++;
      } else if (op === OP_FREE) {
        // The own blocks are ready. They are looked at all the same, with slot 0, which always is, for when their uses ended: a look that only
        // others' blocks need would be code that was never run when the rest was compiled.
        const others = word & OF_OTHERS;
        const user = lastUse[q]! >> WAITER_BITS;
        if (uses[q]! < second || ended[others === 0 ? 0 : slot]! > at) break;
        const handle = handles[q]!;
        if (handle === 0 || !freeLocal(t, handle)) break;
        // The block's own first line comes from another processor.
        if (others !== 0 && user !== here) at += transferNs(user, here);
        at += freeEventNs;
        handles[q] = 0;
        sum -= requested[q]!;
      } else {
        break;
      }
    }
    clocks[t] = at;
    live[LIVE] = sum;
    live[PEAK] = peak;
    mallocs.calls += servedMallocs;
    frees.calls += ((p - from) >> LG_RECORD_WORDS) - servedMallocs;
    return p;
  }

  return { runServed };
}

import type { ThreadSlot } from '../contract/allocator.ts';
import { type Bytes, HUGE_PAGES, type Page } from '../contract/units.ts';
import { PAGE_LIMIT } from '../kernel/layout.ts';
import type { VirtualTime } from './virtual-time.ts';

/**
 * What the program's own writes cost, by where the lines are: in the writing processor's cache, in the cache that all
 * processors share, or in memory. It decides runs whose blocks are large: a block that one thread frees and the next one, on
 * another processor, gets is not in the cache where it is filled.
 *
 * For each page the processor that wrote it last and how much that processor had written by then: what it has written since is
 * the reuse distance, which is compared with the size of the cache (an estimate from above: writes to the same page count
 * again each time).
 */
export interface Caches {
  /** The thread writes `bytes` bytes on pages `first` to `last`; `faults` of these have just been cleared. It spends the time. */
  fill(t: ThreadSlot, first: Page, last: Page, bytes: Bytes, faults: number): void;
  /** The same for one line on each of the pages. */
  poke(t: ThreadSlot, first: Page, last: Page, faults: number): void;
  /** Nobody has written anything yet. `used` has a 1 for each 2 MiB in which somebody may have. */
  forget(used: Uint8Array): void;
  /** The thread has executed so many events: what it read and wrote for them, beside the blocks, went through the same caches. */
  pass(t: ThreadSlot, events: number): void;
}

const LINE_BYTES = 64;
/** What a replay brings into its caches for an event: a line of the table, one of its list, and the chunk's with its neighbour's. */
const EVENT_BYTES = 4 * LINE_BYTES;

const PAGE_MASK = PAGE_LIMIT - 1;
const TIME_BITS = 20;
const TIME_MASK = (1 << TIME_BITS) - 1;

export function createCaches({ beginning, processor, running, costs, spend }: VirtualTime): Caches {
  const { keep } = beginning;
  const processors = running.length;
  const { fillRateL2, fillRateL3, fillRateMemory, fillRateCleared, writeL2Ns, writeL3Ns, writeMemoryNs } = costs;
  const l2Pages = (costs.cacheL2Bytes / 4096) | 0; // whole: what is computed with them stays whole
  const l3Pages = (costs.cacheL3Bytes / 4096) | 0;
  // By page: processor + 1 that wrote it last, and how many pages' worth of bytes it had written by then (the low 20 bits:
  // a page that is left alone for 4 GiB seems to have been written lately).
  const history = new Int32Array(PAGE_LIMIT); // the far area's pages share those of the near one
  const ticks = keep(new Int32Array(processors + 1)); // pages' worth of bytes that each processor has written, as in the history
  const rest = keep(new Int32Array(processors + 1)); // and bytes of the page that is not full yet
  const L2_NS = 1 / fillRateL2;
  // What is farther is not nearer, whatever a price list says.
  const MISS_L3 = Math.max(0, 1 / fillRateL3 - L2_NS);
  const MISS_MEMORY = Math.max(0, 1 / fillRateMemory - L2_NS);
  const CLEARED = Math.max(0, 1 / fillRateCleared - L2_NS);

  /** 0: in the own cache; 1: in the shared one; 2: in memory. The page is then in the own cache. */
  function place(own: number, now: number, page: Page): number {
    const before = history[page & PAGE_MASK]!;
    history[page & PAGE_MASK] = (own << TIME_BITS) | now;
    // A page that was never written has just been cleared by the fault.
    if (before === 0) return 0;
    const last = before >>> TIME_BITS;
    if (last === own) {
      const distance = (now - before) & TIME_MASK;
      return distance <= l2Pages ? 0 : distance <= l3Pages ? 1 : 2;
    }
    return ((ticks[last]! - before) & TIME_MASK) <= l3Pages ? 1 : 2;
  }

  function wrote(own: number, bytes: Bytes): void {
    const sum = rest[own]! + (bytes & 4095);
    rest[own] = sum & 4095;
    ticks[own] = (ticks[own]! + (bytes >>> 12) + (sum >>> 12)) & TIME_MASK;
  }

  function fill(t: ThreadSlot, first: Page, last: Page, bytes: Bytes, faults: number): void {
    const own = processor[t]! + 1;
    const now = ticks[own]!;
    let inL3 = 0;
    let inMemory = 0;
    const stamp = (own << TIME_BITS) | now;
    for (let page = first; page <= last; page++) {
      // Nearly always the same processor wrote the page, and not long ago: the difference is the distance.
      if ((stamp - history[page & PAGE_MASK]!) >>> 0 <= l2Pages) {
        history[page & PAGE_MASK] = stamp;
        continue;
      }
      const where = place(own, now, page);
      if (where === 1) inL3++;
      else if (where === 2) inMemory++;
    }
    wrote(own, bytes);
    let missNs = (inL3 * MISS_L3 + inMemory * MISS_MEMORY) * (first === last ? bytes : 4096);
    if (faults > 0) {
      const share = Math.min(1, faults / (last - first + 1));
      missNs = missNs * (1 - share) + bytes * share * CLEARED;
    }
    spend(t, bytes * L2_NS + missNs);
  }

  function forget(used: Uint8Array): void {
    for (let i = 0; i < used.length; i++) {
      const first = (i * HUGE_PAGES) & PAGE_MASK;
      if (used[i] === 1) history.fill(0, first, first + HUGE_PAGES);
    }
  }

  function poke(t: ThreadSlot, first: Page, last: Page, faults: number): void {
    const own = processor[t]! + 1;
    const now = ticks[own]!;
    let ns = 0;
    for (let page = first; page <= last; page++) {
      const where = place(own, now, page);
      ns += where === 0 ? writeL2Ns : where === 1 ? writeL3Ns : writeMemoryNs;
    }
    wrote(own, (last - first + 1) * 64);
    spend(t, faults > 0 ? Math.min(ns, (last - first + 1) * writeL2Ns) : ns);
  }

  return { fill, poke, forget, pass: (t, events) => wrote(processor[t]! + 1, events * EVENT_BYTES) };
}

import type { ThreadSlot } from '../contract/allocator.ts';
import { assert } from '../contract/assert.ts';
import * as counters from '../contract/operations.ts';
import { createRandom } from '../contract/random.ts';
import type { Ns } from '../contract/units.ts';
import { operationPrices } from './costs.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Turns what models and kernel have counted into time. */
export interface Charging {
  /** A run begins, with the time's seed. */
  begin(): void;
  /** Prices what was counted since the last time: the thread spends it. */
  settle(t: ThreadSlot): void;
  /** Before a lock is taken: only what takes long must not count as time under the lock. */
  settleLong(t: ThreadSlot): void;
  /** At the end of a call: what is left after the call's last lock is small, unless it takes long, and waits. */
  settleCall(t: ThreadSlot): void;
  /** The running call goes into the kernel, whose counts are then looked at. */
  noteKernelEntry(): void;
  /** The running call has released a lock. */
  noteRelease(): void;
}

export interface ChargingOptions {
  readonly time: VirtualTime;
  /** The machine's counters. */
  readonly operations: Float64Array;
  /** The thread has had page faults, which take `ns`; each brought a page. */
  readonly onFaults: (t: ThreadSlot, ns: Ns, pages: number) => void;
  /** It has given pages back, which takes `ns` beside the call. */
  readonly onReleases: (t: ThreadSlot, ns: Ns, pages: number) => void;
}

/** A price is a sum of many: few factors are enough, and stay in the host's first cache. A power of two. */
const FACTORS = 1024;
const PAGE_BYTES = 4096;

export function createCharging({ time, operations, onFaults, onReleases }: ChargingOptions): Charging {
  // Constants of their own are folded into the code, imported ones are loaded at every use.
  const {
    OP_SLOW_CALLS,
    OP_BIN_SCAN_STEPS,
    OP_BITMAP_WORDS,
    OP_TREE_STEPS,
    OP_SPLITS,
    OP_COALESCES,
    OP_LIST_INSERTS,
    OP_CONSOLIDATIONS,
    OP_CACHE_FILLS,
    OP_CACHE_FLUSHES,
    OP_BYTES_COPIED,
    OP_BYTES_CLEARED,
    OP_FAULTS,
    OP_HUGE_FAULTS,
    OP_PAGES_RELEASED,
    OP_BRK,
    OP_MMAP,
    OP_MUNMAP,
    OP_MREMAP,
    OP_MADVISE,
    OP_MPROTECT,
    OP_ZERO_PAGES_REPLACED,
    OP_FLUSHES,
    OP_BRK_SHRINKS,
    OP_MAPPINGS_ENTERED,
    OPERATIONS,
  } = counters;
  const { clocks, costs, debts, log, running, spend, spendInKernel } = time;
  const { tail } = log;
  const { keep } = time.beginning;
  const { shootDownNs, shootDownTargetNs, interruptNs } = costs;
  /** A byte that the allocator fills on a page that a fault has just brought costs so much more than one in the caches. */
  const freshByteNs = Math.max(0, 1 / costs.fillRateCleared - 1 / costs.fillRateL2);
  const prices = operationPrices(costs);
  // The same work never takes quite the same time; without that, threads that do the same would meet at the same points for ever. Each thread
  // has its own row of factors, whatever the others do: equally distributed, half of them within the measured spread.
  const factors = new Float64Array(FACTORS);
  const draws = new Int32Array(time.threads);
  const faultNs = prices[OP_FAULTS]!;
  const releaseNs = prices[OP_PAGES_RELEASED]!;
  const settled = keep(new Float64Array(7));
  const OWN = 0; // price of all that the allocator was counted to have done
  const KERNEL = 1; // of all that the kernel did
  const SHOT_DOWN = 2; // counts
  const FAULTS = 3;
  const COPIED = 4;
  const CLEARED = 5;
  const RELEASED = 6;
  assert(OPERATIONS.length === 25, 'the sums in settle() leave counters out');
  // In an array: a variable that functions share is looked up, checked and stored at every use.
  const state = keep(new Int32Array(2));
  const HAS_RELEASED = 0; // a lock, in the running call
  const HAS_CALLED = 1; // the kernel, since the last time that its price was paid

  function begin(): void {
    const random = createRandom(time.seed, 'prices');
    for (let i = 0; i < FACTORS; i++) factors[i] = 1 + (2 * random.next() - 1) * 2 * costs.priceSpread;
    for (let t = 0; t < draws.length; t++) draws[t] = random.integer(0, FACTORS - 1);
  }

  // The counters are never emptied: what was counted since the last time is the difference of two sums of products,
  // which takes no branch and no store for each counter. Whole numbers times prices stay exact enough in doubles.
  function settle(t: ThreadSlot): void {
    // In pairs: each addition waits for the one before it, and a chain of twenty would take longer than all else here.
    const own =
      operations[OP_SLOW_CALLS]! * prices[OP_SLOW_CALLS]! +
      operations[OP_BIN_SCAN_STEPS]! * prices[OP_BIN_SCAN_STEPS]! +
      (operations[OP_BITMAP_WORDS]! * prices[OP_BITMAP_WORDS]! + operations[OP_TREE_STEPS]! * prices[OP_TREE_STEPS]!) +
      (operations[OP_SPLITS]! * prices[OP_SPLITS]! +
        operations[OP_COALESCES]! * prices[OP_COALESCES]! +
        (operations[OP_LIST_INSERTS]! * prices[OP_LIST_INSERTS]! +
          operations[OP_CONSOLIDATIONS]! * prices[OP_CONSOLIDATIONS]!)) +
      (operations[OP_CACHE_FILLS]! * prices[OP_CACHE_FILLS]! +
        operations[OP_CACHE_FLUSHES]! * prices[OP_CACHE_FLUSHES]! +
        (operations[OP_BYTES_COPIED]! * prices[OP_BYTES_COPIED]! +
          operations[OP_BYTES_CLEARED]! * prices[OP_BYTES_CLEARED]!));
    if (own !== settled[OWN]!) {
      const draw = (draws[t]! + 1) & (FACTORS - 1);
      draws[t] = draw;
      // Without `spend` where that is nearly always enough: a double that is given to a function is an object of the host's.
      const ns = (own - settled[OWN]!) * factors[draw]!;
      if (tail[t] === 0) clocks[t]! += ns;
      else spend(t, ns);
      settled[OWN] = own;
      if (operations[OP_BYTES_CLEARED] !== settled[CLEARED]) spend(t, freshNs());
      settled[COPIED] = operations[OP_BYTES_COPIED]!;
      settled[CLEARED] = operations[OP_BYTES_CLEARED]!;
    }
    if (state[HAS_CALLED] !== 0 || operations[OP_FAULTS] !== settled[FAULTS]) settleKernel(t);
  }

  /** What the allocator has filled, as far as the pages were not there: the program then finds them in its caches. */
  function freshNs(): Ns {
    const filled = operations[OP_BYTES_CLEARED]! - settled[CLEARED]!;
    const faulted = (operations[OP_FAULTS]! - settled[FAULTS]!) * PAGE_BYTES;
    return Math.min(filled, faulted) * freshByteNs;
  }

  function settleKernel(t: ThreadSlot): void {
    state[HAS_CALLED] = 0;
    const kernel =
      operations[OP_HUGE_FAULTS]! * prices[OP_HUGE_FAULTS]! +
      operations[OP_BRK]! * prices[OP_BRK]! +
      (operations[OP_MMAP]! * prices[OP_MMAP]! +
        operations[OP_MUNMAP]! * prices[OP_MUNMAP]! +
        (operations[OP_MREMAP]! * prices[OP_MREMAP]! + operations[OP_MADVISE]! * prices[OP_MADVISE]!)) +
      (operations[OP_MPROTECT]! * prices[OP_MPROTECT]! +
        operations[OP_ZERO_PAGES_REPLACED]! * prices[OP_ZERO_PAGES_REPLACED]!) +
      (operations[OP_FLUSHES]! * prices[OP_FLUSHES]! +
        operations[OP_BRK_SHRINKS]! * prices[OP_BRK_SHRINKS]! +
        operations[OP_MAPPINGS_ENTERED]! * prices[OP_MAPPINGS_ENTERED]!);
    if (kernel !== settled[KERNEL]!) {
      spendInKernel(t, kernel - settled[KERNEL]!);
      settled[KERNEL] = kernel;
    }
    const released = operations[OP_PAGES_RELEASED]!;
    if (released !== settled[RELEASED]!) {
      const pages = released - settled[RELEASED]!;
      settled[RELEASED] = released;
      onReleases(t, pages * releaseNs, pages);
    }
    const faults = operations[OP_FAULTS]!;
    if (faults !== settled[FAULTS]!) {
      const pages = faults - settled[FAULTS]!;
      settled[FAULTS] = faults;
      onFaults(t, pages * faultNs, pages);
    }
    // Once for each call that takes pages away, and at each fault that replaces the zero page.
    const shootDowns = operations[OP_FLUSHES]! + operations[OP_ZERO_PAGES_REPLACED]!;
    if (shootDowns !== settled[SHOT_DOWN]!) {
      const count = shootDowns - settled[SHOT_DOWN]!;
      settled[SHOT_DOWN] = shootDowns;
      shootDown(t, count);
    }
  }

  /** Every other processor that runs a thread of the process is interrupted to forget the translations: base + slope × targets. */
  function shootDown(t: ThreadSlot, count: number): void {
    let targets = 0;
    for (let p = 0; p < running.length; p++) {
      const other = running[p]!;
      if (other < 0 || other === t) continue;
      debts[other]! += count * interruptNs;
      targets++;
    }
    if (targets > 0) spendInKernel(t, count * (shootDownNs + (targets - 1) * shootDownTargetNs));
  }

  function settleLong(t: ThreadSlot): void {
    if (
      operations[OP_BYTES_COPIED] !== settled[COPIED] ||
      operations[OP_BYTES_CLEARED] !== settled[CLEARED] ||
      operations[OP_FAULTS] !== settled[FAULTS]
    ) {
      settle(t);
    }
  }

  function settleCall(t: ThreadSlot): void {
    if (state[HAS_RELEASED] !== 0) settleLong(t);
    else settle(t);
    state[HAS_RELEASED] = 0;
  }

  begin();
  return {
    begin,
    settle,
    settleLong,
    settleCall,
    noteKernelEntry: () => {
      state[HAS_CALLED] = 1;
    },
    noteRelease: () => {
      state[HAS_RELEASED] = 1;
    },
  };
}

import type { ThreadSlot } from '../contract/allocator.ts';
import { assert } from '../contract/assert.ts';
import * as counters from '../contract/operations.ts';
import { createRandom } from '../contract/random.ts';
import type { Ns } from '../contract/units.ts';
import { operationPrices } from './costs.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Turns what models and kernel have counted into time. */
export interface Charging {
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
  /** The thread has had page faults, which take `ns`. */
  readonly onFaults: (t: ThreadSlot, ns: Ns) => void;
}

/** A price is a sum of many: few factors are enough, and stay in the host's first cache. A power of two. */
const FACTORS = 1024;
const PAGE_BYTES = 4096;

export function createCharging({ time, operations, onFaults }: ChargingOptions): Charging {
  // Constants of their own are folded into the code, imported ones are loaded at every use.
  const { OP_BYTES_CLEARED, OP_BYTES_COPIED, OP_FAULTS, OP_FLUSHES, OP_ZERO_PAGES_REPLACED, OPERATIONS } = counters;
  const { debts, running, costs, spend, spendInKernel } = time;
  const { shootDownNs, shootDownTargetNs, interruptNs } = costs;
  /** A byte that the allocator fills on a page that a fault has just brought costs so much more than one in the caches. */
  const freshByteNs = Math.max(0, 1 / costs.fillRateCleared - 1 / costs.fillRateL2);
  const prices = operationPrices(costs);
  // The same work never takes quite the same time; without that, threads that do the same would meet at the same points for ever. Each thread
  // has its own row of factors, whatever the others do: equally distributed, half of them within the measured spread.
  const random = createRandom(time.seed, 'prices');
  const factors = Float64Array.from({ length: FACTORS }, () => 1 + (2 * random.next() - 1) * 2 * costs.priceSpread);
  const draws = Int32Array.from({ length: time.threads }, () => random.integer(0, FACTORS - 1));
  const faultNs = prices[OP_FAULTS]!;
  const settled = new Float64Array(6);
  const OWN = 0; // price of all that the allocator was counted to have done
  const KERNEL = 1; // of all that the kernel did
  const SHOT_DOWN = 2; // counts
  const FAULTS = 3;
  const COPIED = 4;
  const CLEARED = 5;
  assert(OPERATIONS.length === 25 && OP_FAULTS === 12, 'the sums in settle() leave counters out');
  // In an array: a variable that functions share is looked up, checked and stored at every use.
  const state = new Int32Array(2);
  const HAS_RELEASED = 0; // a lock, in the running call
  const HAS_CALLED = 1; // the kernel, since the last time that its price was paid

  // The counters are never emptied: what was counted since the last time is the difference of two sums of products,
  // which takes no branch and no store for each counter. Whole numbers times prices stay exact enough in doubles.
  function settle(t: ThreadSlot): void {
    // In pairs: each addition waits for the one before it, and a chain of twenty would take longer than all else here.
    const own =
      operations[0]! * prices[0]! +
      operations[1]! * prices[1]! +
      (operations[2]! * prices[2]! + operations[3]! * prices[3]!) +
      (operations[4]! * prices[4]! +
        operations[5]! * prices[5]! +
        (operations[6]! * prices[6]! + operations[7]! * prices[7]!)) +
      (operations[8]! * prices[8]! +
        operations[9]! * prices[9]! +
        (operations[10]! * prices[10]! + operations[11]! * prices[11]!));
    if (own !== settled[OWN]!) {
      const draw = (draws[t]! + 1) & (FACTORS - 1);
      draws[t] = draw;
      spend(t, (own - settled[OWN]!) * factors[draw]!);
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
      operations[13]! * prices[13]! +
      (operations[14]! * prices[14]! + operations[15]! * prices[15]!) +
      (operations[16]! * prices[16]! +
        operations[17]! * prices[17]! +
        (operations[18]! * prices[18]! + operations[19]! * prices[19]!)) +
      (operations[20]! * prices[20]! + operations[21]! * prices[21]!) +
      (operations[22]! * prices[22]! + operations[23]! * prices[23]! + operations[24]! * prices[24]!);
    if (kernel !== settled[KERNEL]!) {
      spendInKernel(t, kernel - settled[KERNEL]!);
      settled[KERNEL] = kernel;
    }
    const faults = operations[OP_FAULTS]!;
    if (faults !== settled[FAULTS]!) {
      const ns = (faults - settled[FAULTS]!) * faultNs;
      settled[FAULTS] = faults;
      onFaults(t, ns);
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

  return {
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

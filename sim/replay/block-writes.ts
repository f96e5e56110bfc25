import type { Allocator, Handle, ThreadSlot } from '../contract/allocator.ts';
import * as counters from '../contract/operations.ts';
import type { Bytes } from '../contract/units.ts';
import type { Caches } from '../time/caches.ts';
import type { VirtualLocks } from '../time/virtual-locks.ts';
import type { VirtualTime } from '../time/virtual-time.ts';

/** The program writes bytes `from` to `to` - 1 of a block; `full`: each of them, else one on each page. The thread spends the time. */
export type WriteBlock = (
  target: Allocator,
  t: ThreadSlot,
  handle: Handle,
  from: Bytes,
  to: Bytes,
  full: boolean,
) => void;

export interface BlockWrites {
  readonly write: WriteBlock;
  /** What is left of a write that has touched its pages, beyond the price of a small one whose pages had been there. */
  finish(target: Allocator, t: ThreadSlot, handle: Handle, from: Bytes, to: Bytes, full: boolean, faults: number): void;
}

/** Blocks up to this size are written at the rate of the first caches: they are used again while they are hot. */
export const SMALL_BYTES = 1024;

export function createBlockWrites(
  { costs, spend }: VirtualTime,
  { settle }: VirtualLocks,
  { fill, poke }: Caches,
  operations: Float64Array,
): BlockWrites {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const { OP_FAULTS } = counters;
  const smallBytes = SMALL_BYTES;
  const { writeL2Ns, fillRateL2 } = costs;
  const smallByteNs = 1 / fillRateL2;

  function write(target: Allocator, t: ThreadSlot, handle: Handle, from: Bytes, to: Bytes, full: boolean): void {
    const before = operations[OP_FAULTS]!;
    target.touchBlock(handle, from, to);
    const faults = operations[OP_FAULTS]! - before;
    if (to - from <= smallBytes && faults === 0) {
      spend(t, full ? writeL2Ns + (to - from) * smallByteNs : writeL2Ns);
    } else {
      finish(target, t, handle, from, to, full, faults);
    }
  }

  const finish: BlockWrites['finish'] = (target, t, handle, from, to, full, faults) => {
    const address = target.addressOf(handle) + from;
    // As integers: what the loops over them turn on.
    const first = (address / 4096) | 0;
    const last = ((address + (to - from - 1)) / 4096) | 0;
    if (faults !== 0) settle(t);
    if (full) fill(t, first, last, to - from, faults);
    else poke(t, first, last, faults);
  };

  return { write, finish };
}

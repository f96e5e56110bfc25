import type { Touch } from '../contract/event.ts';
import type { Locks } from '../contract/locks.ts';
import type { Memory } from '../contract/memory.ts';
import type { Kernel } from './kernel.ts';

/** What a model is built from. */
export interface Machine {
  readonly memory: Memory;
  readonly kernel: Kernel;
  readonly locks: Locks;
  /** Counters of what the running call did, indexed by the OP_ constants of contract/operations.ts. */
  readonly operations: Float64Array;
  /** Simulated processors that the allocator sees. */
  readonly cpus: number;
  /** Thread slots that may be used. */
  readonly threadSlots: number;
  readonly touch: Touch;
  /**
   * Given what the allocator does before its first call, with its options, for a machine that is used again: then memory is put back to
   * where that has not been done. Without it, it is done while the model is made.
   */
  readonly boots?: (boot: () => void) => void;
}

import type { ThreadSlot } from '../contract/allocator.ts';
import type { LockId } from '../contract/locks.ts';
import type { Ns } from '../contract/units.ts';

/** Sees what threads, processors and locks did in virtual time, each stretch when it is over. */
export interface TimeObserver {
  /** `t` was on processor `p`; `isLooking`: only to see whether another thread is done. */
  ran(t: ThreadSlot, p: number, from: Ns, to: Ns, isLooking: boolean): void;
  /** It could have run, but had no processor. */
  wasReady(t: ThreadSlot, from: Ns, to: Ns): void;
  /** It waited for a lock, on its processor or asleep. */
  waited(t: ThreadSlot, id: LockId, from: Ns, to: Ns): void;
  held(t: ThreadSlot, id: LockId, from: Ns, to: Ns): void;
}

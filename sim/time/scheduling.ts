import type { ThreadSlot } from '../contract/allocator.ts';
import type { Start } from '../contract/start.ts';
import type { Ns } from '../contract/units.ts';
import type { Accounts } from './accounts.ts';

/** What locks, the player and a run ask of the scheduler. */
export interface Scheduler extends Pick<Accounts, 'processorNs' | 'timesOf' | 'busyNs' | 'idleNs'> {
  /**
   * The main thread is on its processor; of the first `present` threads the others are still to be begun or, at a barrier, to be woken, in the
   * order returned: that in which they came to wait there is drawn. The rest is to be begun.
   */
  start(how: Start, present: number): ThreadSlot[];
  /** wake_up_new_task(): `maker`, at its clock, has made `t`. */
  begin(t: ThreadSlot, maker: ThreadSlot): void;
  /** The processor that is next, where a thread has something to do; -1: nothing happens any more. Sets `limit` and `horizon`. */
  turn(): number;
  /** The clock of the thread on processor `p` has changed. */
  moved(p: number): void;
  /** Somebody may act at `at`: nobody else may run ahead beyond that. */
  setClock(t: ThreadSlot, at: Ns): void;
  /** `t`, at its clock, goes to sleep until somebody wakes it, or until a time. */
  sleep(t: ThreadSlot): void;
  sleepUntil(t: ThreadSlot, at: Ns): void;
  /** try_to_wake_up(): `waker` wakes `t` at `at`; returns what that costs it. */
  wake(t: ThreadSlot, waker: ThreadSlot, at: Ns): Ns;
  /** need_resched(): another one is to have the processor of `t` when it leaves the kernel. */
  mustLeave(t: ThreadSlot): boolean;
  /** The thread has left the kernel: if it has to, it gives its processor away. */
  leftKernel(t: ThreadSlot): void;
  /** The thread looks for what another one has to do; where others are ready it lets them go first (sched_yield). */
  looks(t: ThreadSlot): void;
  /** What it looks for is there at `at`. */
  found(t: ThreadSlot, at: Ns): void;
  done(t: ThreadSlot): void;
  unfinished(): number;
  /** The latest end of a thread so far. */
  endNs(): Ns;
  /** The run ends: busy and idle times are complete. */
  closeAccounts(end: Ns): void;
  /** Accounts cannot be closed before. */
  accountedNs(): Ns;
}

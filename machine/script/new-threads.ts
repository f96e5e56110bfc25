import type { Task } from '../kernel/kernel.ts';

/** sysctl_sched_latency, sysctl_sched_min_granularity and sysctl_sched_wakeup_granularity, in microseconds. */
const LATENCY_US = 6000;
export const MIN_GRANULARITY_US = 750;
export const WAKEUP_GRANULARITY_US = 1000;
/** A sleeper is placed at most half of sysctl_sched_latency behind, a new process half of it ahead. */
export const SLEEPER_CREDIT_US = LATENCY_US / 2;

/** sched_slice of one of so many that want the processor, all of nice 0. */
export const schedSlice = (runnable: number): number => Math.max(MIN_GRANULARITY_US, LATENCY_US / runnable);

interface NewThread {
  readonly task: Task;
  readonly vruntime: number;
  readonly firstRun: () => void;
}

/**
 * Threads that have been made and have not run. One that runs for the first time writes to its stack, and copies that page where its
 * process has forked meanwhile.
 */
export class NewThreads {
  /** In the order of their virtual run times. */
  private readonly waiting: NewThread[] = [];

  get count(): number {
    return this.waiting.length;
  }

  /** The virtual run time of who is first; infinite where nobody waits. */
  get first(): number {
    return this.waiting[0]?.vruntime ?? Number.POSITIVE_INFINITY;
  }

  add(thread: NewThread): void {
    const at = this.waiting.findIndex(({ vruntime }) => vruntime > thread.vruntime);
    this.waiting.splice(at < 0 ? this.waiting.length : at, 0, thread);
  }

  /** The processor is given to those that are behind `vruntime`. */
  runBefore(vruntime: number): void {
    while (this.first < vruntime) {
      const { task, firstRun } = this.waiting.shift()!;
      if (task.alive) firstRun();
    }
  }
}

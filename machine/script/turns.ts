/** kernel/sched/fair.c, for one processor: whose turn it is between who reads the script, the processes, and khugepaged. */
import { flushersTurn } from '../kernel/flusher.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';
import { runKhugepaged } from '../kernel/khugepaged.ts';
import { khugepagedIsRunnable } from '../kernel/khugepaged-slots.ts';
import { rcuDoBatch } from '../kernel/rcu.ts';
import { JIFFY_US } from '../kernel/timer.ts';

/** sysctl_sched_latency is 6 ms: a sleeper is placed at most half of it behind, a new process half of it ahead. */
const SLEEPER_CREDIT_US = 3000;
/** sysctl_sched_wakeup_granularity and sysctl_sched_min_granularity. */
const WAKEUP_GRANULARITY_US = 1000;
const MIN_GRANULARITY_US = 750;
/** exec of the small static binary, as recorded. */
const START_US = 600;
/** Weights of nice 0 and nice 19. */
const SLOWNESS_OF_NICE_19 = 1024 / 15;

/**
 * Virtual run times (vruntime), in microseconds. They decide what depends on order alone: which of parent and child writes a page first
 * after a fork, and so pays for its copy, and how far khugepaged gets between two commands.
 */
export class Turns {
  private readonly k: Kernel;
  /** min_vruntime. */
  private least = 0;
  private reader = 0;
  private khugepaged = 0;
  private khugepagedWaits = false;
  private readonly processes = new WeakMap<Task, number>();

  constructor(k: Kernel) {
    this.k = k;
  }

  /** Who reads the script has the processor for so long. */
  readerRan(us: number): void {
    this.k.nowUs += us;
    this.reader += us;
    this.least = Math.max(this.least, this.reader);
    flushersTurn(this.k);
    rcuDoBatch(this.k);
  }

  /** The process, woken by its command, has had the processor for so long and answers. @returns whether that takes the processor from it. */
  answers(task: Task, us: number): boolean {
    const own = this.placed(this.processes.get(task) ?? this.least + SLEEPER_CREDIT_US) + us;
    this.processes.set(task, own);
    this.least = Math.max(this.least, own);
    this.reader = this.placed(this.reader);
    const isPreempted = own - this.reader > WAKEUP_GRANULARITY_US;
    this.letKhugepagedRun();
    return isPreempted;
  }

  /** A fresh process runs up to where it waits for its first command, and who reads the script waits for it. */
  started(task: Task): void {
    const own = this.least + SLEEPER_CREDIT_US + START_US;
    this.processes.set(task, own);
    this.least = own;
    this.reader = this.placed(this.reader);
  }

  /** A fork: the child waits for the others' turns. */
  forked(child: Task): void {
    this.processes.set(child, this.least + SLEEPER_CREDIT_US);
  }

  private placed(vruntime: number): number {
    return Math.max(vruntime, this.least - SLEEPER_CREDIT_US);
  }

  /** Everyone waits for the other's word: khugepaged goes on until the tick that finds it has had its share. */
  private letKhugepagedRun(): void {
    const { k } = this;
    if (!khugepagedIsRunnable(k)) {
      this.khugepagedWaits = false;
      return;
    }
    if (!this.khugepagedWaits) {
      this.khugepagedWaits = true;
      this.khugepaged = this.placed(this.khugepaged);
    }
    if (this.khugepaged > this.reader) return;
    const toTickUs = JIFFY_US - (k.nowUs % JIFFY_US);
    this.ranKhugepaged(toTickUs < MIN_GRANULARITY_US ? toTickUs + JIFFY_US : toTickUs);
  }

  /** The processor is idle until `untilUs`. */
  idle(untilUs: number): void {
    while (this.k.nowUs < untilUs && khugepagedIsRunnable(this.k)) {
      this.ranKhugepaged(untilUs - this.k.nowUs);
      this.least = Math.max(this.least, this.khugepaged);
    }
  }

  private ranKhugepaged(budgetUs: number): void {
    this.khugepaged += runKhugepaged(this.k, budgetUs) * SLOWNESS_OF_NICE_19;
    this.khugepagedWaits = khugepagedIsRunnable(this.k);
  }
}

/** kernel/sched/fair.c, for one processor: whose turn it is between who reads the script, the processes, and khugepaged. */
import { flushersTurn } from '../kernel/flusher.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';
import { runKhugepaged } from '../kernel/khugepaged.ts';
import { khugepagedIsRunnable } from '../kernel/khugepaged-slots.ts';
import { rcuDoBatch } from '../kernel/rcu.ts';
import { JIFFY_US } from '../kernel/timer.ts';
import { MIN_GRANULARITY_US, NewThreads, SLEEPER_CREDIT_US, schedSlice, WAKEUP_GRANULARITY_US } from './new-threads.ts';

/** sched_nr_latency: where so many want the processor, who lost it to a woken one is preferred (LAST_BUDDY). */
const SCHED_NR_LATENCY = 8;
/** exec of the small static binary, as recorded. */
const START_US = 600;
/** Weights of nice 0 and nice 19. */
const SLOWNESS_OF_NICE_19 = 1024 / 15;

/**
 * Virtual run times (vruntime), in microseconds. They decide what depends on order alone: which of parent and child writes a page first
 * after a fork, and so pays for its copy, whether a new thread runs before or after one, and how far khugepaged gets between two commands.
 */
export class Turns {
  private readonly k: Kernel;
  /** min_vruntime. */
  private least = 0;
  private reader = 0;
  /** A process that woke took the processor from who reads the script, before that slept. */
  private readerIsRunnable = false;
  /** Since when it has the processor, where it has it. */
  private readerSinceUs = 0;
  private khugepaged = 0;
  private khugepagedWaits = false;
  private readonly processes = new WeakMap<Task, number>();
  /** When the process took the command that it carries out, and since when it has had the processor. */
  private readonly startedUs = new WeakMap<Task, number>();
  private readonly sinceUs = new WeakMap<Task, number>();
  private readonly newThreads = new NewThreads();
  /** Who was preempted last, and is preferred. */
  private last: Task | undefined;

  constructor(k: Kernel) {
    this.k = k;
  }

  /** Who reads the script has the processor for so long. */
  readerRan(us: number): void {
    this.k.nowUs += us;
    this.reader += us;
    this.least = Math.max(this.least, this.reader);
    if (this.threadsAtTick(this.readerSinceUs, this.reader)) this.readerSinceUs = this.k.nowUs;
    flushersTurn(this.k);
    rcuDoBatch(this.k);
  }

  /** The process is woken by its command. Who reads the script sleeps, or is preempted. */
  takes(task: Task): void {
    const own = this.placed(this.processes.get(task) ?? this.least + SLEEPER_CREDIT_US);
    this.processes.set(task, own);
    this.startedUs.set(task, this.k.nowUs);
    this.sinceUs.set(task, this.k.nowUs);
    this.readerIsRunnable = this.reader - own > WAKEUP_GRANULARITY_US;
    this.newThreads.runBefore(this.last === task ? own - WAKEUP_GRANULARITY_US : own);
    this.last = undefined;
  }

  /**
   * A command goes to a process that nobody waits for. @returns when who reads the script goes on: where the process has slept, it runs first,
   * to the tick that ends its slice.
   */
  goesOnUs(task: Task): number {
    const { nowUs } = this.k;
    const own = this.placed(this.processes.get(task) ?? this.least + SLEEPER_CREDIT_US);
    if (this.reader - own <= WAKEUP_GRANULARITY_US) return nowUs;
    return Math.ceil((nowUs + schedSlice(2)) / JIFFY_US) * JIFFY_US;
  }

  /** The process has had the processor for so long and answers. @returns whether that takes the processor from it. */
  answers(task: Task, us: number): boolean {
    const own = this.processes.get(task)! + us;
    this.processes.set(task, own);
    this.least = Math.max(this.least, own);
    this.reader = this.placed(this.reader);
    this.readerSinceUs = this.k.nowUs;
    const isPreempted = own - this.reader > WAKEUP_GRANULARITY_US;
    if (!isPreempted) this.newThreads.runBefore(this.reader);
    else if (this.newThreads.count + 2 >= SCHED_NR_LATENCY) this.last = task;
    this.letKhugepagedRun();
    return isPreempted;
  }

  /** A thread is made: it waits for its turn (task_fork_fair). */
  madeThread(task: Task, firstRun: () => void): void {
    const own = this.processes.get(task)! + this.k.nowUs - this.startedUs.get(task)!;
    const runnable = this.newThreads.count + (this.readerIsRunnable ? 3 : 2);
    // update_min_vruntime.
    const leftmost = Math.min(this.newThreads.first, this.readerIsRunnable ? this.reader : Number.POSITIVE_INFINITY);
    this.least = Math.max(this.least, Math.min(own, leftmost));
    this.newThreads.add({ task, vruntime: Math.max(own, this.least + schedSlice(runnable)), firstRun });
  }

  /** The process is in the middle of its command: at a tick it may have lost the processor to new threads. */
  goesOn(task: Task): void {
    const own = this.processes.get(task)! + this.k.nowUs - this.startedUs.get(task)!;
    if (this.threadsAtTick(this.sinceUs.get(task)!, own)) this.sinceUs.set(task, this.k.nowUs);
  }

  /** check_preempt_tick: who has had the processor since `sinceUs`, and has now the virtual run time `own`, had his slice at the last tick. @returns whether. */
  private threadsAtTick(sinceUs: number, own: number): boolean {
    if (this.newThreads.count === 0) return false;
    const sinceTickUs = this.k.nowUs % JIFFY_US;
    const ranUs = this.k.nowUs - sinceTickUs - sinceUs;
    if (ranUs < MIN_GRANULARITY_US) return false;
    const ownAtTick = own - sinceTickUs;
    const ideal = schedSlice(this.newThreads.count + (this.readerIsRunnable ? 2 : 1));
    if (ranUs <= ideal && ownAtTick - this.newThreads.first <= ideal) return false;
    this.readerIsRunnable = false;
    this.newThreads.runBefore(ownAtTick);
    return true;
  }

  /** A fresh process runs up to where it waits for its first command, and who reads the script waits for it. */
  started(task: Task): void {
    const own = this.least + SLEEPER_CREDIT_US + START_US;
    this.newThreads.runBefore(own);
    this.processes.set(task, own);
    this.least = own;
    this.reader = this.placed(this.reader);
    this.readerSinceUs = this.k.nowUs;
  }

  /** A fork: the child waits for the others' turns. */
  forked(child: Task): void {
    this.processes.set(child, this.least + SLEEPER_CREDIT_US);
  }

  /** The child's turn, while who reads the script waits for it. */
  startsForked(child: Task): void {
    this.newThreads.runBefore(this.processes.get(child)!);
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
    this.newThreads.runBefore(Number.POSITIVE_INFINITY);
    this.readerSinceUs = untilUs;
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

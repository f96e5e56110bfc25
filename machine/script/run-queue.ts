import { exitMmapSteps } from '../kernel/exit-mmap.ts';
import { flushersTurn } from '../kernel/flusher.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';
import { kswapd, wakesKswapd } from '../kernel/kswapd.ts';
import type { MemCgroup } from '../kernel/mem-cgroup.ts';
import { recordStalls } from '../kernel/psi.ts';
import { JIFFY_US } from '../kernel/timer.ts';
import { MIN_GRANULARITY_US, SLEEPER_CREDIT_US, schedSlice, WAKEUP_GRANULARITY_US } from './new-threads.ts';

/** EEVDF: sysctl_sched_base_slice, and how far who sleeps may be behind one other (a tick, placed twice as far). */
const BASE_SLICE_US = 750;
const LAG_US = 2 * JIFFY_US;

const lastTickUs = ({ nowUs }: Kernel): number => Math.floor(nowUs / JIFFY_US) * JIFFY_US;

/** Who wants the processor; the virtual run time in microseconds. */
interface Thread {
  /** Each step takes the time that has passed in it, and what it says. */
  readonly steps: Generator<number | undefined, void, void>;
  vruntime: number;
  /** Who was killed; undefined: kswapd. */
  readonly task?: Task;
}

/**
 * cfs_rq: who wants the processor beside those that the script is about. Processes that the kernel has killed for others' memory, each of which gives
 * its memory back as its own last work, and kswapd. They have it in turns with who asked for memory and with all that comes after (virtual run
 * times of CFS); of those, one has the processor at a time: whoever carries out a command, or who reads the script.
 */
export class RunQueue {
  private readonly k: Kernel;
  private readonly end: (task: Task) => void;
  private readonly waiting: Thread[] = [];
  /** Woken just now, and so far behind that they run before who woke them. */
  private areFresh = false;
  /** min_vruntime. */
  private least = 0;
  /** The virtual run time of who has the processor beside them, as it was at that time; and since when he has had it. */
  private others = 0;
  private countedUs = 0;
  private othersSinceUs = 0;
  /** Those of who reads the script, and of those who carry out commands, when they last slept. */
  private reader = 0;
  private readonly workers = new WeakMap<Task, number>();
  private worker: Task | undefined;
  /** kswapd when it last slept. */
  private kswapdSlept = { vruntime: 0, behindUs: 0 };
  /** One of them has the processor. */
  private isRunning = false;

  constructor(k: Kernel, end: (task: Task) => void) {
    this.k = k;
    this.end = end;
  }

  /**
   * Those that one call of the killer has chosen; the one that asked ends when its fault returns. Of a whole group each has the processor as soon
   * as it has its signal, while the killer goes on to the next.
   */
  kill(tasks: readonly Task[], isOfMany: boolean): void {
    const { k } = this;
    for (const task of tasks) {
      if (task === k.current) continue;
      this.wake({ task, steps: exitMmapSteps(k, task), vruntime: Number.NEGATIVE_INFINITY });
      if (isOfMany) this.share(k.current?.group ?? k.root);
    }
  }

  /** Who asked was chosen himself and has come to his signal: from now on he ends as the others do. */
  exits(task: Task): void {
    this.waiting.push({ task, steps: exitMmapSteps(this.k, task), vruntime: this.othersNow() });
    this.setTurn();
  }

  /** wakeup_kswapd. */
  wakeKswapd(order: number): void {
    const { k } = this;
    if (this.waiting.some(({ task }) => !task) || !wakesKswapd(k, order)) return;
    this.wake({ steps: kswapd(k, order), vruntime: this.kswapdSlept.vruntime });
  }

  /** place_entity, and check_preempt_wakeup. */
  private wake(thread: Thread): void {
    this.updateLeast();
    const isEevdf = this.keepsLag && !thread.task;
    thread.vruntime = isEevdf
      ? this.othersNow() - this.keptLagUs()
      : Math.max(thread.vruntime, this.least - SLEEPER_CREDIT_US);
    this.waiting.push(thread);
    const behindUs = this.othersNow() - thread.vruntime;
    const isFirst = isEevdf
      ? behindUs >= 0 && this.k.nowUs - Math.max(this.othersSinceUs, lastTickUs(this.k)) >= BASE_SLICE_US
      : behindUs > WAKEUP_GRANULARITY_US;
    if (isFirst) {
      this.areFresh = true;
      this.k.queueTurnUs = this.k.nowUs;
    } else if (!this.areFresh) this.setTurn();
  }

  /** EEVDF, in the place of CFS. */
  private get keepsLag(): boolean {
    return this.k.profile.features.sleepersKeepLag;
  }

  /** Whether who has the processor, and is so far ahead of the first that waits, loses it at a tick. */
  private isOver(ranUs: number, aheadUs: number): boolean {
    if (this.keepsLag) return ranUs >= BASE_SLICE_US && aheadUs > 0;
    const slice = schedSlice(this.waiting.length + 1);
    return ranUs > slice || (ranUs >= MIN_GRANULARITY_US && aheadUs > slice);
  }

  /** How far kswapd was behind who had the processor beside it. Where it was ahead, it is so for as long as the other has not caught up (DELAY_DEQUEUE). */
  private keptLagUs(): number {
    const { behindUs, vruntime } = this.kswapdSlept;
    return behindUs > 0 ? Math.min(behindUs, LAG_US) : Math.min(0, this.othersNow() - vruntime);
  }

  private get leftmost(): Thread | undefined {
    let first: Thread | undefined;
    for (const thread of this.waiting) if (!first || thread.vruntime < first.vruntime) first = thread;
    return first;
  }

  private updateLeast(): void {
    this.least = Math.max(this.least, Math.min(this.othersNow(), this.leftmost?.vruntime ?? Number.POSITIVE_INFINITY));
  }

  private othersNow(): number {
    return this.others + this.k.nowUs - this.countedUs;
  }

  /** Somebody has had the processor up to now: those that wait have it where a tick has found that his slice was over. `others`: his group. */
  share(others: MemCgroup | null): void {
    const { k } = this;
    while (!this.isRunning && k.nowUs >= k.queueTurnUs) {
      // Who was not asked in between has the rest of it after them.
      const lateUs = this.areFresh ? 0 : k.nowUs - k.queueTurnUs;
      k.nowUs -= lateUs;
      this.givesWay(others);
      k.nowUs += lateUs;
      if (lateUs === 0) return;
    }
  }

  /** cond_resched of who is in reclaim, and stalled. A worker of the kernel may have come in between (vmpressure), after which the first in line goes on. */
  condResched(): void {
    const { k } = this;
    if (this.isRunning) return;
    flushersTurn(k);
    const isPreempted = k.workerCame && this.isBehind(this.othersNow());
    k.workerCame = false;
    if (isPreempted) this.givesWay(null);
    else this.share(null);
  }

  private isBehind(vruntime: number): boolean {
    const { leftmost } = this;
    return leftmost !== undefined && leftmost.vruntime < vruntime;
  }

  /** Who asked has nothing to do but to look again, until the tick. */
  wait(): void {
    const { k } = this;
    if (this.waiting.length === 0) return;
    k.nowUs = Math.max(k.nowUs, k.queueTurnUs);
    this.share(k.root);
  }

  /** Who reads the script wakes, and who has carried out its last command sleeps. */
  readerWakes(): void {
    if (this.worker) this.workers.set(this.worker, this.othersNow());
    this.wakes(this.reader);
  }

  /** A process wakes for its command, and who reads the script sleeps. */
  workerWakes(task: Task): void {
    this.reader = this.othersNow();
    this.worker = task;
    this.wakes(this.workers.get(task) ?? Number.NEGATIVE_INFINITY);
  }

  private wakes(vruntime: number): void {
    this.updateLeast();
    this.others = Math.max(vruntime, this.least - SLEEPER_CREDIT_US);
    this.countedUs = this.k.nowUs;
    if (this.areFresh) return;
    this.othersSinceUs = this.k.nowUs;
    if (this.isBehind(this.others)) this.givesWay(this.k.root);
    else this.setTurn();
  }

  /** The processor is given away, to each that is behind. */
  private givesWay(group: MemCgroup | null): void {
    recordStalls(this.k, group);
    this.others = this.othersNow();
    this.areFresh = false;
    for (let next = this.leftmost; next && next.vruntime < this.others; next = this.leftmost) this.turn(next);
    this.goesOn();
  }

  /** Somebody else has the processor from now on. */
  private goesOn(): void {
    this.countedUs = this.k.nowUs;
    this.othersSinceUs = this.k.nowUs;
    this.updateLeast();
    this.setTurn();
  }

  /** check_preempt_tick: the tick that will find that who has the processor has had his slice, or is too far ahead. */
  private setTurn(): void {
    const { k, leftmost } = this;
    k.queueTurnUs = Number.POSITIVE_INFINITY;
    if (!leftmost) return;
    for (let tickUs = Math.floor(k.nowUs / JIFFY_US + 1) * JIFFY_US; ; tickUs += JIFFY_US) {
      const ranUs = tickUs - this.othersSinceUs;
      const aheadUs = this.others + tickUs - this.countedUs - leftmost.vruntime;
      if (!this.isOver(ranUs, aheadUs)) continue;
      k.queueTurnUs = tickUs;
      return;
    }
  }

  /** It has the processor until check_preempt_tick takes it away, a worker of the kernel comes in between, or it has nothing left to do. */
  private turn(thread: Thread): void {
    const { k } = this;
    const sinceUs = k.nowUs;
    this.isRunning = true;
    for (let ticks = Math.floor(sinceUs / JIFFY_US); ; ) {
      const isDone = this.step(thread);
      if (isDone) break;
      flushersTurn(k);
      const wasWorker = k.workerCame;
      k.workerCame = false;
      if (wasWorker && this.others < thread.vruntime) break;
      const now = Math.floor(k.nowUs / JIFFY_US);
      if (now === ticks) continue;
      ticks = now;
      if (this.isOver(ticks * JIFFY_US - sinceUs, thread.vruntime - this.others)) break;
    }
    this.isRunning = false;
    // Who waits for it may be in reclaim himself: then nobody gets on.
    recordStalls(k, thread.task ? thread.task.group : k.stalls > 0 ? null : k.root);
  }

  /** @returns whether there is nothing left to do. */
  private step(thread: Thread): boolean {
    const { k } = this;
    const { current } = k;
    const sinceUs = k.nowUs;
    k.current = null;
    const step = thread.steps.next();
    k.nowUs += step.value ?? 0;
    thread.vruntime += k.nowUs - sinceUs;
    if (step.done) {
      this.waiting.splice(this.waiting.indexOf(thread), 1);
      if (thread.task) this.end(thread.task);
      else this.kswapdSlept = { vruntime: thread.vruntime, behindUs: this.others - thread.vruntime };
    }
    k.current = current;
    return step.done ?? false;
  }

  /** Nobody else wants the processor until `untilUs`. */
  idle(untilUs: number): void {
    this.alone(() => this.k.nowUs < untilUs);
  }

  /** Nobody else wants the processor until that one is gone. */
  finish(task: Task): void {
    if (task.oomVictim) this.alone(() => task.alive);
  }

  /** The same of all that were killed. */
  finishAll(): void {
    this.alone(() => this.waiting.some(({ task }) => task));
  }

  /** Who asks for memory sleeps until kswapd has come so far, or has nothing left to do. */
  waitForKswapd(until: () => boolean): void {
    this.alone(() => !until() && this.waiting.some(({ task }) => !task));
  }

  private alone(goesOn: () => boolean): void {
    if (this.waiting.length === 0 || this.isRunning) return;
    this.areFresh = false;
    let others = this.othersNow();
    for (let next = this.leftmost; next && goesOn(); next = this.leftmost) {
      this.turn(next);
      this.least = Math.max(this.least, Math.min(next.vruntime, this.leftmost?.vruntime ?? next.vruntime));
      others = Math.max(others, this.least - SLEEPER_CREDIT_US);
    }
    this.others = others;
    this.goesOn();
  }

  /** The processor was idle since `sinceUs`: nobody's virtual run time went on. */
  wasIdle(sinceUs: number): void {
    const { k } = this;
    this.countedUs += k.nowUs - sinceUs;
    this.othersSinceUs = k.nowUs;
    this.setTurn();
  }
}

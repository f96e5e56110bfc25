import { exitMmapSteps } from '../kernel/exit-mmap.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';
import type { MemCgroup } from '../kernel/mem-cgroup.ts';
import { recordStalls } from '../kernel/psi.ts';
import { JIFFY_US } from '../kernel/timer.ts';
import { MIN_GRANULARITY_US, SLEEPER_CREDIT_US, schedSlice } from './new-threads.ts';

/** Killed, and taking its own memory down; its virtual run time in microseconds. */
interface Victim {
  readonly task: Task;
  readonly steps: Generator<number, void, void>;
  vruntime: number;
}

/**
 * Processes that the kernel has killed for others' memory. Each gives its memory back as its own last work, for which it has the processor in
 * turns with who asked for memory, and with all that comes after (virtual run times of CFS).
 */
export class Dying {
  private readonly k: Kernel;
  private readonly end: (task: Task) => void;
  private readonly victims: Victim[] = [];
  /** Killed just now: they have slept, so that the signal lets them run before who asked. */
  private areFresh = false;
  /** Somebody else has had the processor since then, and had this virtual run time. */
  private othersSinceUs = 0;
  private others = 0;
  /** Those of who reads the script, and of who carried out its last command, when they last slept. */
  private reader = Number.NEGATIVE_INFINITY;
  private worker = Number.NEGATIVE_INFINITY;

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
      if (this.victims.length === 0) this.restart();
      const vruntime = this.least() - SLEEPER_CREDIT_US;
      this.victims.push({ task, steps: exitMmapSteps(k, task), vruntime });
      this.areFresh = true;
      k.victimsTurnUs = k.nowUs;
      if (isOfMany) this.share(k.current?.group ?? k.root);
    }
  }

  /** Who asked was chosen himself and has come to his signal: from now on he ends as the others do. */
  exits(task: Task): void {
    if (this.victims.length === 0) this.restart();
    this.victims.push({ task, steps: exitMmapSteps(this.k, task), vruntime: this.othersNow() });
  }

  /** Nobody was dying: virtual run times begin again. */
  private restart(): void {
    this.others = 0;
    this.othersSinceUs = this.k.nowUs;
    this.reader = Number.NEGATIVE_INFINITY;
    this.worker = Number.NEGATIVE_INFINITY;
  }

  private get leftmost(): Victim | undefined {
    let first: Victim | undefined;
    for (const victim of this.victims) if (!first || victim.vruntime < first.vruntime) first = victim;
    return first;
  }

  /** min_vruntime. */
  private least(): number {
    return Math.min(this.othersNow(), this.leftmost?.vruntime ?? Number.POSITIVE_INFINITY);
  }

  private othersNow(): number {
    return this.others + this.k.nowUs - this.othersSinceUs;
  }

  /** Somebody has had the processor up to now: the victims have it where a tick has found that his slice was over. `others`: his group. */
  share(others: MemCgroup): void {
    while (this.k.nowUs >= this.k.victimsTurnUs) {
      const lateUs = this.areFresh ? 0 : this.k.nowUs - this.k.victimsTurnUs;
      this.givesWay(this.k.nowUs - lateUs, others);
      // Who was not asked in between has the rest of it after them.
      if (lateUs === 0) return;
    }
  }

  /** He was in a call of reclaim, and stalled: workers of the kernel came in between (vmpressure), after each of which the first in line goes on. */
  shareInReclaim(): void {
    const { leftmost } = this;
    if (leftmost && (this.areFresh || leftmost.vruntime < this.othersNow())) this.givesWay(this.k.nowUs, null);
  }

  /** Who asked has nothing to do but to look again, until the tick. */
  wait(): void {
    const { k } = this;
    if (this.victims.length === 0) return;
    k.nowUs = Math.max(k.nowUs, k.victimsTurnUs);
    this.share(k.root);
  }

  /** Who reads the script wakes. */
  readerWakes(): void {
    if (this.victims.length === 0) return;
    this.worker = this.othersNow();
    this.wakes(this.reader);
  }

  /** A process wakes for its command. */
  workerWakes(): void {
    if (this.victims.length === 0) return;
    this.reader = this.othersNow();
    this.wakes(this.worker);
  }

  private wakes(vruntime: number): void {
    if (this.areFresh) return;
    this.others = Math.max(vruntime, this.least() - SLEEPER_CREDIT_US);
    this.goesOn(this.k.nowUs);
  }

  /** At `atUs` the processor is given away, to each victim that is behind. */
  private givesWay(atUs: number, group: MemCgroup | null): void {
    recordStalls(this.k, group);
    this.others += atUs - this.othersSinceUs;
    this.areFresh = false;
    let nowUs = atUs;
    for (let next = this.leftmost; next && next.vruntime < this.others; next = this.leftmost)
      nowUs += this.turn(next, nowUs);
    this.goesOn(nowUs);
  }

  /** Somebody else has the processor from `sinceUs` on, to the first tick that finds his slice over. */
  private goesOn(sinceUs: number): void {
    this.othersSinceUs = sinceUs;
    const tickUs = Math.floor(sinceUs / JIFFY_US + 1) * JIFFY_US;
    const isTooSoon = tickUs - sinceUs <= schedSlice(this.victims.length + 1);
    const turnUs = isTooSoon ? tickUs + JIFFY_US : tickUs;
    this.k.victimsTurnUs = this.victims.length === 0 ? Number.POSITIVE_INFINITY : turnUs;
  }

  /** The victim has the processor from `fromUs` on until check_preempt_tick takes it away, or it is gone. @returns for how long. */
  private turn(victim: Victim, fromUs: number): number {
    const { k } = this;
    const slice = schedSlice(this.victims.length + 1);
    for (let ranUs = 0; ; ) {
      const us = this.step(victim);
      if (us === undefined) return ranUs;
      ranUs += us;
      victim.vruntime += us;
      k.nowUs += us;
      recordStalls(k, victim.task.group);
      const ranAtTick = Math.floor((fromUs + ranUs) / JIFFY_US) * JIFFY_US - fromUs;
      if (ranAtTick < MIN_GRANULARITY_US) continue;
      if (ranAtTick > slice || victim.vruntime - this.others > slice) return ranUs;
    }
  }

  /** @returns how long it takes, undefined where there is nothing left to do. */
  private step(victim: Victim): number | undefined {
    const { k } = this;
    const { current } = k;
    k.current = null;
    const step = victim.steps.next();
    if (step.done) {
      this.victims.splice(this.victims.indexOf(victim), 1);
      this.end(victim.task);
    }
    k.current = current;
    return step.done ? undefined : step.value;
  }

  /** Nobody else wants the processor until `untilUs`. */
  idle(untilUs: number): void {
    this.alone(() => this.k.nowUs < untilUs);
  }

  /** Nobody else wants the processor until that one is gone. */
  finish(task: Task): void {
    if (task.oomVictim) this.alone(() => task.alive);
  }

  private alone(goesOn: () => boolean): void {
    if (this.victims.length === 0) return;
    const { k } = this;
    this.areFresh = false;
    for (let next = this.leftmost; next && goesOn(); next = this.leftmost) this.turn(next, k.nowUs);
    this.others = this.least();
    this.goesOn(k.nowUs);
  }
}

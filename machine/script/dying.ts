import type { Kernel, Task } from '../kernel/kernel.ts';
import { reapMemory } from '../kernel/process.ts';
import { noteStall } from '../kernel/psi.ts';
import { EXIT_FREED_US, EXIT_SHMEM_FREED_US, EXIT_UNMAPPED_US } from '../kernel/recorded-prices.ts';
import { JIFFY_US } from '../kernel/timer.ts';

/** tlb_next_batch: pages taken out of the tables are freed, and given back to the group, once so many have been gathered, or at the end. */
const GATHERED_PAGES = Math.floor(10_000 / 510) * 510 + 8;

/** Killed, with the processor's time that it still needs: to take its mappings down, and until it frees the first page. */
interface Victim {
  readonly task: Task;
  leftUs: number;
  toFirstFreeUs: number;
}

/**
 * Processes that the kernel has killed for others' memory. The memory of one goes at once, but it is there until it has had time enough to
 * take its mappings down.
 */
export class Dying {
  private readonly k: Kernel;
  private readonly end: (task: Task) => void;
  private readonly victims: Victim[] = [];
  private asOfUs = 0;

  constructor(k: Kernel, end: (task: Task) => void) {
    this.k = k;
    this.end = end;
  }

  /** Those that one call of the killer has chosen; the one that asked ends when its fault returns. */
  kill(tasks: readonly Task[]): void {
    for (const task of tasks) task.fatalSignal = true;
    const others = tasks.filter((task) => task !== this.k.current);
    const known = this.victims.find(({ task }) => others.includes(task));
    if (known) this.waitFor(known);
    else if (others.length > 0) this.begin(others);
  }

  /** Who asked finds one that was killed before and is not gone: until it is, nothing else happens. */
  private waitFor(known: Victim): void {
    this.share(true);
    this.k.nowUs += Math.max(0, known.leftUs);
    known.leftUs = 0;
    this.share(true);
    this.settle(false);
  }

  private begin(tasks: readonly Task[]): void {
    const { k } = this;
    const begun: Victim[] = [];
    for (const task of tasks) {
      const pages = task.mm.getRss();
      const freedBefore = k.vmstat.pgfree;
      reapMemory(k, task);
      const freed = k.vmstat.pgfree - freedBefore;
      this.share(false);
      const leftUs =
        freed * EXIT_FREED_US + (pages - freed) * EXIT_UNMAPPED_US + ownSharedPages(task) * EXIT_SHMEM_FREED_US;
      const toFirstFreeUs = Math.min(GATHERED_PAGES, pages) * EXIT_UNMAPPED_US;
      begun.push({ task, leftUs, toFirstFreeUs });
    }
    this.victims.push(...begun);
    const forGroup = k.oomKills.at(-1)?.group !== undefined;
    // Who is killed itself is let pass by its group, and waits for nothing.
    const waits = forGroup && !(k.current?.fatalSignal ?? true);
    // They have slept, so that the signal lets each run before who asked for memory, until a tick ends that.
    for (;;) {
      for (const one of begun) this.run(one, waits);
      if (!waits || begun.some(({ leftUs, toFirstFreeUs }) => leftUs === 0 || toFirstFreeUs <= 0)) break;
      // Its turn: it reclaims, and finds nothing.
      k.nowUs += JIFFY_US;
      noteStall(k, JIFFY_US);
    }
    this.asOfUs = k.nowUs;
  }

  /** One of them has the processor until the tick. */
  private run(one: Victim, stalls: boolean): void {
    const us = Math.min(one.leftUs, JIFFY_US);
    one.leftUs -= us;
    one.toFirstFreeUs -= us;
    this.k.nowUs += us;
    if (stalls) noteStall(this.k, us);
  }

  /** The processor's time since is shared: each of them has had as much as who runs. */
  private share(stalls: boolean): void {
    const { k } = this;
    const ranUs = k.nowUs - this.asOfUs;
    for (const one of this.victims) {
      const sharedUs = Math.max(0, Math.min(ranUs, one.leftUs));
      one.leftUs -= ranUs;
      k.nowUs += sharedUs;
      if (stalls) noteStall(k, sharedUs);
    }
    this.asOfUs = k.nowUs;
  }

  /** Ends those whose time has come: all, where the processor is idle. */
  settle(idle: boolean): void {
    this.share(false);
    const gone = this.victims.filter(({ leftUs }) => idle || leftUs <= 0).sort((a, b) => a.leftUs - b.leftUs);
    for (const one of gone) {
      this.victims.splice(this.victims.indexOf(one), 1);
      this.end(one.task);
    }
  }
}

/** Pages of shared memory without a name that only this process has mapped: they end with it. */
function ownSharedPages({ mm }: Task): number {
  const objects = new Set(mm.vmas.map(({ object }) => object));
  let pages = 0;
  for (const object of objects) {
    if (object?.kind !== 'shmem' || object.links > 0) continue;
    const own = [...object.vmas].filter((vma) => vma.mm === mm).length;
    if (own === object.users) pages += object.nrPages;
  }
  return pages;
}

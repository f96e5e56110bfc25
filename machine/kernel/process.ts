/** Processes: how they begin, fork and end (kernel/fork.c, kernel/exit.c). */
import { dupMm } from './fork.ts';
import { HPAGE_PMD_NR } from './frames.ts';
import type { Kernel, Task } from './kernel.ts';
import { lruGenAddMm, lruGenDelMm } from './lru-gen-mm-list.ts';
import { Mm } from './mm-types.ts';
import { exitMmap } from './mmap.ts';
import { FORK_ENTRY_US, FORK_US, FORK_VMA_US } from './recorded-prices.ts';
import { processMemory, releaseTaskMemory, threadMemory } from './slab.ts';

/** _STK_LIM. */
const STACK_LIMIT = 8 * 2 ** 20;

export function newTask(k: Kernel, name: string, parent: Task | null): Task {
  const group = parent ? parent.group : k.root;
  return {
    pid: 0,
    tids: [],
    name,
    mm: new Mm(group),
    parent,
    group,
    pids: parent ? parent.pids : k.rootPids,
    alive: true,
    minflt: 0,
    majflt: 0,
    oomScoreAdj: parent ? parent.oomScoreAdj : 0,
    rssCache: [0, 0, 0, 0],
    rssEvents: 0,
    rlimits: parent
      ? { ...parent.rlimits }
      : {
          as: Number.POSITIVE_INFINITY,
          data: Number.POSITIVE_INFINITY,
          stack: STACK_LIMIT,
          memlock: Number.POSITIVE_INFINITY,
          nproc: Number.POSITIVE_INFINITY,
          nofile: 1_000_000,
        },
    threads: 1,
    hasUndoList: false,
    wasThreaded: parent ? parent.wasThreaded : false,
    stacksMade: parent?.stacksMade ?? 0,
    newestStack: parent?.newestStack,
    stackCache: parent ? [...parent.stackCache] : [],
    fds: parent ? parent.fds : 0,
    fdTable: 0,
    pipes: 0,
    sockets: 0,
    udp: 0,
    queuedBytes: 0,
    fatalSignal: false,
    memcgOverHigh: 0,
    memcgSleepUs: 0,
    nrDirtied: 0,
    nrDirtiedPause: 32,
    dirtyPausedWhen: 0,
    dirtyPause: undefined,
    oomVictim: false,
    oomSkip: false,
    objects: [],
    stacks: [],
  };
}

/** nr_threads: the kernel's own and process 1, which have a stack each beside the idle task's, and those of the script. */
export const nrThreads = (k: Kernel): number =>
  k.tasks.reduce((sum, { threads }) => sum + threads, k.profile.start.kernelStackKb / KERNEL_STACK_KB - 1);

/** THREAD_SIZE. */
const KERNEL_STACK_KB = 16;

/** copy_process: the machine has as many threads as it may have. Nothing of the parent has been copied by then. */
export const isAtThreadLimit = (k: Kernel): boolean => nrThreads(k) >= k.maxThreads;

/** Of the tables: one for each page, or for a huge one. */
export function entriesOf(mm: Mm): number {
  let entries = mm.getRss();
  for (const pmd of mm.pmds.values()) if (pmd.huge !== 0) entries -= HPAGE_PMD_NR - 1;
  return entries;
}

/**
 * What copy_process does last: a number, and the leave of the group (cgroup_can_fork), whose refusal takes a number all the same.
 * @returns the number, or undefined (EAGAIN).
 */
export function allocTask(k: Kernel, parent: Task): number | undefined {
  const pid = k.pids.alloc();
  if (pid === undefined || parent.pids.canFork(k.kmsg)) return pid;
  k.pids.free(pid);
  return undefined;
}

/** kernel_clone: EAGAIN at the limit of threads, numbers, or the group's tasks (once all has been copied), ENOMEM where the child's memory may not be promised. */
export function forkTask(k: Kernel, parent: Task, name: string): Task | 'EAGAIN' | 'ENOMEM' {
  if (isAtThreadLimit(k)) return 'EAGAIN';
  const child = newTask(k, name, parent);
  threadMemory(k, child, 1);
  processMemory(k, child);
  if (!dupMm(k, parent, child)) {
    releaseTaskMemory(k, child);
    return 'ENOMEM';
  }
  k.nowUs += FORK_US + child.mm.vmas.length * FORK_VMA_US + entriesOf(child.mm) * FORK_ENTRY_US;
  const pid = allocTask(k, parent);
  if (pid === undefined) {
    exitMmap(k, child);
    releaseTaskMemory(k, child);
    return 'EAGAIN';
  }
  child.pid = pid;
  k.tasks.push(child);
  lruGenAddMm(k, child.mm);
  return child;
}

/** do_exit: memory, tables, files and stacks go. */
export function exitTask(k: Kernel, task: Task): void {
  if (!task.alive) return;
  task.alive = false;
  const { current } = k;
  k.current = null;
  k.dirtyThrottleLeaks += task.nrDirtied;
  exitMmap(k, task);
  lruGenDelMm(k, task.mm);
  releaseTaskMemory(k, task);
  task.pids.uncharge(task.threads);
  for (const pid of [task.pid, ...task.tids]) k.pids.free(pid);
  k.tasks.splice(k.tasks.indexOf(task), 1);
  k.current = current;
}

/** Kernel memory of tasks, files, pipes, sockets, names: objects by cache, in bytes of Slab (measured on 6.1, see docs/machine.md). */
import type { Kernel, Task, TaskObjects } from './kernel.ts';
import { chargeKernelBytes } from './memcontrol.ts';
import { giveKernelPages, takeKernelPages } from './page-alloc.ts';

/** Bytes of an object and whether it can be reclaimed; caches as slabinfo names them without merging. */
export const SLAB_BYTES = {
  task_struct: 6208,
  filp: 256,
  /** Both ends: their files and buffers; inode and name count as reclaimable. */
  pipe: 1876,
  pipeNames: 888,
  /** Two unix sockets with their files. */
  socketPair: 2848,
  socketPairNames: 2072,
  udpSocket: 1076,
  udpSocketNames: 1024,
  ext4Inode: 1184,
  shmemInode: 776,
  dentry: 192,
  /** 39 in a page. */
  bufferHead: 105,
  /** 28 in four pages. */
  radixNode: 585,
} as const;

const PAGE = 4096;
const STACK_PAGES = 4;

/** Adds bytes to a kind of slab; whole pages come from and go to the zones. */
export function slabAccount(k: Kernel, groupId: number, bytes: number, reclaimable: boolean): void {
  if (bytes === 0) return;
  const key = reclaimable ? 'slabReclaimableBytes' : 'slabUnreclaimableBytes';
  const before = Math.ceil(k[key] / PAGE);
  k[key] += bytes;
  const pages = Math.ceil(k[key] / PAGE) - before;
  if (pages > 0) takeKernelPages(k, pages);
  else if (pages < 0) giveKernelPages(k, -pages);
  k.vmstat[reclaimable ? 'nr_slab_reclaimable' : 'nr_slab_unreclaimable'] += pages;
  const group = k.groups[groupId]!;
  group.stat[reclaimable ? 'slab_reclaimable_bytes' : 'slab_unreclaimable_bytes'] += bytes;
  chargeKernelBytes(k, groupId, bytes);
}

/** Of objects that belong to the task: returned when it ends. `pages` are whole pages, in no cache. */
export function slabAccountTask(
  k: Kernel,
  task: Task,
  bytes: number,
  kind: 'reclaimable' | 'unreclaimable' | 'pages' = 'unreclaimable',
): void {
  const group = task.group.id;
  accountKind(k, group, bytes, kind);
  task.objects.push({ group, bytes, kind });
}

function accountKind(k: Kernel, group: number, bytes: number, kind: TaskObjects['kind']): void {
  if (kind !== 'pages') {
    slabAccount(k, group, bytes, kind === 'reclaimable');
    return;
  }
  const pages = Math.trunc(bytes / PAGE);
  if (pages > 0) takeKernelPages(k, pages);
  else giveKernelPages(k, -pages);
  chargeKernelBytes(k, group, pages * PAGE);
}

/** What the task holds beside its memory goes: descriptors, pipes, sockets. */
export function releaseTaskObjects(k: Kernel, task: Task): void {
  for (const { group, bytes, kind } of task.objects.splice(0)) accountKind(k, group, -bytes, kind);
}

/** The page directory, and mm_struct, signal, files, credentials and the mappings of a process. */
const PROCESS_PAGES = 1;
const PROCESS_SLAB_BYTES = 10240;

/** What a new process has beside its threads. */
export function processMemory(k: Kernel, task: Task): void {
  slabAccountTask(k, task, PROCESS_PAGES * PAGE, 'pages');
  slabAccountTask(k, task, PROCESS_SLAB_BYTES);
}

/** A kernel stack and a task_struct for each of `threads`, of the group that the task is in now. */
export function threadMemory(k: Kernel, task: Task, threads: number): void {
  accountStacks(k, task.group.id, threads);
  task.stacks.push({ group: task.group.id, threads });
}

function accountStacks(k: Kernel, group: number, threads: number): void {
  if (threads > 0) takeKernelPages(k, threads * STACK_PAGES);
  else giveKernelPages(k, -threads * STACK_PAGES);
  k.vmstat.nr_kernel_stack += threads * STACK_PAGES * 4;
  k.groups[group]!.stat.kernel_stack += threads * STACK_PAGES;
  chargeKernelBytes(k, group, threads * STACK_PAGES * PAGE);
  slabAccount(k, group, threads * SLAB_BYTES.task_struct, false);
}

export function releaseTaskMemory(k: Kernel, task: Task): void {
  for (const { group, threads } of task.stacks.splice(0)) accountStacks(k, group, -threads);
  releaseTaskObjects(k, task);
}

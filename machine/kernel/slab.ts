/** Kernel memory of tasks, files, pipes, sockets, names: objects by cache, in bytes of Slab (measured on 6.1, see docs/machine.md). */
import type { Kernel, Task } from './kernel.ts';
import { chargeKernelBytes } from './memcontrol.ts';
import { giveKernelPages, takeKernelPages } from './page-alloc.ts';

/** Bytes of an object and whether it can be reclaimed; caches as slabinfo names them without merging. */
export const SLAB_BYTES = {
  task_struct: 6208,
  vm_area_struct: 152,
  filp: 256,
  /** Both ends with their inode, dentry, buffers' table and files. */
  pipe: 2764,
  /** Two unix sockets with inode, dentry and file. */
  socketPair: 4920,
  udpSocket: 2100,
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

/** Of objects that belong to the task: returned when it ends. */
export function slabAccountTask(k: Kernel, task: Task, bytes: number): void {
  slabAccount(k, task.group.id, bytes, false);
  task.charged.set(task.group.id, (task.charged.get(task.group.id) ?? 0) + bytes);
}

/** A kernel stack and a task_struct for each thread. */
export function threadMemory(k: Kernel, task: Task, threads: number): void {
  if (threads > 0) takeKernelPages(k, threads * STACK_PAGES);
  else giveKernelPages(k, -threads * STACK_PAGES);
  k.vmstat.nr_kernel_stack += threads * STACK_PAGES * 4;
  k.groups[task.stackGroup]!.stat.kernel_stack += threads * STACK_PAGES;
  chargeKernelBytes(k, task.stackGroup, threads * STACK_PAGES * PAGE);
  slabAccount(k, task.stackGroup, threads * SLAB_BYTES.task_struct, false);
}

export function taskMemory(k: Kernel, task: Task): void {
  task.stackGroup = task.group.id;
  threadMemory(k, task, 1);
}

export function releaseTaskMemory(k: Kernel, task: Task): void {
  threadMemory(k, task, -task.threads);
  for (const [group, bytes] of task.charged) slabAccount(k, group, -bytes, false);
  task.charged.clear();
}

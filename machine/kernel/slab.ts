/** Kernel memory of tasks, files, pipes, sockets, names: objects by cache, in bytes of Slab (measured on 6.1, see docs/machine.md). */
import type { Kernel, SlabKind, Task, TaskObjects } from './kernel.ts';
import { chargeKernelPages, chargeObject, unchargeObject } from './memcontrol.ts';
import { giveKernelPages, takeKernelPages } from './page-alloc.ts';
import { callRcu } from './rcu.ts';
import { updateSlabStat, updateStat } from './rstat.ts';

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
  ext4Inode: 1192,
  shmemInode: 784,
  dentry: 192,
  /** 39 in a page. */
  bufferHead: 105,
  /** 28 in four pages. */
  radixNode: 585,
} as const;

const PAGE = 4096;
const STACK_PAGES = 4;

/** obj_full_size: each object of a group has a pointer to it. */
const OWNER_BYTES = 8;

/** Adds bytes to a kind of slab; whole pages come from and go to the zones. The group pays for so many objects that have these bytes. */
export function slabAccount(k: Kernel, groupId: number, bytes: number, reclaimable: boolean, objects = 1): void {
  if (bytes === 0) return;
  takeSlab(k, bytes, reclaimable);
  chargeObjects(k, groupId, Math.sign(bytes), Math.abs(bytes) + objects * OWNER_BYTES, reclaimable);
}

/** Charges `count` objects of a size to the group; where that is negative, they are freed. */
export function chargeObjects(k: Kernel, groupId: number, count: number, size: number, reclaimable = false): void {
  const stat = updateSlabStat(k, k.groups[groupId]!, count * size);
  stat[reclaimable ? 'slab_reclaimable_bytes' : 'slab_unreclaimable_bytes'] += count * size;
  for (let i = 0; i < count; i++) chargeObject(k, groupId, size);
  for (let i = 0; i > count; i--) unchargeObject(k, groupId, size);
}

/** kmem_cache_alloc of one, by who can do without. @returns false where the group may not have it. */
export function tryChargeObject(k: Kernel, groupId: number, size: number): boolean {
  updateSlabStat(k, k.groups[groupId]!, size).slab_unreclaimable_bytes += size;
  if (chargeObject(k, groupId, size, true)) return true;
  updateSlabStat(k, k.groups[groupId]!, -size).slab_unreclaimable_bytes -= size;
  return false;
}

/**
 * min_partial: of each cache SLUB keeps five or six slabs that have become empty. Reclaimable: five of nodes of files' trees (16 KiB) and of
 * names (4 KiB); others: six of tasks, five each of sighand, signal and mm (32 KiB), and of small ones beside them.
 */
const EMPTY_RECLAIMABLE_BYTES = 5 * (16 + 4) * 1024;
const EMPTY_BYTES = (6 + 3 * 5) * 32 * 1024 + 5 * 4 * 1024;

/** Slab of the machine. */
export function takeSlab(k: Kernel, bytes: number, reclaimable: boolean): void {
  const key = reclaimable ? 'slabReclaimableBytes' : 'slabUnreclaimableBytes';
  const emptyKey = reclaimable ? 'slabReclaimableEmptyBytes' : 'slabEmptyBytes';
  const before = Math.ceil(k[key] / PAGE);
  const left = k[emptyKey] - bytes;
  k[emptyKey] = Math.min(Math.max(0, left), reclaimable ? EMPTY_RECLAIMABLE_BYTES : EMPTY_BYTES);
  k[key] += k[emptyKey] - left;
  const pages = Math.ceil(k[key] / PAGE) - before;
  if (pages > 0) takeKernelPages(k, pages);
  else if (pages < 0) giveKernelPages(k, -pages);
  k.vmstat[reclaimable ? 'nr_slab_reclaimable' : 'nr_slab_unreclaimable'] += pages;
}

/**
 * Of objects that belong to the task: returned when it ends. The group pays `charged` bytes for them. `pages` are whole pages, in no cache.
 */
export function slabAccountTask(
  k: Kernel,
  task: Task,
  bytes: number,
  kind: SlabKind = 'unreclaimable',
  charged: number = bytes + OWNER_BYTES,
): TaskObjects {
  const own = { group: task.group.id, bytes, charged, kind };
  accountKind(k, own, 1);
  task.objects.push(own);
  return own;
}

/** A file that is open for one command. @returns what closes it, where its process is still there. */
export function openFile(k: Kernel, task: Task): () => void {
  const file = slabAccountTask(k, task, SLAB_BYTES.filp, 'files');
  return () => {
    const at = task.objects.indexOf(file);
    if (at >= 0) freeObjects(k, task.objects.splice(at, 1)[0]!);
  };
}

function accountKind(k: Kernel, { group, bytes, charged, kind }: TaskObjects, sign: 1 | -1): void {
  if (kind !== 'pages') {
    if (bytes === 0) return;
    takeSlab(k, sign * bytes, kind === 'reclaimable');
    chargeObjects(k, group, sign, charged, kind === 'reclaimable');
    return;
  }
  const pages = Math.trunc(bytes / PAGE);
  if (sign > 0) takeKernelPages(k, pages);
  else giveKernelPages(k, pages);
  chargeKernelPages(k, group, sign * pages);
}

/** What the task holds beside its memory goes: descriptors, pipes, sockets. */
export function releaseTaskObjects(k: Kernel, task: Task): void {
  for (const own of task.objects.splice(0)) freeObjects(k, own);
}

/** Files are freed by RCU (file_free_rcu). */
function freeObjects(k: Kernel, own: TaskObjects): void {
  if (own.kind === 'files') callRcu(k, () => accountKind(k, own, -1));
  else accountKind(k, own, -1);
}

/** PGD_ALLOCATION_ORDER: two pages, also where page table isolation is off. */
const PGD_PAGES = 2;
/** What a process takes of Slab beside its task_struct and mappings; some of it nobody is charged for. */
const PROCESS_SLAB_BYTES = 10240;
/**
 * Charged to its group, in copy_process's order: cred and what security modules keep of it, files_struct with its table for more than 64
 * descriptors (the program's have high numbers), fs_struct, sighand_struct, signal_struct, mm_struct. Together they are what was recorded of
 * forks to the page; how much of it is the modules', the table's and mm_struct's was not seen.
 */
const PROCESS_OBJECTS = [704, 64, 1024, 64, 64, 2112, 1152].map((bytes) => bytes + OWNER_BYTES);
/** signal_struct, which goes with the task_struct (put_task_struct_rcu_user), and then cred and what belongs to it (put_cred_rcu). */
const SIGNAL_OBJECTS = [1152 + OWNER_BYTES];
const CRED_OBJECTS = [192, 16].map((bytes) => bytes + OWNER_BYTES);
const PID_BYTES = 128;

/** What a new process has beside its threads. */
export function processMemory(k: Kernel, task: Task): void {
  const group = task.group.id;
  for (const size of [...CRED_OBJECTS, ...PROCESS_OBJECTS, ...SIGNAL_OBJECTS]) chargeObjects(k, group, 1, size);
  takeSlab(k, PROCESS_SLAB_BYTES, false);
  task.processGroup = group;
  slabAccountTask(k, task, PGD_PAGES * PAGE, 'pages');
}

function releaseProcess(k: Kernel, task: Task): void {
  const { processGroup: group } = task;
  if (group === undefined) return;
  for (const size of PROCESS_OBJECTS) chargeObjects(k, group, -1, size);
  takeSlab(k, -PROCESS_SLAB_BYTES, false);
  delete task.processGroup;
  callRcu(k, () => {
    for (const size of SIGNAL_OBJECTS) chargeObjects(k, group, -1, size);
    callRcu(k, () => {
      for (const size of CRED_OBJECTS) chargeObjects(k, group, -1, size);
    });
  });
}

/** A kernel stack and a task_struct for each of `threads`, of the group that the task is in now. */
export function threadMemory(k: Kernel, task: Task, threads: number): void {
  accountStacks(k, task.group.id, threads);
  accountTasks(k, task.group.id, threads);
  task.stacks.push({ group: task.group.id, threads });
}

function accountStacks(k: Kernel, group: number, threads: number): void {
  if (threads > 0) takeKernelPages(k, threads * STACK_PAGES);
  else giveKernelPages(k, -threads * STACK_PAGES);
  k.vmstat.nr_kernel_stack += threads * STACK_PAGES * 4;
  updateStat(k, k.groups[group]!, threads * STACK_PAGES * 4).kernel_stack += threads * STACK_PAGES;
  chargeKernelPages(k, group, threads * STACK_PAGES);
}

function accountTasks(k: Kernel, group: number, threads: number): void {
  chargeObjects(k, group, threads, SLAB_BYTES.task_struct + OWNER_BYTES);
  chargeObjects(k, group, threads, PID_BYTES + OWNER_BYTES);
  takeSlab(k, threads * SLAB_BYTES.task_struct, false);
}

/** The stack goes at once, task_struct and pid by RCU (delayed_put_task_struct, delayed_put_pid). */
export function releaseTaskMemory(k: Kernel, task: Task): void {
  for (const { group, threads } of task.stacks.splice(0)) {
    accountStacks(k, group, -threads);
    callRcu(k, () => accountTasks(k, group, -threads));
  }
  releaseTaskObjects(k, task);
  releaseProcess(k, task);
}

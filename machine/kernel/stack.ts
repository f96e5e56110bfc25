/** mm/mmap.c: a stack that grows. */
import type { Kernel, Task } from './kernel.ts';
import type { Vma } from './mm-types.ts';
import { mayExpandVm, vmStatAccount } from './mmap.ts';
import { vmEnoughMemory } from './overcommit.ts';
import { VM_ACCOUNT, VM_READ, VM_STACK, VM_WRITE } from './vm-flags.ts';

/** stack_guard_gap, in pages. */
const GUARD_GAP = 256;

/** expand_stack: the stack grows down to `page`, or it may not (undefined): SIGSEGV. */
export function expandStack(k: Kernel, task: Task, page: number): Vma | undefined {
  const { mm, rlimits } = task;
  const at = mm.indexOf(page);
  const vma = mm.vmas[at];
  if (!vma || !(vma.flags & VM_STACK)) return undefined;
  const below = mm.vmas[at - 1];
  if (below && below.flags & (VM_READ | VM_WRITE) && page - below.end < GUARD_GAP) return undefined;
  const grow = vma.start - page;
  if ((vma.end - page) * 4096 > rlimits.stack || !mayExpandVm(task, vma.flags, grow)) return undefined;
  if (vma.flags & VM_ACCOUNT && !vmEnoughMemory(k, grow)) return undefined;
  vma.start = page;
  vma.pgoff -= grow;
  vmStatAccount(mm, vma.flags, grow);
  return vma;
}

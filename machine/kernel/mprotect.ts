/** mm/mprotect.c. */
import { PG_ANON, PG_EXCLUSIVE } from './frames.ts';
import { faultAll, populateVmaPageRange } from './gup.ts';
import { splitHugePmd } from './huge-memory.ts';
import type { Kernel, Task } from './kernel.ts';
import type { Vma } from './mm-types.ts';
import { type Errno, mayExpandVm, vmaMerge, vmaPart, vmStatAccount } from './mmap.ts';
import { vmEnoughMemory } from './overcommit.ts';
import { frameOfPte, type Pmd, PTE_PRESENT, PTE_SPECIAL, PTE_SWAP, PTE_WRITE } from './page-table.ts';
import { VM_ACCOUNT, VM_EXEC, VM_HUGETLB, VM_LOCKED, VM_NORESERVE, VM_READ, VM_SHARED, VM_WRITE } from './vm-flags.ts';

/** mprotect: `protection` is of VM_READ, VM_WRITE and VM_EXEC. */
export function doMprotect(k: Kernel, task: Task, start: number, pages: number, protection: number): Errno {
  const { mm } = task;
  const end = start + pages;
  const error = covered(mm.vmas, start, end) ? undefined : 'ENOMEM';
  for (const vma of upToHole(mm.vmas, start, end)) {
    const flags = (vma.flags & ~(VM_READ | VM_WRITE | VM_EXEC)) | protection;
    if (flags === vma.flags) continue;
    const from = Math.max(start, vma.start);
    const to = Math.min(end, vma.end);
    // What becomes data is held to its limit.
    if (protection & VM_WRITE && !mayExpandVm(task, flags, to - from) && mayExpandVm(task, vma.flags, to - from))
      return 'ENOMEM';
    let account = 0;
    if (protection & VM_WRITE && !(vma.flags & (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE))) {
      if (!vmEnoughMemory(k, to - from)) return 'ENOMEM';
      account = VM_ACCOUNT;
    }
    // A locked mapping that becomes writable gets its copies now.
    const isToCopy = (vma.flags & (VM_WRITE | VM_SHARED | VM_LOCKED)) === VM_LOCKED && protection & VM_WRITE;
    const part = vmaPart(k, vma, from, to, flags | account);
    if (!part) {
      if (account) k.committed -= to - from;
      return 'ENOMEM';
    }
    vmStatAccount(mm, part.flags, -part.pages);
    part.flags = flags | account;
    vmStatAccount(mm, part.flags, part.pages);
    changeProtection(k, part);
    if (isToCopy) faultAll(populateVmaPageRange(k, task, part, part.start, part.end));
    vmaMerge(k, part);
  }
  return error;
}

/** Mappings from `start` on, up to `end` or the first hole: what a call changes before it fails there. */
export function upToHole(vmas: readonly Vma[], start: number, end: number): Vma[] {
  const reached: Vma[] = [];
  let at = start;
  for (const vma of vmas) {
    if (vma.end <= at) continue;
    if (vma.start > at || at >= end) break;
    reached.push(vma);
    at = vma.end;
  }
  return reached;
}

/** Whether mappings cover [start, end) without a hole. */
export function covered(vmas: readonly Vma[], start: number, end: number): boolean {
  let at = start;
  for (const vma of vmas) {
    if (vma.end <= at) continue;
    if (vma.start > at) return false;
    at = vma.end;
    if (at >= end) return true;
  }
  return at >= end;
}

/** change_protection: entries get what the mapping allows now. */
function changeProtection(k: Kernel, vma: Vma): void {
  vma.mm.tlb?.flush(vma.start, vma.end);
  vma.mm.eachPmd(vma.start, vma.end, (key, pmd) => {
    const from = Math.max(vma.start, key * 512) - key * 512;
    const to = Math.min(vma.end, key * 512 + 512) - key * 512;
    if (pmd.huge !== 0) {
      if (to - from === 512) {
        const exclusive =
          (vma.flags & VM_SHARED) !== 0 ||
          (!(pmd.huge & PTE_SPECIAL) && (k.frames.flags[frameOfPte(pmd.huge)]! & PG_EXCLUSIVE) !== 0);
        pmd.huge = vma.flags & VM_WRITE && exclusive ? pmd.huge | PTE_WRITE : pmd.huge & ~PTE_WRITE;
        return;
      }
      splitHugePmd(k, vma, pmd);
    }
    for (let i = from; i < to; i++) changeEntry(k, vma, pmd, i);
  });
}

function changeEntry(k: Kernel, vma: Vma, pmd: Pmd, i: number): void {
  const pte = pmd.get(i);
  if (!(pte & PTE_PRESENT) || pte & PTE_SWAP) return;
  let writable = false;
  if (vma.flags & VM_WRITE && !(pte & PTE_SPECIAL)) {
    const flags = k.frames.flags[frameOfPte(pte)]!;
    if (vma.flags & VM_SHARED) writable = vma.object?.kind !== 'disk';
    else writable = (flags & PG_ANON) !== 0 && (flags & PG_EXCLUSIVE) !== 0;
  }
  const changed = writable ? pte | PTE_WRITE : pte & ~PTE_WRITE;
  if (changed !== pte) pmd.set(i, changed);
}

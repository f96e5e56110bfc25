/** mm/mremap.c. */
import { faultAll, mmPopulate } from './gup.ts';
import { splitHugePmd } from './huge-memory.ts';
import type { Kernel, Task } from './kernel.ts';
import { khugepagedEnterVma } from './khugepaged-slots.ts';
import { pteAlloc } from './memory.ts';
import { Vma } from './mm-types.ts';
import { doMunmap, type Errno, mayExpandVm, mlockFutureCheck, splitVma, vmaMerge, vmStatAccount } from './mmap.ts';
import { vmEnoughMemory } from './overcommit.ts';
import { accountPageTables } from './page-alloc.ts';
import { updateHiwaterVm } from './rss.ts';
import { VM_ACCOUNT, VM_HUGETLB, VM_LOCKED } from './vm-flags.ts';
import { chargeVma } from './vma-slab.ts';

/** mremap with MREMAP_MAYMOVE; `to` is where it must go (MREMAP_FIXED), or undefined. */
export function doMremap(
  k: Kernel,
  task: Task,
  start: number,
  oldPages: number,
  newPages: number,
  to: number | undefined,
): Errno {
  const { mm } = task;
  if (newPages === 0) return 'EINVAL';
  const vma = mm.findVma(start);
  if (!vma) return 'EFAULT';
  if (vma.flags & VM_HUGETLB) return 'EINVAL';
  if (to !== undefined) {
    if (to < start + oldPages && start < to + newPages) return 'EINVAL';
    if (mm.vmas.length + 2 >= k.maxMapCount - MOVE_ROOM) return 'ENOMEM';
    doMunmap(k, task, to, newPages);
    if (oldPages > newPages) doMunmap(k, task, start + newPages, oldPages - newPages);
    if (start + Math.min(oldPages, newPages) > vma.end) return 'EFAULT';
    return moveVma(k, task, vma, start, Math.min(oldPages, newPages), newPages, to);
  }
  if (oldPages >= newPages) {
    if (oldPages > newPages) doMunmap(k, task, start + newPages, oldPages - newPages);
    return undefined;
  }
  if (start + oldPages > vma.end) return 'EFAULT';
  if (!mlockFutureCheck(task, vma.flags, newPages - oldPages)) return 'EAGAIN';
  if (!mayExpandVm(task, vma.flags, newPages - oldPages)) return 'ENOMEM';
  if (start + oldPages === vma.end) {
    const above = mm.vmas[mm.vmas.indexOf(vma) + 1];
    if (!above || above.start >= start + newPages) return expand(k, task, vma, newPages - oldPages);
  }
  return moveVma(k, task, vma, start, oldPages, newPages, unmappedArea(task, newPages));
}

/** vma_expandable: the mapping grows where it is. */
function expand(k: Kernel, task: Task, vma: Vma, pages: number): Errno {
  if (vma.flags & VM_ACCOUNT && !vmEnoughMemory(k, pages)) return 'ENOMEM';
  const before = vma.end;
  vma.end += pages;
  vmStatAccount(vma.mm, vma.flags, pages);
  if (vma.flags & VM_LOCKED) vma.mm.lockedVm += pages;
  khugepagedEnterVma(k, vmaMerge(k, vma));
  if (vma.flags & VM_LOCKED) faultAll(mmPopulate(k, task, before, before + pages, true));
  return undefined;
}

/** The highest hole below the stack that is large enough. */
function unmappedArea(task: Task, pages: number): number {
  const TOP = 0x7ffff7ff9;
  let top = TOP;
  for (let i = task.mm.vmas.length - 1; i >= 0; i--) {
    const vma = task.mm.vmas[i]!;
    if (vma.start >= TOP) continue;
    if (top - vma.end >= pages) return top - pages;
    top = Math.min(top, vma.start);
  }
  return top - pages;
}

/** So many mappings more a move may make before it takes the old one away. */
const MOVE_ROOM = 3;

/** move_vma: a new mapping that keeps the linear index, the entries moved, the old one unmapped. */
function moveVma(
  k: Kernel,
  task: Task,
  vma: Vma,
  start: number,
  oldPages: number,
  newPages: number,
  to: number,
): Errno {
  const { mm } = task;
  if (mm.vmas.length >= k.maxMapCount - MOVE_ROOM) return 'ENOMEM';
  if (vma.flags & VM_ACCOUNT && !vmEnoughMemory(k, newPages)) return 'ENOMEM';
  const moved = new Vma(mm, to, to + newPages, vma.flags, vma.object, vma.linearIndex(start), vma.name, vma.ra);
  // Untouched anonymous memory takes its new address for its index.
  if (!vma.object && !vma.anonVma) moved.pgoff = to;
  moved.cloneAnonVma(vma);
  if (moved.object) {
    moved.object.users++;
    moved.object.vmas.add(moved);
  }
  mm.insert(moved);
  chargeVma(k, moved);
  vmStatAccount(mm, moved.flags, newPages);
  if (moved.flags & VM_LOCKED) mm.lockedVm += newPages;
  movePageTables(k, task, vma, start, to, oldPages);
  updateHiwaterVm(mm);
  if (start > vma.start && start < vma.end) splitVma(k, vma, start);
  doMunmap(k, task, start, oldPages);
  vmaMerge(k, moved);
  // Only what has grown: populating the rest would break the sharing of its pages.
  if (moved.flags & VM_LOCKED && newPages > oldPages) faultAll(mmPopulate(k, task, to + oldPages, to + newPages, true));
  return undefined;
}

/** move_page_tables: whole tables move as they are where both sides allow it. */
function movePageTables(k: Kernel, task: Task, vma: Vma, start: number, to: number, pages: number): void {
  const { mm } = task;
  mm.tlb?.flush(start, start + pages);
  mm.eachPmd(start, start + pages, (key, pmd) => {
    const first = key * 512;
    const from = Math.max(start, first);
    const end = Math.min(start + pages, first + 512);
    const target = to + from - start;
    if (end - from === 512 && target % 512 === 0 && !mm.pmdAt(target)) {
      mm.noteUpper(target);
      accountPageTables(k, mm);
      mm.pmds.delete(key);
      mm.pmds.set(Math.floor(target / 512), pmd);
      return;
    }
    if (pmd.huge !== 0) splitHugePmd(k, vma, pmd);
    for (let page = from; page < end; page++) {
      const pte = pmd.get(page % 512);
      const at = to + page - start;
      const table = pteAlloc(k, mm, at);
      if (pte === 0) continue;
      pmd.set(page % 512, 0);
      table.set(at % 512, pte);
    }
  });
}

/** mm/gup.c: pages faulted in on behalf of a call, not of an access. */
import { PG_DIRTY } from './frames.ts';
import type { Kernel, Task } from './kernel.ts';
import { FAULT_OOM, FAULT_SIGBUS, handleMmFault, setPageDirty } from './memory.ts';
import type { Vma } from './mm-types.ts';
import type { Errno } from './mmap.ts';
import { frameOfPte, PTE_DIRTY, PTE_PRESENT, PTE_SPECIAL, PTE_WRITE, PTE_YOUNG } from './page-table.ts';
import { folioMarkAccessed } from './swap-lru.ts';
import { VM_PFNMAP, VM_READ, VM_SHARED, VM_WRITE } from './vm-flags.ts';

/** follow_page_mask with FOLL_TOUCH, or the fault that makes the page. */
function touchPage(k: Kernel, task: Task, vma: Vma, page: number, write: boolean): Errno {
  for (;;) {
    const pmd = vma.mm.pmdAt(page);
    if (pmd && pmd.huge !== 0) {
      if (!write || pmd.huge & PTE_WRITE) {
        // touch_pmd: on x86 pmdp_set_access_flags changes the entry for writes alone.
        if (write) pmd.huge |= PTE_YOUNG | PTE_DIRTY;
        return undefined;
      }
    } else {
      const pte = pmd?.get(page % 512) ?? 0;
      if (pte & PTE_PRESENT && (!write || pte & PTE_WRITE)) {
        if (pte & PTE_SPECIAL) return undefined;
        const frame = frameOfPte(pte);
        if (write && !(pte & PTE_DIRTY) && !(k.frames.flags[frame]! & PG_DIRTY)) setPageDirty(k, frame);
        folioMarkAccessed(k, frame);
        return undefined;
      }
    }
    const result = handleMmFault(k, task, vma, page, write, true);
    k.nowUs += k.profile.prices.faultUs;
    if (result & FAULT_SIGBUS) return 'EFAULT';
    if (result & FAULT_OOM || task.fatalSignal) return 'ENOMEM';
  }
}

/** Pages faulted in, one after another: after each fault others may have the processor (cond_resched). */
export type Faulting = Generator<undefined, Errno, void>;

/** To the end, where nobody else is let in. */
export function faultAll(faulting: Faulting): Errno {
  for (;;) {
    const step = faulting.next();
    if (step.done) return step.value;
  }
}

function* touchPages(k: Kernel, task: Task, vma: Vma, start: number, end: number, write: boolean): Faulting {
  for (let page = start; page < end; page++) {
    const { nowUs } = k;
    const error = touchPage(k, task, vma, page, write);
    if (error) return error;
    if (k.nowUs > nowUs) yield;
  }
  return undefined;
}

/** populate_vma_page_range: what may be written is copied at once; what may not be touched is an error. */
export function* populateVmaPageRange(k: Kernel, task: Task, vma: Vma, start: number, end: number): Faulting {
  if (!(vma.flags & (VM_READ | VM_WRITE))) return 'EFAULT';
  return yield* touchPages(k, task, vma, start, end, (vma.flags & (VM_WRITE | VM_SHARED)) === VM_WRITE);
}

/** __mm_populate: mlock stops at the first error; MAP_POPULATE and MAP_LOCKED go on with the next mapping and say nothing. */
export function* mmPopulate(k: Kernel, task: Task, start: number, end: number, ignoreErrors: boolean): Faulting {
  for (const vma of [...task.mm.vmas]) {
    if (vma.end <= start || vma.start >= end || vma.flags & VM_PFNMAP) continue;
    const error = yield* populateVmaPageRange(k, task, vma, Math.max(start, vma.start), Math.min(end, vma.end));
    if (error && !ignoreErrors) return error;
  }
  return undefined;
}

/** faultin_page_range: MADV_POPULATE_READ and MADV_POPULATE_WRITE. */
export function* faultinPageRange(
  k: Kernel,
  task: Task,
  vma: Vma,
  start: number,
  end: number,
  write: boolean,
): Faulting {
  if (!(vma.flags & (write ? VM_WRITE : VM_READ))) return 'EINVAL';
  return yield* touchPages(k, task, vma, start, end, write);
}

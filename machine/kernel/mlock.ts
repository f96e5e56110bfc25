/** mm/mlock.c. */

import { PG_HEAD, PG_TAIL } from './frames.ts';
import { type Faulting, mmPopulate } from './gup.ts';
import type { Kernel, Task } from './kernel.ts';
import { mlockFolio, munlockPage } from './mlock-batch.ts';
import type { Vma } from './mm-types.ts';
import { canDoMlock, type Errno, vmaMerge, vmaPart } from './mmap.ts';
import { covered, upToHole } from './mprotect.ts';
import { frameOfPte, type Pmd, PTE_PRESENT, PTE_SPECIAL } from './page-table.ts';
import { lruAddDrain } from './swap-lru.ts';
import { VM_LOCKED } from './vm-flags.ts';

/** mlock: locks what is there and brings the rest. */
export function* doMlock(k: Kernel, task: Task, start: number, pages: number): Faulting {
  if (!canDoMlock(task)) return 'EPERM';
  const fresh = pages - lockedIn(task.mm.vmas, start, start + pages);
  if (task.mm.lockedVm + fresh > Math.floor(task.rlimits.memlock / 4096)) return 'ENOMEM';
  lruAddDrain(k);
  const error = yield* applyVmaLockFlags(k, task, start, start + pages, true);
  return error ?? mlockPosixErrorReturn(yield* mmPopulate(k, task, start, start + pages, false));
}

/** __mlock_posix_error_return. */
const mlockPosixErrorReturn = (error: Errno): Errno =>
  error === 'EFAULT' ? 'ENOMEM' : error === 'ENOMEM' ? 'EAGAIN' : error;

/** count_mm_mlocked_page_nr. */
function lockedIn(vmas: readonly Vma[], start: number, end: number): number {
  let pages = 0;
  for (const vma of vmas)
    if (vma.flags & VM_LOCKED) pages += Math.max(0, Math.min(end, vma.end) - Math.max(start, vma.start));
  return pages;
}

export function doMunlock(k: Kernel, task: Task, start: number, pages: number): Faulting {
  return applyVmaLockFlags(k, task, start, start + pages, false);
}

function* applyVmaLockFlags(k: Kernel, task: Task, start: number, end: number, lock: boolean): Faulting {
  const { mm } = task;
  const error = covered(mm.vmas, start, end) ? undefined : 'ENOMEM';
  for (const vma of upToHole(mm.vmas, start, end)) {
    if (((vma.flags & VM_LOCKED) !== 0) === lock) continue;
    const part = vmaPart(k, vma, Math.max(start, vma.start), Math.min(end, vma.end), vma.flags ^ VM_LOCKED);
    if (!part) return 'ENOMEM';
    part.flags ^= VM_LOCKED;
    mm.lockedVm += lock ? part.pages : -part.pages;
    yield* mlockPages(k, part, lock);
    vmaMerge(k, part);
  }
  return error;
}

/** mlock_vma_pages_range, table by table: what is mapped; parts of a huge page that small entries map are left out. */
function* mlockPages(k: Kernel, vma: Vma, lock: boolean): Generator<undefined, void, void> {
  lruAddDrain(k);
  const tables: [key: number, pmd: Pmd][] = [];
  vma.mm.eachPmd(vma.start, vma.end, (key, pmd) => tables.push([key, pmd]));
  for (const [key, pmd] of tables) {
    yield;
    if (pmd.huge !== 0) {
      if (!(pmd.huge & PTE_SPECIAL)) setLocked(k, frameOfPte(pmd.huge), lock);
      continue;
    }
    const to = Math.min(vma.end, key * 512 + 512) - key * 512;
    for (let i = Math.max(vma.start, key * 512) - key * 512; i < to; i++) {
      const pte = pmd.get(i);
      if (!(pte & PTE_PRESENT) || pte & PTE_SPECIAL) continue;
      const frame = frameOfPte(pte);
      if (!(k.frames.flags[frame]! & (PG_HEAD | PG_TAIL))) setLocked(k, frame, lock);
    }
  }
  lruAddDrain(k);
}

function setLocked(k: Kernel, frame: number, lock: boolean): void {
  if (lock) mlockFolio(k, frame);
  else munlockPage(k, frame);
}

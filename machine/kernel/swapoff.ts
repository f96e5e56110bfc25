/** try_to_unuse of mm/swapfile.c: everything that lies in swap comes back. */
import { FAULT_OOM } from './fault.ts';
import { PG_DIRTY } from './frames.ts';
import type { Kernel, Task } from './kernel.ts';
import type { AddressSpace } from './mm-types.ts';
import { vmEnoughMemory } from './overcommit.ts';
import { frameOfPte, PTE_SWAP, PTE_YOUNG } from './page-table.ts';
import { SWAP_OFF_US } from './recorded-prices.ts';
import { syncMmRss } from './rss.ts';
import { SHMEM_NOMEM, shmemGetFolio, swappedPages } from './shmem.ts';
import { disableSwap, doSwapPage, emptySwapCache, enableSwap, swapOn } from './swap.ts';

/**
 * swapoff: nothing is put there from now on, and what lies there comes back. @returns false where so much memory may not be promised without
 * the area, or a group has no room for what is its own: the area stays.
 */
export function swapOff(k: Kernel, init: Task): boolean {
  const pages = k.swapTotal;
  if (!vmEnoughMemory(k, pages)) return false;
  k.committed -= pages;
  disableSwap(k);
  const swapinsBefore = k.vmstat.pswpin;
  const done = tryToUnuse(k, init);
  k.nowUs += (k.vmstat.pswpin - swapinsBefore) * SWAP_OFF_US;
  k.current = null;
  if (done) swapOn(k, 0);
  else enableSwap(k, pages);
  return done;
}

/** try_to_unuse: first what is shared memory, then what processes name. */
function tryToUnuse(k: Kernel, init: Task): boolean {
  k.current = init;
  for (const object of k.shmemSwaplist) {
    if (!shmemUnuse(k, object)) return false;
    k.shmemSwaplist.delete(object);
  }
  for (const mm of k.mmlist) {
    const task = k.tasks.find((one) => one.mm === mm);
    if (!task) continue;
    const done = unuseMm(k, task);
    syncMmRss(task);
    if (!done) return false;
  }
  emptySwapCache(k);
  return true;
}

/** Who is killed for it may take the object along. */
function shmemUnuse(k: Kernel, object: AddressSpace): boolean {
  const swapped = swappedPages(object);
  return [...swapped.keys()].every(
    (index) =>
      !swapped.has(index) ||
      shmemGetFolio(k, k.root, object, index, false) !== SHMEM_NOMEM ||
      // shmem_confirm_swap
      !swapped.has(index),
  );
}

function unuseMm(k: Kernel, task: Task): boolean {
  let done = true;
  for (const vma of task.mm.vmas) {
    task.mm.eachPmd(vma.start, vma.end, (key, pmd) => {
      if (pmd.huge !== 0) return;
      for (let i = 0; i < 512 && done; i++) {
        const page = key * 512 + i;
        if (page < vma.start || page >= vma.end || !(pmd.get(i) & PTE_SWAP)) continue;
        done = (doSwapPage(k, task, vma, page, false, pmd) & FAULT_OOM) === 0;
        if (!done) return;
        const pte = pmd.get(i);
        pmd.set(i, pte & ~PTE_YOUNG);
        k.frames.flags[frameOfPte(pte)]! |= PG_DIRTY;
      }
    });
  }
  return done;
}

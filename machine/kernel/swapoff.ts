/** try_to_unuse of mm/swapfile.c: everything that lies in swap comes back. */
import { PG_DIRTY } from './frames.ts';
import type { Kernel } from './kernel.ts';
import { vmEnoughMemory } from './overcommit.ts';
import { frameOfPte, PTE_SWAP, PTE_YOUNG } from './page-table.ts';
import { SWAP_OFF_US } from './recorded-prices.ts';
import { syncMmRss } from './rss.ts';
import { shmemGetFolio, swappedPages } from './shmem.ts';
import { doSwapPage, emptySwapCache, swapOn } from './swap.ts';

/** swapoff. @returns false where what is in use may not be promised without the area. */
export function swapOff(k: Kernel): boolean {
  const used = k.swapTotal - k.swapFree;
  if (!vmEnoughMemory(k, used)) return false;
  k.committed -= used;
  const faults = k.vmstat.pgmajfault;
  for (const task of k.tasks) {
    k.current = task;
    for (const vma of task.mm.vmas) {
      task.mm.eachPmd(vma.start, vma.end, (key, pmd) => {
        if (pmd.huge !== 0) return;
        for (let i = 0; i < 512; i++) {
          const page = key * 512 + i;
          if (page < vma.start || page >= vma.end || !(pmd.get(i) & PTE_SWAP)) continue;
          doSwapPage(k, task, vma, page, false, pmd);
          const pte = pmd.get(i);
          pmd.set(i, pte & ~PTE_YOUNG);
          k.frames.flags[frameOfPte(pte)]! |= PG_DIRTY;
        }
      });
    }
    syncMmRss(task);
    for (const object of k.objects) {
      if (object?.kind !== 'shmem') continue;
      for (const index of [...swappedPages(object).keys()]) shmemGetFolio(k, k.root, object, index, false);
    }
  }
  emptySwapCache(k);
  k.nowUs += used * SWAP_OFF_US;
  k.current = null;
  k.vmstat.pgmajfault = faults;
  swapOn(k, 0);
  return true;
}

/** mm/huge_memory.c: transparent huge pages of anonymous memory. */
import {
  HPAGE_PMD_NR,
  PG_ACTIVE,
  PG_ANON,
  PG_DEFERRED,
  PG_DIRTY,
  PG_EXCLUSIVE,
  PG_LRU,
  PG_MLOCKED,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_UNEVICTABLE,
  PG_WORKINGSET,
} from './frames.ts';
import { transhugeVmaSuitable } from './huge-vma.ts';
import type { Kernel, Task } from './kernel.ts';
import { khugepagedEnterVma } from './khugepaged-slots.ts';
import { countMemcg } from './memcontrol.ts';
import { mlockFolio, mlockPageDrain } from './mlock-batch.ts';
import { MM_ANONPAGES, MM_SHMEMPAGES, type Mm, type Vma } from './mm-types.ts';
import { accountPageTables, allocHugePage, freePage, takeKernelPages } from './page-alloc.ts';
import {
  frameOfPte,
  type Pmd,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_SHIFT,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
  pteOf,
} from './page-table.ts';
import { HUGE_FAULT_US } from './recorded-prices.ts';
import {
  anonVmaPrepare,
  deferredSplitQueue,
  hugePageUnmapped,
  munlockVmaPage,
  pageAddNewAnonRmap,
  removeCompoundRmap,
  removeHugeFileRmap,
} from './rmap.ts';
import { mappingsOf, RmapWalk } from './rmap-walk.ts';
import { addMmCounter } from './rss.ts';
import { lruAddDrain } from './swap-lru.ts';
import { VM_HUGEPAGE, VM_LOCKED, VM_WRITE } from './vm-flags.ts';

/** vma_thp_gfp_mask: whether a fault may reclaim for a huge page. */
function reclaimsForHugePage(k: Kernel, vma: Vma): boolean {
  const { defrag } = k.thp;
  return defrag === 'always' || (defrag !== 'never' && defrag !== 'defer' && (vma.flags & VM_HUGEPAGE) !== 0);
}

/** do_huge_pmd_anonymous_page. @returns false where small pages must do. */
export function doHugePmdAnonymousPage(k: Kernel, task: Task, vma: Vma, page: number, write: boolean): boolean {
  if (!transhugeVmaSuitable(vma, page)) return false;
  const { mm } = task;
  const first = Math.floor(page / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  anonVmaPrepare(k, vma);
  khugepagedEnterVma(k, vma);
  if (!write && k.thp.useZeroPage) {
    if (!k.hugeZeroPage) {
      k.hugeZeroPage = true;
      takeKernelPages(k, HPAGE_PMD_NR);
      k.vmstat.thp_zero_page_alloc++;
    }
    const pmd = newPmd(k, mm, first);
    pmd.huge = pteOf(0, PTE_PRESENT | PTE_SPECIAL | PTE_YOUNG);
    return true;
  }
  const head = allocHugePage(k, task.group, reclaimsForHugePage(k, vma));
  if (head < 0) {
    k.vmstat.thp_fault_fallback++;
    if (head === -2) k.vmstat.thp_fault_fallback_charge++;
    return false;
  }
  const pmd = newPmd(k, mm, first);
  pageAddNewAnonRmap(k, head, vma, first, (vma.flags & VM_LOCKED) !== 0);
  pmd.huge = pteOf(head, PTE_PRESENT | PTE_YOUNG | (vma.flags & VM_WRITE ? PTE_WRITE | PTE_DIRTY : PTE_DIRTY));
  addMmCounter(k, task, mm, MM_ANONPAGES, HPAGE_PMD_NR);
  k.vmstat.thp_fault_alloc++;
  k.nowUs += HUGE_FAULT_US;
  countMemcg(k, task.group.id, 'thp_fault_alloc');
  return true;
}

/** A huge entry and the table deposited for its split. */
function newPmd(k: Kernel, mm: Mm, first: number): Pmd {
  const pmd = mm.addPmd(first);
  accountPageTables(k, mm);
  return pmd;
}

/** do_huge_pmd_wp_page. @returns false where the entry was split and the small page must be handled. */
export function doHugePmdWpPage(k: Kernel, vma: Vma, pmd: Pmd): boolean {
  if (!(pmd.huge & PTE_SPECIAL)) {
    const head = frameOfPte(pmd.huge);
    const { frames } = k;
    const flags = frames.flags[head]!;
    if (!(flags & PG_ANON)) {
      splitHugePmd(k, vma, pmd);
      return false;
    }
    if (!(flags & PG_LRU)) lruAddDrain(k);
    const own = frames.compoundMapcountOf(head) === 1 && !anySmallMapping(k, head);
    if (flags & PG_EXCLUSIVE || own) {
      frames.flags[head]! |= PG_EXCLUSIVE;
      pmd.huge |= PTE_WRITE | PTE_DIRTY | PTE_YOUNG;
      return true;
    }
  }
  splitHugePmd(k, vma, pmd);
  return false;
}

function anySmallMapping(k: Kernel, head: number): boolean {
  for (let i = 0; i < HPAGE_PMD_NR; i++) if (k.frames.mapcount[head + i]! > 0) return true;
  return false;
}

/** __split_huge_pmd: the entry becomes a table; the huge page stays one. */
export function splitHugePmd(k: Kernel, vma: Vma, pmd: Pmd): void {
  const { huge } = pmd;
  if (huge === 0) return;
  k.vmstat.thp_split_pmd++;
  if (!(huge & PTE_SPECIAL) && !(k.frames.flags[frameOfPte(huge)]! & PG_ANON)) {
    clearHugeFilePmd(k, vma, pmd);
    return;
  }
  pmd.huge = 0;
  const entries = pmd.unfold();
  pmd.used = HPAGE_PMD_NR;
  if (huge & PTE_SPECIAL) {
    entries.fill(pteOf(0, PTE_PRESENT | PTE_SPECIAL | PTE_YOUNG));
    return;
  }
  const head = frameOfPte(huge);
  const flags = huge & ((1 << PTE_SHIFT) - 1);
  const { frames } = k;
  const exclusive = frames.flags[head]! & PG_EXCLUSIVE;
  if (huge & PTE_DIRTY) frames.flags[head]! |= PG_DIRTY;
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    entries[i] = pteOf(head + i, flags);
    frames.mapcount[head + i]!++;
    frames.flags[head + i]! |= exclusive;
  }
  removeCompoundRmap(k, head);
  munlockVmaPage(k, vma, head, true);
}

/** __split_huge_pmd_locked of an object's page: nothing is left, faults map it again. */
function clearHugeFilePmd(k: Kernel, vma: Vma, pmd: Pmd): void {
  const head = frameOfPte(pmd.huge);
  const { frames } = k;
  if (pmd.huge & PTE_YOUNG) frames.flags[head]! |= PG_REFERENCED;
  if (pmd.huge & PTE_DIRTY) frames.flags[head]! |= PG_DIRTY;
  pmd.huge = 0;
  vma.mm.pmds.delete((frames.index[head]! - vma.pgoff + vma.start) / HPAGE_PMD_NR);
  vma.mm.rss[MM_SHMEMPAGES] -= HPAGE_PMD_NR;
  removeHugeFileRmap(k, head);
  munlockVmaPage(k, vma, head, true);
}

/** zap_huge_pmd: the whole entry goes, with its deposited table. @returns the pages that it mapped. */
export function zapHugePmd(k: Kernel, vma: Vma, key: number, pmd: Pmd): number {
  const { huge } = pmd;
  const { mm } = vma;
  mm.dropPmd(key);
  const head = frameOfPte(huge);
  if (!(huge & PTE_SPECIAL) && !(k.frames.flags[head]! & PG_ANON)) {
    if (huge & PTE_DIRTY) k.frames.flags[head]! |= PG_DIRTY;
    removeHugeFileRmap(k, head);
    munlockVmaPage(k, vma, head, true);
    return HPAGE_PMD_NR;
  }
  accountPageTables(k, mm);
  if (huge & PTE_SPECIAL) return 0;
  removeCompoundRmap(k, head);
  munlockVmaPage(k, vma, head, true);
  if (hugePageUnmapped(k, head)) freeHugePage(k, head);
  return HPAGE_PMD_NR;
}

export function freeHugePage(k: Kernel, head: number): void {
  deferredSplitQueue(k).delete(head);
  freePage(k, head);
}

/** remove_migration_ptes: single pages are mapped again, and locked where their mappings are. */
function remapLocked(k: Kernel, head: number): void {
  const family = k.anonVmas[k.frames.owner[head]!]?.vmas ?? [];
  if (![...family].some(({ flags }) => flags & VM_LOCKED)) return;
  const walk = new RmapWalk(k);
  for (let frame = head; frame < head + HPAGE_PMD_NR; frame++) {
    if (k.frames.mapcount[frame] === 0) continue;
    for (const { vma } of walk.mappingsOf(frame)) if (vma.flags & VM_LOCKED) mlockFolio(k, frame);
  }
  mlockPageDrain(k);
}

/**
 * split_huge_page: the huge page becomes single ones; those that nothing maps are free.
 * @returns the number of pages freed.
 */
export function splitHugePage(k: Kernel, head: number): number {
  const { frames } = k;
  deferredSplitQueue(k).delete(head);
  const isAnon = (frames.flags[head]! & PG_ANON) !== 0;
  if (isAnon && !(frames.flags[head]! & PG_DEFERRED) && frames.compoundMapcountOf(head) > 0)
    k.vmstat.thp_deferred_split_page++;
  if (!isAnon) k.vmstat.nr_shmem_hugepages--;
  for (const { vma, pmd, huge } of mappingsOf(k, head)) if (huge) splitHugePmd(k, vma, pmd);
  const flags = frames.flags[head]!;
  const onLru = (flags & PG_LRU) !== 0;
  const following = frames.next[head]!;
  if (onLru) frames.unlink(head);
  frames.splitBlock(head);
  k.vmstat.thp_split_page++;
  const kept =
    PG_DIRTY | PG_ANON | PG_SWAPBACKED | PG_REFERENCED | PG_ACTIVE | PG_WORKINGSET | PG_MLOCKED | PG_UNEVICTABLE;
  let freed = 0;
  for (let i = HPAGE_PMD_NR - 1; i >= 0; i--) {
    const frame = head + i;
    const exclusive = frames.flags[frame]! & PG_EXCLUSIVE;
    frames.flags[frame] = (flags & kept) | exclusive | (onLru ? PG_LRU : 0);
    // Each of the tails gets between the one before it and its head.
    if (onLru) frames.linkBefore(frame, following);
    if (k.lruGen) {
      frames.lruGen[frame] = frames.lruGen[head]!;
      frames.lruRefs[frame] = frames.lruRefs[head]!;
    }
  }
  remapLocked(k, head);
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    if (isAnon && frames.mapcount[head + i] === 0) {
      freePage(k, head + i);
      freed++;
    }
  }
  return freed;
}

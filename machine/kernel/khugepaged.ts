/** mm/khugepaged.c: ranges of small pages become huge ones. */
import { HPAGE_PMD_NR, PG_ANON, PG_LRU, PG_REFERENCED } from './frames.ts';
import { hugepageVmaCheck } from './huge-memory.ts';
import type { Kernel, Task } from './kernel.ts';
import { freeIfUnused } from './memory.ts';
import { MM_ANONPAGES, VM_LOCKED, VM_NOHUGEPAGE, VM_SHARED, VM_STACK, VM_WRITE, type Vma } from './mm-types.ts';
import type { Errno } from './mmap.ts';
import { allocHugePage } from './page-alloc.ts';
import {
  frameOfPte,
  type Pmd,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_SWAP,
  PTE_WRITE,
  PTE_YOUNG,
  pteOf,
} from './page-table.ts';
import { anonVmaPrepare, pageAddNewAnonRmap, pageRemoveRmap } from './rmap.ts';
import { lruAddDrain } from './swap-lru.ts';

/** hpage_collapse_scan_pmd: whether the range may become one huge page. */
function scanPmd(k: Kernel, pmd: Pmd, byKhugepaged: boolean): boolean {
  const { thp, frames } = k;
  let none = 0;
  let shared = 0;
  let writable = false;
  let referenced = 0;
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    const pte = pmd.get(i);
    if (pte & PTE_SWAP) {
      if (byKhugepaged) return false;
      continue;
    }
    if (pte === 0 || pte & PTE_SPECIAL) {
      if (++none > thp.maxPtesNone && byKhugepaged) {
        k.vmstat.thp_scan_exceed_none_pte++;
        return false;
      }
      continue;
    }
    if (pte & PTE_WRITE) writable = true;
    const frame = frameOfPte(pte);
    if (!(frames.flags[frame]! & PG_ANON)) return false;
    if (frames.mapcountOf(frame) > 1 && ++shared > thp.maxPtesShared && byKhugepaged) {
      k.vmstat.thp_scan_exceed_share_pte++;
      return false;
    }
    if (!(frames.flags[frames.headOf(frame)]! & PG_LRU)) return false;
    if (pte & PTE_YOUNG || frames.flags[frames.headOf(frame)]! & PG_REFERENCED) referenced++;
  }
  if (!writable) return false;
  return referenced > 0 || !byKhugepaged;
}

/** collapse_huge_page: one huge page takes over what the small ones hold. */
function collapseHugePage(k: Kernel, task: Task, vma: Vma, first: number, pmd: Pmd): boolean {
  const head = allocHugePage(k, task.group, k.thp.khugepagedDefrag);
  if (head < 0) {
    k.vmstat.thp_collapse_alloc_failed++;
    return false;
  }
  k.vmstat.thp_collapse_alloc++;
  const { stat } = task.group;
  stat['thp_collapse_alloc'] = (stat['thp_collapse_alloc'] ?? 0) + 1;
  anonVmaPrepare(k, vma);
  const old: number[] = [];
  let none = 0;
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    const pte = pmd.get(i);
    if (pte === 0 || pte & PTE_SPECIAL) none++;
    else old.push(frameOfPte(pte));
  }
  vma.mm.tlb?.flush(first, first + HPAGE_PMD_NR);
  vma.mm.rss[MM_ANONPAGES] += none;
  pmd.entries = null;
  pmd.first = 0;
  pmd.used = 0;
  for (const frame of old) pageRemoveRmap(k, frame);
  for (const frame of old) if (k.frames.flags[frame]! & PG_ANON) freeIfUnused(k, frame);
  pageAddNewAnonRmap(k, head, vma, first, (vma.flags & VM_LOCKED) !== 0);
  pmd.huge = pteOf(head, PTE_PRESENT | PTE_YOUNG | PTE_DIRTY | (vma.flags & VM_WRITE ? PTE_WRITE : 0));
  return true;
}

/** madvise_collapse: at once, whatever the settings say. */
export function madviseCollapse(k: Kernel, task: Task, vma: Vma, start: number, end: number): Errno {
  if (!vma.isAnonymous() || vma.flags & (VM_SHARED | VM_NOHUGEPAGE | VM_STACK)) return 'EINVAL';
  lruAddDrain(k);
  let collapsed = 0;
  let wanted = 0;
  const last = Math.floor(end / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  for (let first = Math.ceil(start / HPAGE_PMD_NR) * HPAGE_PMD_NR; first < last; first += HPAGE_PMD_NR) {
    wanted++;
    const pmd = vma.mm.pmdAt(first);
    if (!pmd) continue;
    if (pmd.huge !== 0 || (scanPmd(k, pmd, false) && collapseHugePage(k, task, vma, first, pmd))) collapsed++;
  }
  return collapsed === wanted ? undefined : 'EINVAL';
}

/** A timer fires on the tick after its time is over. */
const TICK_MS = 4;

/** khugepaged_scan_mm_slot for every process: one round. @returns whether anything was collapsed. */
export function khugepagedRound(k: Kernel): boolean {
  let changed = false;
  for (const task of k.tasks) {
    if (!task.alive || !task.mm.onKhugepagedList) continue;
    for (const vma of [...task.mm.vmas]) {
      if (!hugepageVmaCheck(k, vma)) continue;
      const last = Math.floor(vma.end / HPAGE_PMD_NR) * HPAGE_PMD_NR;
      for (let first = Math.ceil(vma.start / HPAGE_PMD_NR) * HPAGE_PMD_NR; first < last; first += HPAGE_PMD_NR) {
        const pmd = vma.mm.pmdAt(first);
        if (pmd?.huge !== 0 || pmd.used === 0 || !scanPmd(k, pmd, true)) continue;
        if (collapseHugePage(k, task, vma, first, pmd)) changed = true;
      }
    }
  }
  // lru_add_drain_all: pages in a batch can be collapsed in the next round.
  lruAddDrain(k);
  return changed;
}

/** Pages that one round of the thread would look at. */
function pagesARound(k: Kernel): number {
  let pages = 0;
  for (const task of k.tasks) {
    if (!task.mm.onKhugepagedList) continue;
    for (const vma of task.mm.vmas) if (hugepageVmaCheck(k, vma)) pages += vma.pages;
  }
  return pages;
}

/** What the thread does while `ms` of time pass. Rounds that change nothing are all alike: they are counted, not made. */
export function khugepaged(k: Kernel, ms: number): void {
  const { thp, vmstat } = k;
  if (thp.enabled === 'never' || ms < thp.scanSleepMs) return;
  const periodMs = (Math.ceil(thp.scanSleepMs / TICK_MS) + 1) * TICK_MS;
  const wakeUps = Math.floor(ms / periodMs) + 1;
  let rounds = Math.max(1, Math.floor(wakeUps / Math.max(1, Math.ceil(pagesARound(k) / thp.pagesToScan))));
  while (rounds > 0) {
    const none = vmstat.thp_scan_exceed_none_pte;
    const shared = vmstat.thp_scan_exceed_share_pte;
    const changed = khugepagedRound(k);
    rounds--;
    if (changed) continue;
    vmstat.thp_scan_exceed_none_pte += rounds * (vmstat.thp_scan_exceed_none_pte - none);
    vmstat.thp_scan_exceed_share_pte += rounds * (vmstat.thp_scan_exceed_share_pte - shared);
    return;
  }
}

/** mm/khugepaged.c: ranges of small pages become huge ones. */
import { HPAGE_PMD_NR, PG_ANON, PG_LRU, PG_REFERENCED } from './frames.ts';
import { collapseShmem } from './huge-shmem.ts';
import { hugepageVmaCheck } from './huge-vma.ts';
import type { Kernel, Task } from './kernel.ts';
import { type Khugepaged, khugepagedIsRunnable, threadOf, toNextSlot } from './khugepaged-slots.ts';
import { countMemcg } from './memcontrol.ts';
import { freeIfUnused } from './memory.ts';
import { MM_ANONPAGES, type Mm, type Vma } from './mm-types.ts';
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
import { COLLAPSE_US, SCAN_CALL_US, SCAN_PTE_US } from './recorded-prices.ts';
import { anonVmaPrepare, munlockVmaPage, pageAddNewAnonRmap, pageRemoveRmap } from './rmap.ts';
import { lruAddDrain } from './swap-lru.ts';
import { timerExpiresUs } from './timer.ts';
import { VM_LOCKED, VM_NOHUGEPAGE, VM_SHARED, VM_STACK, VM_WRITE } from './vm-flags.ts';

/** hpage_collapse_scan_pmd: whether the range may become one huge page, and how many of its entries it took to see that. */
function scanPmd(k: Kernel, pmd: Pmd, byKhugepaged: boolean): { suits: boolean; entries: number } {
  const { thp, frames } = k;
  let none = 0;
  let shared = 0;
  let unmapped = 0;
  let writable = false;
  let referenced = 0;
  const no = (i: number) => ({ suits: false, entries: i + 1 });
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    const pte = pmd.get(i);
    if (pte & PTE_SWAP) {
      if (byKhugepaged && ++unmapped > thp.maxPtesSwap) return no(i);
      continue;
    }
    if (pte === 0 || pte & PTE_SPECIAL) {
      if (byKhugepaged && ++none > thp.maxPtesNone) {
        k.vmstat.thp_scan_exceed_none_pte++;
        return no(i);
      }
      continue;
    }
    if (pte & PTE_WRITE) writable = true;
    const frame = frameOfPte(pte);
    if (byKhugepaged && frames.mapcountOf(frame) > 1 && ++shared > thp.maxPtesShared) {
      k.vmstat.thp_scan_exceed_share_pte++;
      return no(i);
    }
    const flags = frames.flags[frames.headOf(frame)]!;
    if (!(flags & PG_LRU) || !(flags & PG_ANON)) return no(i);
    if (pte & PTE_YOUNG || flags & PG_REFERENCED) referenced++;
  }
  const used = !byKhugepaged || (referenced > 0 && !(unmapped > 0 && referenced < HPAGE_PMD_NR / 2));
  // A collapse would read swapped pages back first, which is not modelled.
  return { suits: writable && used && !(byKhugepaged && unmapped > 0), entries: HPAGE_PMD_NR };
}

/** collapse_huge_page: one huge page takes over what the small ones hold. */
function collapseHugePage(k: Kernel, task: Task, vma: Vma, first: number, pmd: Pmd): boolean {
  const head = allocHugePage(k, task.group, k.thp.khugepagedDefrag);
  if (head < 0) {
    k.vmstat.thp_collapse_alloc_failed++;
    return false;
  }
  k.vmstat.thp_collapse_alloc++;
  countMemcg(k, task.group.id, 'thp_collapse_alloc');
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
  for (const frame of old) {
    pageRemoveRmap(k, frame);
    munlockVmaPage(k, vma, frame);
  }
  for (const frame of old) if (k.frames.flags[frame]! & PG_ANON) freeIfUnused(k, frame);
  pageAddNewAnonRmap(k, head, vma, first, (vma.flags & VM_LOCKED) !== 0);
  pmd.huge = pteOf(head, PTE_PRESENT | PTE_YOUNG | PTE_DIRTY | (vma.flags & VM_WRITE ? PTE_WRITE : 0));
  return true;
}

/** madvise_collapse: at once, whatever the settings say. */
export function madviseCollapse(k: Kernel, task: Task, vma: Vma, start: number, end: number): Errno {
  const isShmem = vma.object?.kind === 'shmem';
  if (!isShmem && (!vma.isAnonymous() || vma.flags & (VM_SHARED | VM_NOHUGEPAGE | VM_STACK))) return 'EINVAL';
  // hugepage_vma_check: nothing of it was ever there.
  if (!isShmem && !vma.anonVma) return 'EINVAL';
  const firstOfVma = Math.ceil(vma.start / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  if (firstOfVma + HPAGE_PMD_NR > vma.end) return 'EINVAL';
  lruAddDrain(k);
  let collapsed = 0;
  let wanted = 0;
  const last = Math.floor(end / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  const begin = Math.ceil(start / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  // Within one aligned 2 MiB the number of those wanted is below 0, which nothing collapsed is not.
  if (last < begin) return 'EINVAL';
  if (isShmem) return collapseShmem(k, task, vma, begin, last) ? undefined : 'EINVAL';
  for (let first = begin; first < last; first += HPAGE_PMD_NR) {
    wanted++;
    const pmd = vma.mm.pmdAt(first);
    if (!pmd) continue;
    if (pmd.huge !== 0 || (scanPmd(k, pmd, false).suits && collapseHugePage(k, task, vma, first, pmd))) collapsed++;
  }
  return collapsed === wanted ? undefined : 'EINVAL';
}

/** Runs the thread until it waits, or has had `budgetUs`: what it began it ends. @returns the time it took. */
export function runKhugepaged(k: Kernel, budgetUs: number): number {
  const thread = threadOf(k);
  let tookUs = 0;
  while (khugepagedIsRunnable(k) && tookUs < budgetUs) {
    thread.scan ??= doScan(k, thread);
    const part = thread.scan.next();
    if (part.done) {
      thread.scan = null;
      thread.isScanning = false;
      const waitsForTime = thread.slots.length > 0 && k.thp.scanSleepMs > 0;
      thread.wakeUs = waitsForTime ? timerExpiresUs(k.nowUs, k.thp.scanSleepMs) : k.nowUs;
      break;
    }
    tookUs += part.value;
    k.nowUs += part.value;
  }
  return tookUs;
}

/** khugepaged_do_scan: one waking of the thread, which looks at so many pages and goes on there the next time. */
function* doScan(k: Kernel, thread: Khugepaged): Generator<number, void> {
  const { pagesToScan } = k.thp;
  let progress = 0;
  let passesThroughHead = 0;
  let hasWaited = false;
  lruAddDrain(k);
  yield SCAN_CALL_US;
  while (progress < pagesToScan) {
    if (thread.slot === null) {
      if (++passesThroughHead >= 2 || thread.slots.length === 0) return;
      thread.slot = thread.slots[0]!;
      thread.page = 0;
    }
    const failures = k.vmstat.thp_collapse_alloc_failed;
    progress += yield* scanMmSlot(k, thread, thread.slot, pagesToScan - progress);
    if (progress >= pagesToScan || k.vmstat.thp_collapse_alloc_failed === failures) continue;
    // No huge page was to be had: once it waits for one.
    if (hasWaited) return;
    hasWaited = true;
    thread.wakeUs = timerExpiresUs(k.nowUs, k.thp.allocSleepMs);
    yield 0;
  }
}

/** khugepaged_scan_mm_slot. @returns the pages that count as looked at; a mapping that may have no huge page is one. */
function* scanMmSlot(k: Kernel, thread: Khugepaged, mm: Mm, pages: number): Generator<number, number> {
  let progress = 1;
  for (let at = mm.indexOf(thread.page); at < mm.vmas.length; at++) {
    const vma = mm.vmas[at]!;
    const last = Math.floor(vma.end / HPAGE_PMD_NR) * HPAGE_PMD_NR;
    if (!vma.anonVma || !hugepageVmaCheck(k, vma) || thread.page > last) {
      progress++;
      continue;
    }
    thread.page = Math.max(thread.page, Math.ceil(vma.start / HPAGE_PMD_NR) * HPAGE_PMD_NR);
    while (thread.page < last) {
      const { us, letGo } = scanRange(k, vma, thread.page);
      thread.page += HPAGE_PMD_NR;
      progress += HPAGE_PMD_NR;
      yield us;
      // The lock was let go, or others ran meanwhile: the mappings must be looked up again.
      if (letGo || progress >= pages || mm.vmas[at] !== vma || thread.slot !== mm) return progress;
    }
  }
  toNextSlot(thread);
  return progress;
}

/** One aligned 2 MiB: what looking at it and collapsing it took, and whether the lock of the mappings was let go for that. */
function scanRange(k: Kernel, vma: Vma, first: number): { us: number; letGo: boolean } {
  const pmd = vma.mm.pmdAt(first);
  if (pmd?.huge !== 0) return { us: SCAN_PTE_US, letGo: false };
  const { suits, entries } = scanPmd(k, pmd, true);
  if (!suits) return { us: entries * SCAN_PTE_US, letGo: false };
  const task = k.tasks.find(({ mm }) => mm === vma.mm)!;
  const isCollapsed = collapseHugePage(k, task, vma, first, pmd);
  return { us: entries * SCAN_PTE_US + (isCollapsed ? COLLAPSE_US : 0), letGo: true };
}

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
  const firstOfVma = Math.ceil(vma.start / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  if (firstOfVma + HPAGE_PMD_NR > vma.end) return 'EINVAL';
  lruAddDrain(k);
  let collapsed = 0;
  let wanted = 0;
  const last = Math.floor(end / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  const begin = Math.ceil(start / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  // Within one aligned 2 MiB the number of those wanted is below 0, which nothing collapsed is not.
  if (last < begin) return 'EINVAL';
  for (let first = begin; first < last; first += HPAGE_PMD_NR) {
    wanted++;
    const pmd = vma.mm.pmdAt(first);
    if (!pmd) continue;
    if (pmd.huge !== 0 || (scanPmd(k, pmd, false) && collapseHugePage(k, task, vma, first, pmd))) collapsed++;
  }
  return collapsed === wanted ? undefined : 'EINVAL';
}

/** Where the thread has got to (khugepaged_scan): a process, and a page of it. */
const cursors = new WeakMap<Kernel, { task: Task | null; page: number }>();

function cursorOf(k: Kernel): { task: Task | null; page: number } {
  let cursor = cursors.get(k);
  if (!cursor) {
    cursor = { task: null, page: 0 };
    cursors.set(k, cursor);
  }
  return cursor;
}

const isListed = (task: Task): boolean => task.alive && task.mm.onKhugepagedList;

/** khugepaged_do_scan: one waking of the thread, which looks at so many pages and goes on there the next time. */
export function khugepagedDoScan(k: Kernel): void {
  const cursor = cursorOf(k);
  const { pagesToScan } = k.thp;
  let progress = 0;
  let passesThroughHead = 0;
  while (progress < pagesToScan) {
    if (cursor.task !== null && !isListed(cursor.task)) toNextTask(k, cursor);
    if (cursor.task === null) {
      if (++passesThroughHead >= 2) break;
      cursor.task = k.tasks.find(isListed) ?? null;
      cursor.page = 0;
      if (cursor.task === null) break;
    }
    progress += scanMmSlot(k, cursor, cursor.task, pagesToScan - progress);
  }
  // lru_add_drain_all: pages in a batch can be collapsed the next time.
  lruAddDrain(k);
}

function toNextTask(k: Kernel, cursor: { task: Task | null; page: number }): void {
  const later = k.tasks.filter((task) => isListed(task) && task.pid > (cursor.task?.pid ?? 0));
  cursor.task = later[0] ?? null;
  cursor.page = 0;
}

/** khugepaged_scan_mm_slot. @returns the pages that count as looked at; a mapping that may have no huge page is one. */
function scanMmSlot(k: Kernel, cursor: { task: Task | null; page: number }, task: Task, pages: number): number {
  let progress = 1;
  for (const vma of task.mm.vmas) {
    if (vma.end <= cursor.page) continue;
    const last = Math.floor(vma.end / HPAGE_PMD_NR) * HPAGE_PMD_NR;
    if (!hugepageVmaCheck(k, vma) || cursor.page > last) {
      progress++;
      continue;
    }
    cursor.page = Math.max(cursor.page, Math.ceil(vma.start / HPAGE_PMD_NR) * HPAGE_PMD_NR);
    while (cursor.page < last) {
      const first = cursor.page;
      const pmd = vma.mm.pmdAt(first);
      const isCollapsed =
        pmd?.huge === 0 && pmd.used > 0 && scanPmd(k, pmd, true) && collapseHugePage(k, task, vma, first, pmd);
      cursor.page += HPAGE_PMD_NR;
      progress += HPAGE_PMD_NR;
      // The lock was let go: the mappings must be looked up again.
      if (isCollapsed || progress >= pages) return progress;
    }
  }
  toNextTask(k, cursor);
  return progress;
}

/** A timer fires on the tick after its time is over. */
const TICK_MS = 4;

/** What the thread does while `ms` of time pass. */
export function khugepaged(k: Kernel, ms: number): void {
  const { thp } = k;
  if (thp.enabled === 'never' || ms < thp.scanSleepMs) return;
  const periodMs = (Math.ceil(thp.scanSleepMs / TICK_MS) + 1) * TICK_MS;
  const wakings = Math.floor(ms / periodMs) + 1;
  for (let i = 0; i < wakings && k.tasks.some(isListed); i++) khugepagedDoScan(k);
}

/** Huge pages of shared memory: MADV_COLLAPSE makes them (collapse_file), faults map them (do_set_pmd). */
import { HPAGE_PMD_NR, PG_DIRTY, PG_HEAD, PG_SWAPBACKED, PG_TAIL } from './frames.ts';
import { transhugeVmaSuitable } from './huge-vma.ts';
import type { Kernel, Task } from './kernel.ts';
import { mlockFolio } from './mlock-batch.ts';
import { type AddressSpace, MM_SHMEMPAGES, type Vma } from './mm-types.ts';
import { accountPageTables, allocHugePage, freePage } from './page-alloc.ts';
import { addToTree, filemapRemoveFolio } from './page-cache.ts';
import { frameOfPte, PTE_DIRTY, PTE_PRESENT, PTE_WRITE, PTE_YOUNG, pteOf } from './page-table.ts';
import { addHugeFileRmap, munlockVmaPage, pageRemoveRmap } from './rmap.ts';
import { addMmCounter, syncMmRss } from './rss.ts';
import { updateStat } from './rstat.ts';
import { shmemGetFolio, swappedPages } from './shmem.ts';
import { folioAddLru } from './swap-lru.ts';
import { VM_LOCKED, VM_NOHUGEPAGE, VM_SHARED, VM_WRITE } from './vm-flags.ts';

/** transhuge_vma_suitable of a mapping of an object: its 2 MiB are those of the object. */
const suits = (vma: Vma, page: number): boolean =>
  (vma.start - vma.pgoff) % HPAGE_PMD_NR === 0 && transhugeVmaSuitable(vma, page);

/** do_set_pmd: where the page is part of a huge one and nothing is mapped around it, all of that. @returns whether it was. */
export function doSetPmd(k: Kernel, task: Task, vma: Vma, page: number, frame: number, write: boolean): boolean {
  if (!(k.frames.flags[frame]! & (PG_HEAD | PG_TAIL)) || vma.mm.pmdAt(page) || !suits(vma, page)) return false;
  setHugePmd(k, task, vma, Math.floor(page / HPAGE_PMD_NR) * HPAGE_PMD_NR, k.frames.headOf(frame), write);
  return true;
}

/** Without a table behind it: a split takes the entry away, and faults bring it back. */
function setHugePmd(k: Kernel, task: Task, vma: Vma, first: number, head: number, write: boolean): void {
  const { mm } = vma;
  const writable = (vma.flags & (VM_SHARED | VM_WRITE)) === (VM_SHARED | VM_WRITE);
  const pmd = mm.addPmd(first, false);
  accountPageTables(k, mm);
  pmd.huge = pteOf(head, PTE_PRESENT | PTE_YOUNG | (write ? PTE_DIRTY : 0) | (writable ? PTE_WRITE : 0));
  addHugeFileRmap(k, head);
  if (vma.flags & VM_LOCKED) mlockFolio(k, head);
  addMmCounter(k, task, mm, MM_SHMEMPAGES, HPAGE_PMD_NR);
}

type Result = 'done' | 'skipped' | 'failed';

/** madvise_collapse of a mapping of shared memory, whatever the settings say. @returns whether all of [begin, last) is mapped huge. */
export function collapseShmem(k: Kernel, task: Task, vma: Vma, begin: number, last: number): boolean {
  if (vma.flags & VM_NOHUGEPAGE || (vma.start - vma.pgoff) % HPAGE_PMD_NR !== 0) return false;
  let done = 0;
  for (let first = begin; first < last; first += HPAGE_PMD_NR) {
    const result = collapseRange(k, task, vma, first);
    if (result === 'failed') return false;
    if (result === 'done') done++;
  }
  return done * HPAGE_PMD_NR === last - begin;
}

function collapseRange(k: Kernel, task: Task, vma: Vma, first: number): Result {
  if ((vma.mm.pmdAt(first)?.huge ?? 0) !== 0) return 'done';
  const object = vma.object!;
  const index = vma.linearIndex(first);
  const present = object.get(index);
  let head = present !== 0 && k.frames.flags[present]! & PG_HEAD ? present : -1;
  if (head < 0) head = collapseFile(k, task, object, index);
  if (head < 0) return 'failed';
  return retractPageTables(k, task, vma, first, head) ? 'done' : 'skipped';
}

/** collapse_file. @returns the huge page, or -1 where there is none to be had or nothing to collapse. */
function collapseFile(k: Kernel, task: Task, object: AddressSpace, index: number): number {
  const end = index + HPAGE_PMD_NR;
  const head = allocHugePage(k, task.group, true);
  if (head < 0) {
    k.vmstat.thp_collapse_alloc_failed++;
    return -1;
  }
  k.vmstat.thp_collapse_alloc++;
  for (const at of swappedPages(object).keys())
    if (at >= index && at < end) shmemGetFolio(k, task.group, object, at, false);
  const present = [...object.pagesIn(index, end)];
  const had = new Set(present);
  if (present.length === 0 || end > Math.ceil(object.sizeBytes / 4096)) {
    freePage(k, head);
    return -1;
  }
  for (const at of present) {
    unmapSmall(k, object, at);
    const frame = object.get(at);
    filemapRemoveFolio(k, object, at, frame, 'replaced');
    freePage(k, frame);
  }
  // xas_create_range
  for (let at = index; at < end; at++) if (!had.has(at)) addToTree(k, object, at, task.group.id);
  addHugeFolio(k, object, index, head);
  return head;
}

/** unmap_mapping_pages of one page. */
function unmapSmall(k: Kernel, object: AddressSpace, index: number): void {
  const frame = object.get(index);
  for (const vma of object.vmas) {
    const page = index - vma.pgoff + vma.start;
    if (page < vma.start || page >= vma.end) continue;
    const pmd = vma.mm.pmdAt(page);
    const pte = pmd?.get(page % HPAGE_PMD_NR) ?? 0;
    if (!pmd || !(pte & PTE_PRESENT) || frameOfPte(pte) !== frame) continue;
    pmd.set(page % HPAGE_PMD_NR, 0);
    vma.mm.tlb?.flush(page, page + 1);
    vma.mm.rss[MM_SHMEMPAGES]--;
    pageRemoveRmap(k, frame);
    munlockVmaPage(k, vma, frame);
  }
}

function addHugeFolio(k: Kernel, object: AddressSpace, index: number, head: number): void {
  const { frames, vmstat } = k;
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    frames.owner[head + i] = object.id;
    frames.index[head + i] = index + i;
    object.set(index + i, head + i);
  }
  frames.flags[head]! |= PG_SWAPBACKED | PG_DIRTY;
  const stat = updateStat(k, k.groups[frames.group[head]!]!, 2 * HPAGE_PMD_NR);
  vmstat.nr_file_pages += HPAGE_PMD_NR;
  vmstat.nr_shmem += HPAGE_PMD_NR;
  vmstat.nr_shmem_hugepages++;
  stat.file += HPAGE_PMD_NR;
  stat.shmem += HPAGE_PMD_NR;
  if (object.mount) object.mount.usedPages += HPAGE_PMD_NR;
  if (object.accountsEachPage) k.committed += HPAGE_PMD_NR;
  folioAddLru(k, head);
}

/**
 * retract_page_tables: who asked gets the huge entry in place of his table, unless he has copies there. Others keep theirs, which are
 * empty now. @returns whether he had a table.
 */
function retractPageTables(k: Kernel, task: Task, vma: Vma, first: number, head: number): boolean {
  const { mm } = vma;
  const pmd = mm.pmdAt(first);
  if (!pmd || vma.anonVma) return false;
  mm.dropPmd(first / HPAGE_PMD_NR);
  setHugePmd(k, task, vma, first, head, false);
  syncMmRss(task);
  return true;
}

/** mm/memory.c: page faults, copies at fork, and what a mapping gives up. */
import { balanceDirtyPages } from './balance-dirty.ts';
import { takeBlock } from './disk-blocks.ts';
import { FAULT_DONE, FAULT_MAJOR, FAULT_OOM, FAULT_RETRY, FAULT_SIGBUS, type FaultResult } from './fault.ts';
import { filemapFault, filemapMapPages, pageMkwrite } from './filemap.ts';
import {
  HPAGE_PMD_NR,
  PG_ANON,
  PG_DIRTY,
  PG_EXCLUSIVE,
  PG_HEAD,
  PG_LRU,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_TAIL,
  ZERO_FRAME,
} from './frames.ts';
import { doHugePmdAnonymousPage, doHugePmdWpPage, freeHugePage, splitHugePmd, zapHugePmd } from './huge-memory.ts';
import { doSetPmd } from './huge-shmem.ts';
import { hugepageVmaCheck } from './huge-vma.ts';
import { hugetlbFault, unmapHugepageRange } from './hugetlb.ts';
import type { Kernel, Task } from './kernel.ts';
import { countMemcg } from './memcontrol.ts';
import { mlockFolio } from './mlock-batch.ts';
import {
  type AddressSpace,
  MM_ANONPAGES,
  MM_FILEPAGES,
  MM_SHMEMPAGES,
  MM_SWAPENTS,
  type Mm,
  type Vma,
} from './mm-types.ts';
import { accountPageTables, allocPage, freePage } from './page-alloc.ts';
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
import { vmaHasRecency } from './recency.ts';
import { COPIED_PAGE_US, MKWRITE_US, ZEROED_PAGE_US } from './recorded-prices.ts';
import {
  anonVmaPrepare,
  hugePageUnmapped,
  munlockVmaPage,
  pageAddFileRmap,
  pageAddNewAnonRmap,
  pageRemoveRmap,
} from './rmap.ts';
import { addMmCounterFast, checkSyncRssStat, syncMmRss, updateHiwaterRss } from './rss.ts';
import { doSwapPage, folioFreeSwap, freeSwapAndCache } from './swap.ts';
import { folioMarkAccessed, lruAddDrain } from './swap-lru.ts';
import { VM_HUGETLB, VM_LOCKED, VM_PFNMAP, VM_SHARED, VM_WRITE } from './vm-flags.ts';

export { FAULT_DONE, FAULT_MAJOR, FAULT_OOM, FAULT_RETRY, FAULT_SIGBUS, type FaultResult } from './fault.ts';

/** handle_mm_fault with what counts it. A fault that waited for the disk is tried again, unless a call does it for itself (`forCall`). */
export function handleMmFault(
  k: Kernel,
  task: Task,
  vma: Vma,
  page: number,
  write: boolean,
  forCall = false,
): FaultResult {
  k.inFault = vmaHasRecency(k, vma);
  const result = countedFault(k, task, vma, page, write, forCall);
  k.inFault = false;
  return result;
}

function countedFault(k: Kernel, task: Task, vma: Vma, page: number, write: boolean, forCall: boolean): FaultResult {
  k.vmstat.pgfault++;
  countMemcg(k, task.group.id, 'pgfault');
  checkSyncRssStat(task);
  let result = vma.flags & VM_HUGETLB ? hugetlbFault(k, vma, page, write) : handlePmd(k, task, vma, page, write);
  if (result & FAULT_RETRY) {
    // Not done, so not counted with the process: the call begins anew, and finds the page.
    if (forCall) return result & (FAULT_SIGBUS | FAULT_OOM);
    // The kernel let go of its lock to wait for the disk: the same fault runs again and finds the page.
    k.vmstat.pgfault++;
    countMemcg(k, task.group.id, 'pgfault');
    checkSyncRssStat(task);
    // Under a mapping's own lock only a fault that has read itself is a major one.
    const major = k.profile.features.perVmaLock ? result & FAULT_MAJOR : FAULT_MAJOR;
    result = (handlePmd(k, task, vma, page, write) & ~FAULT_RETRY) | major;
  }
  if (result & (FAULT_SIGBUS | FAULT_OOM)) return result;
  if (result & FAULT_MAJOR) task.majflt++;
  else task.minflt++;
  return result;
}

function handlePmd(k: Kernel, task: Task, vma: Vma, page: number, write: boolean): FaultResult {
  const { mm } = vma;
  const pmd = mm.pmdAt(page);
  if (!pmd) {
    if (hugepageVmaCheck(k, vma, true) && doHugePmdAnonymousPage(k, task, vma, page, write)) return FAULT_DONE;
  } else if (pmd.huge !== 0) {
    if (!write || pmd.huge & PTE_WRITE) {
      pmd.huge |= PTE_YOUNG | (write ? PTE_DIRTY : 0);
      return FAULT_DONE;
    }
    if (doHugePmdWpPage(k, vma, pmd)) return FAULT_DONE;
  }
  return handlePteFault(k, task, vma, page, write);
}

/** pte_alloc: the table for `page`, made where there is none. */
export function pteAlloc(k: Kernel, mm: Mm, page: number): Pmd {
  const existing = mm.pmdAt(page);
  if (existing) return existing;
  const pmd = mm.addPmd(page);
  accountPageTables(k, mm);
  return pmd;
}

function handlePteFault(k: Kernel, task: Task, vma: Vma, page: number, write: boolean): FaultResult {
  const pte = vma.mm.pmdAt(page)?.get(page % 512) ?? 0;
  if (pte === 0) {
    if (vma.flags & VM_PFNMAP) {
      pteAlloc(k, vma.mm, page).set(page % 512, pteOf(ZERO_FRAME, PTE_PRESENT | PTE_SPECIAL | PTE_YOUNG));
      return FAULT_DONE;
    }
    return vma.object === null ? doAnonymousPage(k, task, vma, page, write) : doFault(k, task, vma, page, write);
  }
  const pmd = vma.mm.pmdAt(page)!;
  if (pte & PTE_SWAP) {
    const result = doSwapPage(k, task, vma, page, write, pmd);
    const now = pmd.get(page % 512);
    const isWritable = !write || (now & PTE_WRITE) !== 0;
    return result & (FAULT_SIGBUS | FAULT_OOM) || isWritable ? result : result | doWpPage(k, task, vma, page, pmd, now);
  }
  if (write && !(pte & PTE_WRITE)) return doWpPage(k, task, vma, page, pmd, pte);
  pmd.set(page % 512, pte | PTE_YOUNG | (write ? PTE_DIRTY : 0));
  return FAULT_DONE;
}

/** do_anonymous_page: a read maps the page of zeros, a write gets a page. */
function doAnonymousPage(k: Kernel, task: Task, vma: Vma, page: number, write: boolean): FaultResult {
  const pmd = pteAlloc(k, vma.mm, page);
  if (!write) {
    pmd.set(page % 512, pteOf(ZERO_FRAME, PTE_PRESENT | PTE_SPECIAL | PTE_YOUNG));
    return FAULT_DONE;
  }
  anonVmaPrepare(k, vma);
  const frame = allocPage(k, task.group);
  if (frame < 0) return FAULT_OOM;
  k.nowUs += ZEROED_PAGE_US;
  addMmCounterFast(k, task, vma.mm, MM_ANONPAGES, 1);
  pageAddNewAnonRmap(k, frame, vma, page, (vma.flags & VM_LOCKED) !== 0);
  pmd.set(page % 512, pteOf(frame, PTE_PRESENT | PTE_YOUNG | PTE_DIRTY | (vma.flags & VM_WRITE ? PTE_WRITE : 0)));
  return FAULT_DONE;
}

/** do_wp_page: a write to what may not be written yet. */
function doWpPage(k: Kernel, task: Task, vma: Vma, page: number, pmd: Pmd, pte: number): FaultResult {
  const { frames } = k;
  const frame = frameOfPte(pte);
  if (pte & PTE_SPECIAL) return wpPageCopy(k, task, vma, page, pmd, -1);
  if (vma.flags & VM_SHARED) {
    if (vma.object) {
      if (!takeBlock(vma.object, vma.linearIndex(page))) return FAULT_SIGBUS;
      doPageMkwrite(k, vma.object, frame);
    }
    pmd.set(page % 512, pte | PTE_WRITE | PTE_DIRTY | PTE_YOUNG);
    k.vmstat.pgreuse++;
    if (vma.object) balanceDirtyPages(k, vma.object);
    return FAULT_DONE;
  }
  if (frames.flags[frame]! & PG_ANON) {
    if (frames.flags[frame]! & PG_EXCLUSIVE) return wpPageReuse(k, page, pmd, pte);
    const single = !(frames.flags[frame]! & (PG_HEAD | PG_TAIL));
    if (!(frames.flags[frames.headOf(frame)]! & PG_LRU)) lruAddDrain(k);
    // A page in swap's cache that others still name there is theirs too.
    const isShared =
      frames.mapcount[frame] !== 1 || ((frames.flags[frame]! & PG_SWAPCACHE) !== 0 && !folioFreeSwap(k, frame));
    if (single ? !isShared : lastMappingOfHugePage(k, frames.headOf(frame))) {
      frames.flags[frame]! |= PG_EXCLUSIVE;
      return wpPageReuse(k, page, pmd, pte);
    }
  }
  return wpPageCopy(k, task, vma, page, pmd, frame);
}

/** folio_ref_count is 1: of all the huge page only this one page is mapped, once. */
function lastMappingOfHugePage(k: Kernel, head: number): boolean {
  const { frames } = k;
  if (frames.compoundMapcountOf(head) > 0) return false;
  let mapped = 0;
  for (let i = 0; i < HPAGE_PMD_NR && mapped < 2; i++) mapped += frames.mapcount[head + i]!;
  return mapped === 1;
}

function wpPageReuse(k: Kernel, page: number, pmd: Pmd, pte: number): FaultResult {
  k.vmstat.pgreuse++;
  pmd.set(page % 512, pte | PTE_WRITE | PTE_DIRTY | PTE_YOUNG);
  return FAULT_DONE;
}

/** wp_page_copy: a page of its own for the writer; `old` is -1 for the page of zeros. */
function wpPageCopy(k: Kernel, task: Task, vma: Vma, page: number, pmd: Pmd, old: number): FaultResult {
  const { frames } = k;
  anonVmaPrepare(k, vma);
  const frame = allocPage(k, task.group);
  if (frame < 0) return FAULT_OOM;
  k.nowUs += old < 0 ? ZEROED_PAGE_US : COPIED_PAGE_US;
  const { mm } = vma;
  if (old < 0) addMmCounterFast(k, task, mm, MM_ANONPAGES, 1);
  else if (!(frames.flags[old]! & PG_ANON)) {
    addMmCounterFast(k, task, mm, mmCounterFile(k, old), -1);
    addMmCounterFast(k, task, mm, MM_ANONPAGES, 1);
  }
  pageAddNewAnonRmap(k, frame, vma, page, (vma.flags & VM_LOCKED) !== 0);
  pmd.set(page % 512, pteOf(frame, PTE_PRESENT | PTE_YOUNG | PTE_DIRTY | (vma.flags & VM_WRITE ? PTE_WRITE : 0)));
  if (old >= 0) {
    pageRemoveRmap(k, old);
    munlockVmaPage(k, vma, old);
    freeIfUnused(k, old);
  }
  return FAULT_DONE;
}

/** mm_counter_file. */
export function mmCounterFile(k: Kernel, frame: number): number {
  return k.frames.flags[frame]! & PG_SWAPBACKED ? MM_SHMEMPAGES : MM_FILEPAGES;
}

/** An anonymous page that nothing maps is free; a part of a huge page waits for the rest, one in swap's cache for those that name its slot. */
export function freeIfUnused(k: Kernel, frame: number): void {
  const { frames } = k;
  const flags = frames.flags[frame]!;
  if (!(flags & PG_ANON)) return;
  if (flags & (PG_HEAD | PG_TAIL)) {
    const head = frames.headOf(frame);
    if (frames.mapcountOf(frame) === 0 && hugePageUnmapped(k, head)) freeHugePage(k, head);
  } else if (frames.mapcount[frame] === 0) {
    if (flags & PG_SWAPCACHE) folioFreeSwap(k, frame);
    else freePage(k, frame);
  }
}

/** do_fault: a page of a file or of shared memory. */
function doFault(k: Kernel, task: Task, vma: Vma, page: number, write: boolean): FaultResult {
  const object = vma.object!;
  const index = vma.linearIndex(page);
  const cow = write && !(vma.flags & VM_SHARED);
  if (!cow && doSetPmd(k, task, vma, page, object.get(index), write)) return FAULT_DONE;
  if (!write && filemapMapPages(k, task, vma, page, (at, frame) => setFilePte(k, task, vma, at, frame, false)))
    return FAULT_DONE;
  let copy = -1;
  if (cow) {
    anonVmaPrepare(k, vma);
    copy = allocPage(k, task.group);
    if (copy < 0) return FAULT_OOM;
  }
  const found = filemapFault(k, task, vma, index);
  if (found.frame < 0) {
    if (copy >= 0) freePage(k, copy);
    return found.result;
  }
  if (found.result & FAULT_RETRY) {
    if (copy >= 0) freePage(k, copy);
    return found.result;
  }
  if (cow) {
    k.nowUs += COPIED_PAGE_US;
    const pmd = pteAlloc(k, vma.mm, page);
    addMmCounterFast(k, task, vma.mm, MM_ANONPAGES, 1);
    pageAddNewAnonRmap(k, copy, vma, page, (vma.flags & VM_LOCKED) !== 0);
    pmd.set(page % 512, pteOf(copy, PTE_PRESENT | PTE_YOUNG | PTE_DIRTY | PTE_WRITE));
    return found.result;
  }
  if (write) {
    if (!takeBlock(object, index)) return FAULT_SIGBUS;
    doPageMkwrite(k, object, found.frame);
  }
  setFilePte(k, task, vma, page, found.frame, write);
  // fault_dirty_shared_page
  if (write) balanceDirtyPages(k, object);
  return found.result;
}

/** do_page_mkwrite. */
function doPageMkwrite(k: Kernel, object: AddressSpace, frame: number): void {
  pageMkwrite(k, object, frame);
  if (object.kind === 'disk') k.nowUs += MKWRITE_US;
}

/** do_set_pte for a page of an object; memory that needs no notice of writes is writable at once. */
export function setFilePte(k: Kernel, task: Task, vma: Vma, page: number, frame: number, write: boolean): void {
  const pmd = pteAlloc(k, vma.mm, page);
  const shared = (vma.flags & (VM_SHARED | VM_WRITE)) === (VM_SHARED | VM_WRITE);
  const noNotice = shared && vma.object!.kind !== 'disk';
  const flags = PTE_PRESENT | PTE_YOUNG | (write ? PTE_DIRTY : 0) | ((write && shared) || noNotice ? PTE_WRITE : 0);
  addMmCounterFast(k, task, vma.mm, mmCounterFile(k, frame), 1);
  pageAddFileRmap(k, frame);
  // A huge page is locked by huge entries alone.
  if (vma.flags & VM_LOCKED && !(k.frames.flags[frame]! & (PG_HEAD | PG_TAIL))) mlockFolio(k, frame);
  pmd.set(page % 512, pteOf(frame, flags));
}

/**
 * zap_page_range: unmaps [start, end) of the mapping; `task` is whoever asks. Without `evenCows` private copies of an object's pages
 * stay.
 */
export function zapPageRange(k: Kernel, task: Task, vma: Vma, start: number, end: number, evenCows = true): void {
  const { mm } = vma;
  lruAddDrain(k);
  updateHiwaterRss(mm);
  mm.tlb?.flush(start, end);
  if (vma.flags & VM_HUGETLB) {
    unmapHugepageRange(k, vma, start, end);
    return;
  }
  const rss: [number, number, number, number] = [0, 0, 0, 0];
  mm.eachPmd(start, end, (key, pmd) => {
    const first = key * 512;
    const from = Math.max(start, first);
    const to = Math.min(end, first + 512);
    if (pmd.huge !== 0) {
      if (to - from === 512) {
        rss[vma.object ? MM_SHMEMPAGES : MM_ANONPAGES] -= zapHugePmd(k, vma, key, pmd);
        return;
      }
      splitHugePmd(k, vma, pmd);
    }
    zapPteRange(k, vma, pmd, from - first, to - first, rss, evenCows);
  });
  if (task.mm === mm) syncMmRss(task);
  for (let member = 0; member < 4; member++) mm.rss[member]! += rss[member]!;
}

function zapPteRange(
  k: Kernel,
  vma: Vma,
  pmd: Pmd,
  from: number,
  to: number,
  rss: [number, number, number, number],
  evenCows: boolean,
): void {
  const { flags } = k.frames;
  const entries = pmd.entries ?? pmd.unfold();
  const freed: number[] = [];
  for (let i = from; i < to; i++) {
    const pte = entries[i]!;
    if (pte === 0) continue;
    if (!evenCows && (pte & PTE_SWAP || (!(pte & PTE_SPECIAL) && flags[frameOfPte(pte)]! & PG_ANON))) continue;
    entries[i] = 0;
    pmd.used--;
    if (pte & PTE_SPECIAL) continue;
    if (pte & PTE_SWAP) {
      rss[MM_SWAPENTS]--;
      freeSwapAndCache(k, frameOfPte(pte));
      continue;
    }
    const frame = frameOfPte(pte);
    if (flags[frame]! & PG_ANON) rss[MM_ANONPAGES]--;
    else {
      if (pte & PTE_DIRTY) setPageDirty(k, frame);
      if (pte & PTE_YOUNG && vmaHasRecency(k, vma)) folioMarkAccessed(k, frame);
      rss[mmCounterFile(k, frame) as 0]--;
    }
    pageRemoveRmap(k, frame);
    munlockVmaPage(k, vma, frame);
    if (flags[frame]! & PG_ANON) freed.push(frame);
  }
  for (const frame of freed) freeIfUnused(k, frame);
}

/** set_page_dirty of a page of an object: a disk file's is counted, shared memory's only marked. */
export function setPageDirty(k: Kernel, frame: number): void {
  const object = k.objects[k.frames.owner[frame]!];
  if (object) pageMkwrite(k, object, frame);
  else k.frames.flags[frame]! |= PG_DIRTY;
}

/** mm/madvise.c. */
import type { Advice } from './advice.ts';
import { forcePageCacheReadahead } from './filemap.ts';
import { PG_DIRTY, PG_HEAD, PG_LRU, PG_REFERENCED, PG_SWAPCACHE, PG_TAIL, PG_UNEVICTABLE } from './frames.ts';
import { type Faulting, faultinPageRange } from './gup.ts';
import { splitHugePage } from './huge-memory.ts';
import type { Kernel, Task } from './kernel.ts';
import { madviseCollapse } from './khugepaged.ts';
import { khugepagedEnterVma } from './khugepaged-slots.ts';
import { zapPageRange } from './memory.ts';
import type { Vma } from './mm-types.ts';
import { type Errno, vmaMerge, vmaPart } from './mmap.ts';
import { covered } from './mprotect.ts';
import { frameOfPte, type Pmd, PTE_DIRTY, PTE_PRESENT, PTE_SPECIAL, PTE_SWAP, PTE_YOUNG } from './page-table.ts';
import { updateHiwaterRss } from './rss.ts';
import { shmemTruncateRange, swappedPages } from './shmem.ts';
import { folioFreeSwap, freeSwapAndCache, readSwapCacheAsync } from './swap.ts';
import { folioDeactivate, lruAddDrain, markPageLazyfree } from './swap-lru.ts';
import {
  VM_DONTCOPY,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_LOCKED,
  VM_NOHUGEPAGE,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_WIPEONFORK,
  VM_WRITE,
} from './vm-flags.ts';
import { reclaimPages } from './vmscan.ts';

/** Flags that an advice clears and sets. */
const FLAGS: Partial<Record<Advice, readonly [clear: number, set: number]>> = {
  normal: [VM_RAND_READ | VM_SEQ_READ, 0],
  random: [VM_SEQ_READ, VM_RAND_READ],
  sequential: [VM_RAND_READ, VM_SEQ_READ],
  hugepage: [VM_NOHUGEPAGE, VM_HUGEPAGE],
  nohugepage: [VM_HUGEPAGE, VM_NOHUGEPAGE],
  dontfork: [0, VM_DONTCOPY],
  wipeonfork: [0, VM_WIPEONFORK],
};

/** madvise on whole pages; holes are an error after the rest is done. */
export function* doMadvise(k: Kernel, task: Task, start: number, pages: number, advice: Advice): Faulting {
  const { mm } = task;
  const end = start + pages;
  let error: Errno = covered(mm.vmas, start, end) ? undefined : 'ENOMEM';
  const flags = FLAGS[advice];
  for (const vma of mm.vmas.filter((other) => other.end > start && other.start < end)) {
    const from = Math.max(start, vma.start);
    const to = Math.min(end, vma.end);
    if (flags) {
      if (advice === 'wipeonfork' && (vma.object || vma.flags & VM_SHARED)) return 'EINVAL';
      const changed = (vma.flags & ~flags[0]) | flags[1];
      if (changed === vma.flags) continue;
      const part = vmaPart(k, vma, from, to, changed);
      if (!part) return 'EAGAIN';
      part.flags = changed;
      if (advice === 'hugepage') khugepagedEnterVma(k, part);
      vmaMerge(k, part);
      continue;
    }
    const isPopulate = advice === 'populate_read' || advice === 'populate_write';
    const own = isPopulate
      ? yield* faultinPageRange(k, task, vma, from, to, advice === 'populate_write')
      : madviseVma(k, task, vma, from, to, advice);
    if (own) return own;
  }
  if (pages === 0) error = undefined;
  return error;
}

function madviseVma(k: Kernel, task: Task, vma: Vma, start: number, end: number, advice: Advice): Errno {
  const fixed = vma.flags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB);
  const isHuge = (vma.flags & VM_HUGETLB) !== 0;
  switch (advice) {
    case 'dontneed':
      if (fixed & ~VM_HUGETLB || (isHuge && start % 512 !== 0)) return 'EINVAL';
      // Of huge pages those that lie in the range as a whole.
      zapPageRange(k, task, vma, start, isHuge ? end - (end % 512) : end);
      return undefined;
    case 'free':
      if (fixed || !vma.isAnonymous()) return 'EINVAL';
      madviseFree(k, vma, start, end);
      return undefined;
    case 'remove':
      return madviseRemove(k, task, vma, start, end);
    case 'cold':
    case 'pageout':
      if (fixed) return 'EINVAL';
      coldOrPageout(k, vma, start, end, advice === 'pageout');
      return undefined;
    case 'collapse':
      return madviseCollapse(k, task, vma, start, end);
    case 'willneed':
      madviseWillneed(k, task, vma, start, end);
      return undefined;
    default:
      return undefined;
  }
}

/** madvise_willneed: a disk's file is read ahead; what lies in swap is read into the swap cache and mapped by nobody. */
function madviseWillneed(k: Kernel, task: Task, vma: Vma, start: number, end: number): void {
  const { object } = vma;
  if (object?.kind === 'disk') {
    forcePageCacheReadahead(k, task.group, object, vma.linearIndex(start), end - start);
    return;
  }
  if (object) {
    const slots = [...swappedPages(object)].sort(([one], [other]) => one - other);
    for (const [index, slot] of slots) {
      if (index >= vma.linearIndex(start) && index < vma.linearIndex(end)) readSwapCacheAsync(k, task, slot);
    }
  } else {
    vma.mm.eachPmd(start, end, (key, pmd) => {
      if (pmd.huge !== 0) return;
      for (let page = Math.max(start, key * 512); page < Math.min(end, key * 512 + 512); page++) {
        const pte = pmd.get(page - key * 512);
        if (pte & PTE_SWAP) readSwapCacheAsync(k, task, frameOfPte(pte));
      }
    });
  }
  lruAddDrain(k);
}

/** madvise_free_single_vma: pages become clean and may be dropped; nothing is unmapped. */
function madviseFree(k: Kernel, vma: Vma, start: number, end: number): void {
  lruAddDrain(k);
  updateHiwaterRss(vma.mm);
  vma.mm.tlb?.flush(start, end);
  vma.mm.eachPmd(start, end, (key, pmd) => {
    const from = Math.max(start, key * 512) - key * 512;
    const to = Math.min(end, key * 512 + 512) - key * 512;
    if (pmd.huge !== 0) {
      if (pmd.huge & PTE_SPECIAL) return;
      const head = frameOfPte(pmd.huge);
      if (estimatedSharers(k, head) !== 1) return;
      if (to - from === 512) {
        pmd.huge &= ~(PTE_YOUNG | PTE_DIRTY);
        k.frames.flags[head]! &= ~PG_DIRTY;
        markPageLazyfree(k, head);
        return;
      }
      splitHugePage(k, head);
    }
    for (let i = from; i < to && freeEntry(k, vma, pmd, i); i++);
  });
}

/** folio_estimated_sharers: of a huge page, who maps its first page. */
const estimatedSharers = (k: Kernel, head: number): number => k.frames.mapcountOf(head);

/** One entry of madvise_free_pte_range. @returns false where it gives the rest of the table up. */
function freeEntry(k: Kernel, vma: Vma, pmd: Pmd, i: number): boolean {
  const { flags } = k.frames;
  const pte = pmd.get(i);
  if (pte & PTE_SWAP) {
    pmd.set(i, 0);
    vma.mm.rss[2]--;
    freeSwapAndCache(k, frameOfPte(pte));
    return true;
  }
  if (!(pte & PTE_PRESENT) || pte & PTE_SPECIAL) return true;
  const frame = frameOfPte(pte);
  if (flags[frame]! & (PG_HEAD | PG_TAIL)) {
    const head = k.frames.headOf(frame);
    if (estimatedSharers(k, head) !== 1) return false;
    splitHugePage(k, head);
  }
  if (flags[frame]! & (PG_SWAPCACHE | PG_DIRTY)) {
    if (k.frames.mapcount[frame] !== 1) return true;
    if (flags[frame]! & PG_SWAPCACHE && !folioFreeSwap(k, frame)) return true;
    flags[frame]! &= ~PG_DIRTY;
  }
  if (pte & (PTE_YOUNG | PTE_DIRTY)) pmd.set(i, pmd.get(i) & ~(PTE_YOUNG | PTE_DIRTY));
  markPageLazyfree(k, frame);
  return true;
}

/** madvise_remove: a hole in the object, for everyone. */
function madviseRemove(k: Kernel, task: Task, vma: Vma, start: number, end: number): Errno {
  const { object } = vma;
  if (vma.flags & VM_LOCKED || !object) return 'EINVAL';
  if ((vma.flags & (VM_SHARED | VM_WRITE)) !== (VM_SHARED | VM_WRITE)) return 'EACCES';
  const from = vma.linearIndex(start);
  const to = vma.linearIndex(end);
  unmapMappingRange(k, task, object, from, to, false);
  shmemTruncateRange(k, object, from, to);
  return undefined;
}

/** unmap_mapping_range: takes pages [from, to) of the object out of every process, private copies only with `evenCows`. */
export function unmapMappingRange(
  k: Kernel,
  task: Task,
  object: { readonly vmas: Set<Vma> },
  from: number,
  to: number,
  evenCows: boolean,
): void {
  for (const vma of object.vmas) {
    const first = Math.max(vma.start, from - vma.pgoff + vma.start);
    const last = Math.min(vma.end, to - vma.pgoff + vma.start);
    if (first < last) zapPageRange(k, task, vma, first, last, evenCows);
  }
}

/** madvise_cold_or_pageout_pte_range. */
function coldOrPageout(k: Kernel, vma: Vma, start: number, end: number, pageout: boolean): void {
  lruAddDrain(k);
  vma.mm.tlb?.flush(start, end);
  const victims: number[] = [];
  vma.mm.eachPmd(start, end, (key, pmd) => {
    const from = Math.max(start, key * 512) - key * 512;
    const to = Math.min(end, key * 512 + 512) - key * 512;
    if (pmd.huge !== 0) {
      if (pmd.huge & PTE_SPECIAL) return;
      const head = frameOfPte(pmd.huge);
      if (estimatedSharers(k, head) !== 1) return;
      if (to - from === 512) {
        pmd.huge &= ~PTE_YOUNG;
        k.frames.flags[head]! &= ~PG_REFERENCED;
        if (pageout) victims.push(head);
        else folioDeactivate(k, head);
        return;
      }
      splitHugePage(k, head);
    }
    for (let i = from; i < to && coldEntry(k, pmd, i, pageout ? victims : undefined); i++);
  });
  if (pageout) reclaimPages(k, victims);
}

/** One entry: others' pages are left alone. @returns false where it gives the rest of the table up. */
function coldEntry(k: Kernel, pmd: Pmd, i: number, victims: number[] | undefined): boolean {
  const pte = pmd.get(i);
  if (!(pte & PTE_PRESENT) || pte & PTE_SPECIAL) return true;
  const frame = frameOfPte(pte);
  if (k.frames.flags[frame]! & (PG_HEAD | PG_TAIL)) {
    const head = k.frames.headOf(frame);
    if (estimatedSharers(k, head) !== 1) return false;
    splitHugePage(k, head);
  }
  const flags = k.frames.flags[frame]!;
  if (!(flags & PG_LRU) || k.frames.mapcount[frame] !== 1) return true;
  if (pte & PTE_YOUNG) pmd.set(i, pte & ~PTE_YOUNG);
  k.frames.flags[frame]! &= ~PG_REFERENCED;
  if (!victims) folioDeactivate(k, frame);
  else if (!(flags & PG_UNEVICTABLE)) victims.push(frame);
  return true;
}

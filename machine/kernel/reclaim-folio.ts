/** shrink_folio_list and try_to_unmap: what becomes of pages taken off an inactive list. */
import {
  HPAGE_PMD_NR,
  PG_ACTIVE,
  PG_ANON,
  PG_DIRTY,
  PG_MLOCKED,
  PG_RECLAIM,
  PG_REFERENCED,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_UNEVICTABLE,
} from './frames.ts';
import { freeHugePage, splitHugePage, splitHugePmd } from './huge-memory.ts';
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { countMemcg } from './memcontrol.ts';
import { mlockFolio } from './mlock-batch.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type Vma } from './mm-types.ts';
import { freePage } from './page-alloc.ts';
import { filemapRemoveFolio } from './page-cache.ts';
import { type Pmd, PTE_DIRTY, PTE_SWAP, pteOf } from './page-table.ts';
import { folioReferenced, pageRemoveRmap } from './rmap.ts';
import { type Mapping, RmapWalk } from './rmap-walk.ts';
import { shmemRecalcInode, swappedPages } from './shmem.ts';
import {
  forgetSwapFrame,
  getSwapCluster,
  getSwapPage,
  putSwapFolio,
  slotOfCached,
  swapDuplicate,
  swapWritepage,
} from './swap.ts';
import { VM_EXEC, VM_LOCKED } from './vm-flags.ts';
import { workingsetEviction } from './workingset.ts';

export interface ShrinkResult {
  reclaimed: number;
  dirty: number;
  rotated: number;
  paged: number;
  /** Pages freed that processes had mapped, and such as had been written (buffer heads). */
  unmapped: number;
  buffered: number;
  /** Mappings of pages that stay. */
  keptMappings: number;
}

const newShrinkResult = (): ShrinkResult => ({
  reclaimed: 0,
  dirty: 0,
  rotated: 0,
  paged: 0,
  unmapped: 0,
  buffered: 0,
  keptMappings: 0,
});

/** shrink_folio_list over pages that are on no list; `putBack` takes those that stay. */
export function shrinkFolioList(
  k: Kernel,
  list: readonly number[],
  putBack: (frame: number) => void,
  target: MemCgroup | null,
  ignoreReferences = false,
): ShrinkResult {
  const result = newShrinkResult();
  const { frames } = k;
  const walk = new RmapWalk(k);
  const left = [...list].reverse();
  for (let frame = left.pop(); frame !== undefined; frame = left.pop()) {
    const mappings = frames.mapcountOf(frame);
    const pages = frames.sizeOf(frame);
    const outcome = shrinkFolio(k, walk, frame, result, target, ignoreReferences);
    if (outcome === 'freed') {
      result.reclaimed += pages;
      if (mappings > 0) result.unmapped += pages;
      continue;
    }
    if (outcome === 'split') {
      // split_folio_to_list: its pages are next.
      for (let i = pages - 1; i >= 0; i--) if (frames.mapcount[frame + i]! > 0) left.push(frame + i);
      continue;
    }
    result.keptMappings += mappings;
    if (outcome === 'activate') {
      frames.flags[frame]! |= PG_ACTIVE;
      result.rotated += pages;
      k.vmstat.pgactivate += pages;
      countMemcg(k, frames.group[frame]!, 'pgactivate', pages);
    }
    putBack(frame);
  }
  return result;
}

type Outcome = 'freed' | 'keep' | 'activate' | 'split';

function shrinkFolio(
  k: Kernel,
  walk: RmapWalk,
  frame: number,
  result: ShrinkResult,
  target: MemCgroup | null,
  ignoreReferences: boolean,
): Outcome {
  const { flags } = k.frames;
  if (k.gathered.size > 0 && k.gathered.has(frame)) return 'keep';
  if (flags[frame]! & PG_MLOCKED) {
    flags[frame] = (flags[frame]! & ~PG_ACTIVE) | PG_UNEVICTABLE;
    return 'keep';
  }
  const mappings = walk.mappingsOf(frame);
  // folio_update_gen: used while it was on its way here.
  if (k.lruGen && !ignoreReferences && mappings.length > 0 && flags[frame]! & PG_REFERENCED) return 'keep';
  const dirty = !(flags[frame]! & PG_SWAPBACKED) && (flags[frame]! & PG_DIRTY) !== 0 && !(flags[frame]! & PG_ANON);
  if (dirty) result.dirty++;
  if (!ignoreReferences) {
    const seen = folioCheckReferences(k, frame, mappings, target);
    if (seen === 'activate' || seen === 'keep') return seen;
  }
  if (flags[frame]! & PG_ANON) return reclaimAnon(k, frame, mappings, result, target);
  const object = k.objects[k.frames.owner[frame]!]!;
  if (object.kind === 'ramfs') {
    flags[frame]! |= PG_UNEVICTABLE;
    return 'keep';
  }
  if (object.kind === 'shmem') return reclaimShmem(k, frame, mappings, result, target);
  unmapFile(k, frame, mappings);
  if (flags[frame]! & PG_DIRTY) {
    // The flusher writes it, and it is freed when that is done.
    flags[frame]! |= PG_RECLAIM;
    return 'activate';
  }
  const index = k.frames.index[frame]!;
  const shadow = workingsetEviction(k, frame, target);
  if (object.buffers.has(index)) result.buffered++;
  filemapRemoveFolio(k, object, index, frame, shadow);
  freePage(k, frame);
  return 'freed';
}

/** folio_check_references. */
function folioCheckReferences(
  k: Kernel,
  frame: number,
  mappings: readonly Mapping[],
  target: MemCgroup | null,
): 'activate' | 'keep' | 'reclaim' {
  const { flags } = k.frames;
  const { referenced, flags: used } = folioReferenced(k, frame, mappings, target);
  const marked = (flags[frame]! & PG_REFERENCED) !== 0;
  flags[frame]! &= ~PG_REFERENCED;
  if (used & VM_LOCKED) {
    mlockFolio(k, frame);
    return 'activate';
  }
  if (referenced > 0) {
    flags[frame]! |= PG_REFERENCED;
    if (marked || referenced > 1) return 'activate';
    if (!(flags[frame]! & PG_SWAPBACKED) && used & VM_EXEC) return 'activate';
    return 'keep';
  }
  return 'reclaim';
}

/** An anonymous page: lazily freed ones are dropped, others go to swap where there is some. */
function reclaimAnon(
  k: Kernel,
  frame: number,
  mappings: readonly Mapping[],
  result: ShrinkResult,
  target: MemCgroup | null,
): Outcome {
  const { flags } = k.frames;
  const pages = k.frames.sizeOf(frame);
  if (!(flags[frame]! & PG_SWAPBACKED)) {
    if (pages > 1 && mappings.some((mapping) => entryOf(mapping) & PTE_DIRTY)) flags[frame]! |= PG_DIRTY;
    if (pages > 1 && flags[frame]! & PG_DIRTY) {
      flags[frame]! |= PG_SWAPBACKED;
      return 'activate';
    }
    const group = k.frames.group[frame]!;
    if (pages > 1) {
      if (mappings.some(({ huge }) => !huge)) {
        splitHugePage(k, frame);
        return 'split';
      }
      for (const { vma, pmd, page } of mappings) unmapHuge(k, vma, pmd, page, frame);
      freeHugePage(k, frame);
    } else {
      for (const { vma, page, pmd } of mappings) {
        if (pmd.get(page % 512) & PTE_DIRTY) flags[frame]! |= PG_DIRTY;
        // Written again since it was given up, or by others who have it; those before have lost it.
        if (flags[frame]! & PG_DIRTY) {
          flags[frame]! |= PG_SWAPBACKED;
          return 'activate';
        }
        pmd.set(page % 512, 0);
        vma.mm.tlb?.flush(page, page + 1);
        vma.mm.rss[MM_ANONPAGES]--;
        pageRemoveRmap(k, frame);
      }
      freePage(k, frame);
    }
    k.vmstat.pglazyfreed += pages;
    countMemcg(k, group, 'pglazyfreed', pages);
    return 'freed';
  }
  // Also where there is no swap: that there is none is found out by trying.
  if (pages > 1) {
    if (swapOutHuge(k, frame, mappings, result, target)) return 'freed';
    splitHugePage(k, frame);
    return 'split';
  }
  const isCached = (flags[frame]! & PG_SWAPCACHE) !== 0;
  const slot = isCached ? slotOfCached(k, frame) : getSwapPage(k, frame);
  if (slot === 0) return 'activate';
  const isClean = isCached && !(flags[frame]! & PG_DIRTY) && !mappings.some((at) => entryOf(at) & PTE_DIRTY);
  if (!isClean && !swapWritepage(k, slot)) {
    if (!isCached) putSwapFolio(k, slot);
    return 'activate';
  }
  for (const { vma, page, pmd } of mappings) {
    pmd.set(page % 512, pteOf(slot, PTE_SWAP));
    vma.mm.tlb?.flush(page, page + 1);
    swapDuplicate(k, slot);
    k.mmlist.add(vma.mm);
    vma.mm.rss[MM_ANONPAGES]--;
    vma.mm.rss[MM_SWAPENTS]++;
    pageRemoveRmap(k, frame);
  }
  if (!isClean) result.paged++;
  forgetSwapFrame(k, slot, workingsetEviction(k, frame, target));
  freePage(k, frame);
  return 'freed';
}

/** A huge page that goes to swap as it is. @returns false where it has to be split for that. */
function swapOutHuge(
  k: Kernel,
  head: number,
  mappings: readonly Mapping[],
  result: ShrinkResult,
  target: MemCgroup | null,
): boolean {
  if (mappings.some(({ huge }) => !huge)) return false;
  const first = getSwapCluster(k, head);
  if (first === 0) return false;
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    if (swapWritepage(k, first + i, HPAGE_PMD_NR)) continue;
    for (let slot = first; slot < first + HPAGE_PMD_NR; slot++) putSwapFolio(k, slot);
    return false;
  }
  k.frames.flags[head]! |= PG_SWAPCACHE;
  for (const { vma, pmd, page } of mappings) {
    unmapHuge(k, vma, pmd, page, head);
    for (let i = 0; i < HPAGE_PMD_NR; i++) {
      pmd.set(i, pteOf(first + i, PTE_SWAP));
      swapDuplicate(k, first + i);
    }
    k.mmlist.add(vma.mm);
    vma.mm.rss[MM_SWAPENTS] += HPAGE_PMD_NR;
  }
  k.frames.flags[head]! &= ~PG_SWAPCACHE;
  result.paged += HPAGE_PMD_NR;
  const shadow = workingsetEviction(k, head, target);
  for (let i = 0; i < HPAGE_PMD_NR; i++) forgetSwapFrame(k, first + i, shadow);
  freeHugePage(k, head);
  return true;
}

/** A hole that was only read: zeros, which the next fault makes anew. */
function dropClean(k: Kernel, frame: number, mappings: readonly Mapping[]): void {
  unmapFile(k, frame, mappings);
  const object = k.objects[k.frames.owner[frame]!]!;
  filemapRemoveFolio(k, object, k.frames.index[frame]!, frame);
  object.droppedPages++;
  if (object.mount) object.mount.usedPages++;
  if (object.accountsEachPage) k.committed++;
  freePage(k, frame);
}

function reclaimShmem(
  k: Kernel,
  frame: number,
  mappings: readonly Mapping[],
  result: ShrinkResult,
  target: MemCgroup | null,
): Outcome {
  const isDirty = k.frames.flags[frame]! & PG_DIRTY || mappings.some((at) => entryOf(at) & PTE_DIRTY);
  if (!isDirty && k.frames.sizeOf(frame) === 1) {
    dropClean(k, frame, mappings);
    return 'freed';
  }
  if (k.swapTotal === 0) return 'activate';
  if (k.frames.sizeOf(frame) > 1) {
    splitHugePage(k, frame);
    return 'split';
  }
  const object = k.objects[k.frames.owner[frame]!]!;
  const index = k.frames.index[frame]!;
  const slot = getSwapPage(k, frame);
  if (slot === 0) return 'activate';
  if (!swapWritepage(k, slot)) {
    putSwapFolio(k, slot);
    return 'activate';
  }
  unmapFile(k, frame, mappings);
  swapDuplicate(k, slot);
  const { mount, accountsEachPage } = object;
  filemapRemoveFolio(k, object, index, frame, 'replaced');
  if (mount) mount.usedPages++;
  if (accountsEachPage) k.committed++;
  shmemRecalcInode(k, object);
  swappedPages(object).set(index, slot);
  k.shmemSwaplist.add(object);
  result.paged++;
  forgetSwapFrame(k, slot, workingsetEviction(k, frame, target));
  freePage(k, frame);
  return 'freed';
}

/** try_to_unmap_one with TTU_SPLIT_HUGE_PMD: the entry becomes a table, of which nothing stays. */
function unmapHuge(k: Kernel, vma: Vma, pmd: Pmd, page: number, head: number): void {
  splitHugePmd(k, vma, pmd);
  vma.mm.tlb?.flush(page, page + HPAGE_PMD_NR);
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    pmd.set(i, 0);
    pageRemoveRmap(k, head + i);
  }
  vma.mm.rss[MM_ANONPAGES] -= HPAGE_PMD_NR;
}

const entryOf = ({ pmd, page, huge }: Mapping): number => (huge ? pmd.huge : pmd.get(page % 512));

/** try_to_unmap of a page of an object. */
function unmapFile(k: Kernel, frame: number, mappings: readonly Mapping[]): void {
  const member = k.frames.flags[frame]! & PG_SWAPBACKED ? MM_SHMEMPAGES : MM_FILEPAGES;
  for (const { vma, page, pmd } of mappings) {
    const pte = pmd.get(page % 512);
    if (pte & PTE_DIRTY) k.frames.flags[frame]! |= PG_DIRTY;
    pmd.set(page % 512, 0);
    vma.mm.rss[member]--;
    pageRemoveRmap(k, frame);
  }
}

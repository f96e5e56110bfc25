/** mm/rmap.c: mappings of frames, counted, and who has used them. */
import {
  HPAGE_PMD_NR,
  PG_ANON,
  PG_DEFERRED,
  PG_EXCLUSIVE,
  PG_HEAD,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_TAIL,
} from './frames.ts';
import type { Kernel } from './kernel.ts';
import { lruGenLookAround } from './lru-gen-look-around.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { mlockNewPage, munlockPage } from './mlock-batch.ts';
import type { AnonVma, Vma } from './mm-types.ts';
import { PTE_YOUNG } from './page-table.ts';
import { vmaHasRecency } from './recency.ts';
import { type Mapping, RmapWalk } from './rmap-walk.ts';
import { updateStat } from './rstat.ts';
import { folioAddLru } from './swap-lru.ts';
import { VM_EXEC, VM_LOCKED, VM_READ, VM_SEQ_READ, VM_WRITE } from './vm-flags.ts';
import { chargeAnonVma, chargeChain } from './vma-slab.ts';

/** anon_vma_prepare: the first anonymous page of a mapping. */
export function anonVmaPrepare(k: Kernel, vma: Vma): void {
  if (vma.anonVma) return;
  const neighbour = findMergeableAnonVma(vma);
  if (neighbour) {
    vma.cloneAnonVma(neighbour);
    chargeChain(k, vma, neighbour.chainLength);
    return;
  }
  const anonVma: AnonVma = { id: k.anonVmas.length, vmas: new Set([vma]) };
  k.anonVmas.push(anonVma);
  vma.anonVma = anonVma;
  vma.anonId = ++k.lastAnonId;
  chargeAnonVma(k, vma, 0);
}

const VM_ACCESS_FLAGS = VM_READ | VM_WRITE | VM_EXEC;

/** find_mergeable_anon_vma: a neighbour that could be one mapping with this one but for what may be done with it. */
function findMergeableAnonVma(vma: Vma): Vma | undefined {
  const { vmas } = vma.mm;
  const at = vmas.indexOf(vma);
  const compatible = (lower: Vma, upper: Vma): boolean =>
    lower.end === upper.start &&
    lower.object === upper.object &&
    ((lower.flags ^ upper.flags) & ~VM_ACCESS_FLAGS) === 0 &&
    lower.linearIndex(upper.start) === upper.pgoff;
  const above = vmas[at + 1];
  if (above?.anonVma && !above.inherited && compatible(vma, above)) return above;
  const below = vmas[at - 1];
  return below?.anonVma && !below.inherited && compatible(below, vma) ? below : undefined;
}

/** page_add_new_anon_rmap and lru_cache_add_inactive_or_unevictable: a fresh private page, mapped once. */
export function pageAddNewAnonRmap(k: Kernel, frame: number, vma: Vma, page: number, locked: boolean): void {
  const { frames } = k;
  const huge = (frames.flags[frame]! & PG_HEAD) !== 0;
  const pages = huge ? HPAGE_PMD_NR : 1;
  frames.flags[frame]! |= PG_ANON | PG_SWAPBACKED | PG_EXCLUSIVE;
  frames.owner[frame] = vma.anonVma!.id;
  frames.index[frame] = vma.linearIndex(page);
  if (huge) {
    for (let i = 1; i < HPAGE_PMD_NR; i++) {
      frames.flags[frame + i]! |= PG_ANON | PG_SWAPBACKED;
      frames.owner[frame + i] = vma.anonVma!.id;
      frames.index[frame + i] = vma.linearIndex(page + i);
    }
    frames.compoundMapcount[frame >> 9] = 1;
    k.vmstat.nr_anon_transparent_hugepages++;
    updateStat(k, k.groups[frames.group[frame]!]!, pages).anon_thp += pages;
  } else frames.mapcount[frame] = 1;
  k.vmstat.nr_anon_pages += pages;
  updateStat(k, k.groups[frames.group[frame]!]!, pages).anon += pages;
  if (locked) mlockNewPage(k, frame);
  else folioAddLru(k, frame);
}

/** page_add_file_rmap. */
export function pageAddFileRmap(k: Kernel, frame: number): void {
  if (k.frames.mapcount[frame]!++ === 0 && k.frames.mapcountOf(frame) === 1) {
    k.vmstat.nr_mapped++;
    updateStat(k, k.groups[k.frames.group[frame]!]!, 1).file_mapped++;
  } else k.frames.sharing++;
}

/** page_remove_rmap of one page; a huge page with pages left behind goes on the list of those to be split. */
export function pageRemoveRmap(k: Kernel, frame: number): void {
  const { frames } = k;
  const left = --frames.mapcount[frame]!;
  if (left > 0 || frames.flags[frame]! & (PG_HEAD | PG_TAIL)) frames.sharing++;
  if (!(frames.flags[frame]! & PG_ANON)) {
    if (left === 0 && frames.mapcountOf(frame) === 0) {
      k.vmstat.nr_mapped--;
      updateStat(k, k.groups[frames.group[frame]!]!, 1).file_mapped--;
    }
    return;
  }
  if (frames.mapcountOf(frame) > 0) return;
  k.vmstat.nr_anon_pages--;
  updateStat(k, k.groups[frames.group[frame]!]!, 1).anon--;
  if (frames.flags[frame]! & (PG_HEAD | PG_TAIL)) deferredSplitHugePage(k, frames.headOf(frame));
}

/** Huge pages of which a part is mapped no more. */
const deferredOf = new WeakMap<Kernel, Set<number>>();

export function deferredSplitQueue(k: Kernel): Set<number> {
  let own = deferredOf.get(k);
  if (!own) {
    own = new Set();
    deferredOf.set(k, own);
  }
  return own;
}

export function deferredSplitHugePage(k: Kernel, head: number): void {
  // One in the swap cache is being reclaimed as it is.
  if (k.frames.flags[head]! & (PG_DEFERRED | PG_SWAPCACHE)) return;
  k.frames.flags[head]! |= PG_DEFERRED;
  deferredSplitQueue(k).add(head);
  k.vmstat.thp_deferred_split_page++;
}

/** page_remove_rmap of a huge entry: the last one unmaps what no small entry maps. */
export function removeCompoundRmap(k: Kernel, head: number): void {
  const { frames } = k;
  const left = --frames.compoundMapcount[head >> 9]!;
  frames.sharing++;
  if (left > 0) return;
  k.vmstat.nr_anon_transparent_hugepages--;
  const stat = updateStat(k, k.groups[frames.group[head]!]!, HPAGE_PMD_NR);
  stat.anon_thp -= HPAGE_PMD_NR;
  let unmapped = 0;
  for (let i = 0; i < HPAGE_PMD_NR; i++) if (frames.mapcount[head + i] === 0) unmapped++;
  k.vmstat.nr_anon_pages -= unmapped;
  stat.anon -= unmapped;
  if (unmapped > 0 && unmapped < HPAGE_PMD_NR) deferredSplitHugePage(k, head);
}

/** page_add_file_rmap of a huge page of shared memory. */
export function addHugeFileRmap(k: Kernel, head: number): void {
  const { frames } = k;
  frames.sharing++;
  if (frames.compoundMapcount[head >> 9]!++ > 0) return;
  k.vmstat.nr_shmem_pmdmapped++;
  countMappedPages(k, head, 1);
}

/** page_remove_rmap of one. */
export function removeHugeFileRmap(k: Kernel, head: number): void {
  const { frames } = k;
  frames.sharing++;
  if (--frames.compoundMapcount[head >> 9]! > 0) return;
  k.vmstat.nr_shmem_pmdmapped--;
  countMappedPages(k, head, -1);
}

/** Of its pages those that no small entry maps. */
function countMappedPages(k: Kernel, head: number, by: 1 | -1): void {
  const { frames } = k;
  let pages = 0;
  for (let i = 0; i < HPAGE_PMD_NR; i++) if (frames.mapcount[head + i] === 0) pages++;
  k.vmstat.nr_mapped += by * pages;
  updateStat(k, k.groups[frames.group[head]!]!, pages).file_mapped += by * pages;
}

/** Whether nothing maps any page of the huge page. */
export function hugePageUnmapped(k: Kernel, head: number): boolean {
  const { frames } = k;
  if (frames.compoundMapcountOf(head) > 0) return false;
  for (let i = 0; i < HPAGE_PMD_NR; i++) if (frames.mapcount[head + i]! > 0) return false;
  return true;
}

/**
 * folio_referenced: entries that were used since the last look, whose bits it clears. Reclaim for a group (`target`) does not look at
 * what others use; where it is for the machine, or nobody's, all count.
 */
export function folioReferenced(
  k: Kernel,
  frame: number,
  mappings: readonly Mapping[],
  target: MemCgroup | null,
): { referenced: number; flags: number } {
  let referenced = 0;
  let flags = 0;
  for (const { vma, page, pmd, huge } of mappings) {
    if (target && !vma.mm.group.isIn(target)) continue;
    if (k.lruGen && !vmaHasRecency(k, vma)) continue;
    if (vma.flags & VM_LOCKED) return { referenced, flags: flags | VM_LOCKED };
    if (k.lruGen && !huge) {
      if (!lruGenLookAround(k, frame, vma, page, pmd)) continue;
      referenced++;
      flags |= vma.flags & ~VM_LOCKED;
      continue;
    }
    const own = huge ? pmd.huge : pmd.get(page % 512);
    if (!(own & PTE_YOUNG)) continue;
    if (huge) pmd.huge &= ~PTE_YOUNG;
    else pmd.set(page % 512, own & ~PTE_YOUNG);
    vma.mm.tlb?.flush(page, page + (huge ? HPAGE_PMD_NR : 1));
    if (!huge && vma.flags & VM_SEQ_READ) continue;
    referenced++;
    flags |= vma.flags & ~VM_LOCKED;
  }
  if (k.frames.sizeOf(frame) > 1 && mappings.length === 0) referenced += referencedParts(k, frame);
  return { referenced, flags };
}

/** Of a huge page that is mapped by small entries only. */
function referencedParts(k: Kernel, head: number): number {
  const walk = new RmapWalk(k);
  let referenced = 0;
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    if (k.frames.mapcount[head + i] === 0) continue;
    for (const { vma, page, pmd, huge } of walk.mappingsOf(head + i)) {
      const pte = huge ? pmd.huge : pmd.get(page % 512);
      if (!(pte & PTE_YOUNG)) continue;
      referenced++;
      vma.mm.tlb?.flush(page, page + 1);
      if (huge) pmd.huge &= ~PTE_YOUNG;
      else pmd.set(page % 512, pte & ~PTE_YOUNG);
    }
  }
  return referenced;
}

/** munlock_vma_page: entries of a locked mapping for parts of a huge page are not counted, the huge entry is. */
export function munlockVmaPage(k: Kernel, vma: Vma, frame: number, compound = false): void {
  if (!(vma.flags & VM_LOCKED)) return;
  if (compound || !(k.frames.flags[frame]! & (PG_HEAD | PG_TAIL))) munlockPage(k, frame);
}

/** mm/swapfile.c, mm/swap_state.c and do_swap_page: pages that lie in swap. */

import { assert } from '../../sim/contract/assert.ts';
import { HPAGE_PMD_NR, PG_ANON, PG_DIRTY, PG_EXCLUSIVE, PG_SWAPBACKED, PG_SWAPCACHE } from './frames.ts';
import type { Kernel, Task } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { isSwapFull, tryChargeSwap, unchargeSwap } from './memcg-swap.ts';
import { countMemcg } from './memcontrol.ts';
import { mlockFolio } from './mlock-batch.ts';
import { MM_ANONPAGES, MM_SWAPENTS, type Vma } from './mm-types.ts';
import { allocPage, freePage, giveKernelPages, takeKernelPages } from './page-alloc.ts';
import { frameOfPte, type Pmd, PTE_DIRTY, PTE_PRESENT, PTE_SWAP, PTE_WRITE, PTE_YOUNG, pteOf } from './page-table.ts';
import { swapinNrPages } from './readahead.ts';
import { SWAP_ENTRY_US, SWAP_OUT_US, SWAP_SLOT_US } from './recorded-prices.ts';
import { addMmCounterFast } from './rss.ts';
import { updateStat } from './rstat.ts';
import { type Shadow, ShadowTable } from './shadow-table.ts';
import { mapPages, SwapClusters, swapMapPages } from './swap-clusters.ts';
import { folioAddLru, lruAddDrain, releaseFromLru } from './swap-lru.ts';
import { disableSlotsCache, folioAllocSwap, freeSwapSlot, type Slot, type SwapArea } from './swap-slots.ts';
import { VM_LOCKED, VM_SHARED, VM_WRITE } from './vm-flags.ts';
import { workingsetRefault } from './workingset.ts';
import type { Zram } from './zram.ts';

const areas = new WeakMap<Kernel, SwapArea>();

/** swapon: an area of so many pages. @returns false where its map is more than the machine's memory (vmalloc does not try then). */
export function swapOn(k: Kernel, pages: number, zram?: Zram): boolean {
  if (swapMapPages(pages) > k.totalPages) return false;
  const before = areas.get(k);
  if (before) {
    for (const { slot, group } of before.cache.returned) {
      before.zram?.free(slot);
      if (group) unchargeSwap(k, group, 1);
    }
    giveKernelPages(k, mapPages(before.limit));
  }
  const cache = { isActive: false, slots: [], returned: [] };
  areas.set(k, {
    slots: [],
    clusters: new SwapClusters(pages),
    limit: pages,
    zram,
    cache,
    cached: new Map(),
    shadows: new ShadowTable(),
    readahead: { page: 0, window: 0, hits: 4 },
  });
  takeKernelPages(k, mapPages(pages));
  // The first page is the header.
  k.swapTotal = Math.max(0, pages - 1);
  k.swapFree = k.swapTotal;
  return true;
}

const areaOf = (k: Kernel): SwapArea => areas.get(k)!;

/** swapoff, before it reads anything back: the area counts for nothing, and gives no slots. nr_swap_pages is below 0 by what lies there. */
export function disableSwap(k: Kernel): void {
  disableSlotsCache(k, areaOf(k));
  k.swapFree -= k.swapTotal;
  k.swapTotal = 0;
}

/** reinsert_swap_info: the area goes on with what is still there. */
export function enableSwap(k: Kernel, pages: number): void {
  k.swapTotal = pages;
  k.swapFree += pages;
}

/** The compressed memory that swap lies in, or undefined. */
export const zramOf = (k: Kernel): Zram | undefined => areas.get(k)?.zram;

/** folio_alloc_swap: a slot for a page of the group, or 0 where swap is full. */
export function getSwapPage(k: Kernel, frame: number): number {
  const area = areas.get(k);
  const slot = area ? folioAllocSwap(k, area) : 0;
  const group = k.groups[k.frames.group[frame]!]!;
  const isCharged = tryChargeSwap(k, group, 1, slot !== 0);
  if (slot === 0) return 0;
  if (!isCharged) {
    freeSwapSlot(k, area!, slot, undefined);
    return 0;
  }
  const isExclusive = (k.frames.flags[frame]! & PG_EXCLUSIVE) !== 0;
  area!.slots[slot] = { count: 0, frame, group: group.id, isExclusive };
  return slot;
}

/**
 * folio_alloc_swap of a huge page (CONFIG_THP_SWAP): 512 slots in a row for its pages, the first of them. 0 where no cluster is free, and
 * always of a file, whose blocks need not lie in a row.
 */
export function getSwapCluster(k: Kernel, head: number): number {
  const area = areas.get(k);
  const first = area?.zram && k.swapFree >= HPAGE_PMD_NR ? area.clusters.takeCluster() : 0;
  const group = k.frames.group[head]!;
  const isCharged = tryChargeSwap(k, k.groups[group]!, HPAGE_PMD_NR, first !== 0);
  if (!area || first === 0) return 0;
  if (!isCharged) {
    for (let i = 0; i < HPAGE_PMD_NR; i++) area.clusters.give(first + i);
    return 0;
  }
  const isExclusive = (k.frames.flags[head]! & PG_EXCLUSIVE) !== 0;
  for (let i = 0; i < HPAGE_PMD_NR; i++) area.slots[first + i] = { count: 0, frame: head + i, group, isExclusive };
  k.swapFree -= HPAGE_PMD_NR;
  return first;
}

/** swap_writepage, of one of `together` pages of a call. @returns false where a device of compressed memory has no room: the page stays. */
export function swapWritepage(k: Kernel, slot: number, together = 1): boolean {
  const { zram } = areaOf(k);
  if (zram && !zram.write(slot)) return false;
  k.vmstat.pswpout++;
  // bdev_write_page: zram refuses a huge page, whose writeback that ends, and gets it again in a bio.
  k.vmstat.nr_written += zram && together > 1 ? 2 : 1;
  k.nowUs += SWAP_OUT_US / together + (zram?.compressUs ?? 0);
  return true;
}

/** put_swap_folio: the page is not written after all. */
export function putSwapFolio(k: Kernel, slot: number): void {
  const area = areaOf(k);
  const { group } = area.slots[slot]!;
  area.slots[slot] = undefined;
  freeSwapSlot(k, area, slot, k.groups[group]!);
}

/** Of a fork too, after which nobody has the page for himself. */
export function swapDuplicate(k: Kernel, slot: number): void {
  const own = areaOf(k).slots[slot]!;
  if (++own.count > 1) own.isExclusive = false;
}

/** free_swap_and_cache: an entry names the slot no more; what is mapped still keeps it, while there are slots enough. */
export function freeSwapAndCache(k: Kernel, slot: number): void {
  const own = areaOf(k).slots[slot]!;
  own.count--;
  k.nowUs += SWAP_ENTRY_US;
  if (own.count > 0) return;
  if (own.frame < 0) k.nowUs += SWAP_SLOT_US;
  if (own.frame < 0 || k.frames.mapcount[own.frame] === 0 || isSwapFull(k, groupOf(k, own))) endSlot(k, slot, own);
}

/** Who pays for the page that is in memory. */
const groupOf = (k: Kernel, { frame }: Slot): MemCgroup => k.groups[k.frames.group[frame]!]!;

/** Nobody names it: the slot is free, and so is a page that only it had. One that stays is dirty: it is nowhere else any more. */
function endSlot(k: Kernel, slot: number, own: Slot): void {
  const area = areaOf(k);
  const { frame } = own;
  if (frame >= 0) {
    deleteFromSwapCache(k, area, frame);
    if (k.frames.mapcount[frame] === 0 && k.frames.flags[frame]! & PG_ANON) freePage(k, frame);
    else k.frames.flags[frame]! |= PG_DIRTY;
  }
  area.slots[slot] = undefined;
  freeSwapSlot(k, area, slot, k.groups[own.group]!);
}

/** NR_SWAPCACHE, of the machine and of who pays for the page. */
function countSwapCached(k: Kernel, frame: number, by: 1 | -1): void {
  k.vmstat.nr_swapcached += by;
  updateStat(k, k.groups[k.frames.group[frame]!]!, 1).swapcached += by;
}

function addToSwapCache(k: Kernel, area: SwapArea, frame: number, slot: number): void {
  k.frames.flags[frame]! |= PG_SWAPCACHE | PG_SWAPBACKED | PG_ANON;
  countSwapCached(k, frame, 1);
  area.cached.set(frame, slot);
}

function deleteFromSwapCache(k: Kernel, area: SwapArea, frame: number): void {
  if (!(k.frames.flags[frame]! & PG_SWAPCACHE)) return;
  k.frames.flags[frame]! &= ~PG_SWAPCACHE;
  countSwapCached(k, frame, -1);
  area.cached.delete(frame);
}

/** folio_free_swap: takes a page out of the cache, which nothing in swap is for any more. @returns false where entries still name its slot. */
export function folioFreeSwap(k: Kernel, frame: number): boolean {
  const slot = slotOfCached(k, frame);
  const own = areaOf(k).slots[slot]!;
  if (own.count > 0) return false;
  endSlot(k, slot, own);
  return true;
}

/** shmem_swapin_folio: the object has the page, and the slot is nobody's. */
export function deleteSwapOfShmem(k: Kernel, slot: number): void {
  const own = areaOf(k).slots[slot]!;
  own.count--;
  assert(own.count === 0, 'a slot of shared memory has one entry');
  endSlot(k, slot, own);
}

/** __remove_mapping of a page in the swap cache: it is in its slot, its frame is free, and its shadow stays. */
export function forgetSwapFrame(k: Kernel, slot: number, shadow: Shadow): void {
  const area = areaOf(k);
  const own = area.slots[slot]!;
  deleteFromSwapCache(k, area, own.frame);
  area.shadows.put(slot, shadow);
  own.frame = -1;
}

/** folio_swap_entry: the slot of a page in the swap cache. */
export const slotOfCached = (k: Kernel, frame: number): number => areaOf(k).cached.get(frame)!;

/** swapoff: pages that are in memory, and in a slot too. */
export function emptySwapCache(k: Kernel): void {
  for (const frame of [...areaOf(k).cached.keys()]) folioFreeSwap(k, frame);
}

/** A fault of the task's had to read. */
function countMajorFault(k: Kernel, task: Task): void {
  k.vmstat.pgmajfault++;
  countMemcg(k, task.group.id, 'pgmajfault');
}

/** The frame of the slot, read where it is not in memory; -1 where there is no memory, or the slot has gone. Whose list it joins is the caller's. */
export function swapIn(k: Kernel, task: Task, slot: number): { frame: number; major: boolean } {
  const own = areaOf(k).slots[slot];
  if (!own) return { frame: -1, major: false };
  if (own.frame >= 0) return { frame: own.frame, major: false };
  const frame = readSwapCache(k, task, slot, own);
  return { frame, major: frame >= 0 };
}

/** __read_swap_cache_async and swap_readpage. */
function readSwapCache(k: Kernel, task: Task, slot: number, own: Slot): number {
  const frame = allocPage(k, k.groups[own.group]!.online ? k.groups[own.group]! : task.group);
  if (frame < 0) return frame;
  const area = areaOf(k);
  if (area.slots[slot] !== own) {
    // Who was killed for the page had the slot.
    freePage(k, frame);
    return -1;
  }
  own.frame = frame;
  k.vmstat.pswpin++;
  addToSwapCache(k, area, frame, slot);
  const shadow = area.shadows.take(slot);
  if (shadow) workingsetRefault(k, frame, shadow);
  k.nowUs += k.profile.prices.swapInUs + (zramOf(k)?.decompressUs ?? 0);
  return frame;
}

/** read_swap_cache_async: into the swap cache, for whoever comes. */
export function readSwapCacheAsync(k: Kernel, task: Task, slot: number): void {
  const own = areaOf(k).slots[slot]!;
  if (own.frame < 0 && readSwapCache(k, task, slot, own) >= 0) folioAddLru(k, own.frame);
}

/** swap_vma_readahead: the pages around the fault in its table and mapping, before or behind it where faults come in order. */
function swapVmaReadahead(k: Kernel, task: Task, vma: Vma, page: number, pmd: Pmd): void {
  const before = vma.swapReadahead;
  const window = swapinNrPages(before, page);
  vma.swapReadahead = { page, window, hits: 0 };
  if (window === 1) return;
  const first =
    page === before.page + 1
      ? page
      : page === before.page - 1
        ? page - window + 1
        : page - Math.floor((window - 1) / 2);
  const table = Math.floor(page / 512) * 512;
  const { slots } = areaOf(k);
  for (let at = Math.max(first, vma.start, table); at < Math.min(first + window, vma.end, table + 512); at++) {
    const pte = pmd.get(at % 512);
    if (at === page || !(pte & PTE_SWAP)) continue;
    const slot = frameOfPte(pte);
    const own = slots[slot]!;
    if (own.frame >= 0) continue;
    const frame = readSwapCache(k, task, slot, own);
    if (frame < 0) continue;
    own.isReadahead = true;
    folioAddLru(k, frame);
  }
  lruAddDrain(k);
}

/**
 * shmem_swapin and swap_cluster_readahead: the page of an object, with those in the slots beside it. It is on no list: the object's caller
 * adds it. `faulting`: whose fault it is, if it is one.
 */
export function shmemSwapin(k: Kernel, task: Task, slot: number, faulting: Task | null): number {
  const area = areaOf(k);
  const own = area.slots[slot]!;
  if (own.frame >= 0) {
    if (own.isReadahead) area.readahead = { ...area.readahead, hits: area.readahead.hits + 1 };
    releaseFromLru(k, own.frame);
    return own.frame;
  }
  const { hits, page } = area.readahead;
  const window = swapinNrPages(area.readahead, slot);
  area.readahead = { page: hits > 0 ? page : slot, window, hits: 0 };
  const start = slot - (slot % window);
  for (let at = Math.max(1, start); window > 1 && at < start + window; at++) {
    const beside = area.slots[at];
    if (at === slot || !beside || beside.count === 0 || beside.frame >= 0) continue;
    const frame = readSwapCache(k, task, at, beside);
    if (frame < 0) continue;
    beside.isReadahead = true;
    folioAddLru(k, frame);
  }
  if (window > 1) lruAddDrain(k);
  const { frame, major } = swapIn(k, task, slot);
  if (major && faulting) countMajorFault(k, faulting);
  return frame;
}

/** do_swap_page. A page that one process alone names is read for itself: the area is memory, and answers at once. */
export function doSwapPage(k: Kernel, task: Task, vma: Vma, page: number, write: boolean, pmd: Pmd): number {
  const slot = frameOfPte(pmd.get(page % 512));
  const own = areaOf(k).slots[slot]!;
  const isAlone = own.frame < 0 && own.count === 1;
  if (own.frame >= 0) {
    if (own.isReadahead) vma.swapReadahead = { ...vma.swapReadahead, page, hits: vma.swapReadahead.hits + 1 };
    else vma.swapReadahead = { ...vma.swapReadahead, page };
    own.isReadahead = false;
  } else if (own.count > 1) swapVmaReadahead(k, task, vma, page, pmd);
  const { frame, major } = swapIn(k, task, slot);
  if (frame < 0) return 2;
  // swapoff reads for others.
  if (major && k.current === task) countMajorFault(k, task);
  const { frames } = k;
  const { mm } = vma;
  addMmCounterFast(k, task, mm, MM_ANONPAGES, 1);
  addMmCounterFast(k, task, mm, MM_SWAPENTS, -1);
  if (frames.mapcount[frame]!++ === 0) {
    k.vmstat.nr_anon_pages++;
    updateStat(k, k.groups[frames.group[frame]!]!, 1).anon++;
    frames.owner[frame] = vma.anonVma!.id;
    frames.index[frame] = vma.linearIndex(page);
    if (major) folioAddLru(k, frame);
  } else frames.sharing++;
  if (vma.flags & VM_LOCKED) mlockFolio(k, frame);
  frames.flags[frame] = (frames.flags[frame]! | PG_ANON | PG_SWAPBACKED) & ~PG_EXCLUSIVE;
  own.count--;
  const isSole = frames.mapcount[frame] === 1;
  const freed =
    own.count === 0 &&
    (isAlone || isSwapFull(k, k.groups[frames.group[frame]!]!) || (vma.flags & VM_LOCKED) !== 0 || (write && isSole));
  const isExclusive = own.isExclusive;
  if (freed) endSlot(k, slot, own);
  // Read past the cache, it was never taken from there.
  if (isAlone) frames.flags[frame]! &= ~PG_DIRTY;
  let flags = PTE_PRESENT | PTE_YOUNG;
  if (isExclusive || (freed && isSole)) {
    frames.flags[frame]! |= PG_EXCLUSIVE;
    if (vma.flags & VM_WRITE && !(vma.flags & VM_SHARED) && write) flags |= PTE_WRITE | PTE_DIRTY;
  }
  pmd.set(page % 512, pteOf(frame, flags));
  return major ? 4 : 0;
}

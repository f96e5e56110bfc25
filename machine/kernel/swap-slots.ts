/** mm/swap_slots.c: slots of the area of swap, which a processor takes ahead and gives back together. */
import { assert } from '../../sim/contract/assert.ts';
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { unchargeSwap } from './memcg-swap.ts';
import type { SwapReadahead } from './readahead.ts';
import type { ShadowTable } from './shadow-table.ts';
import type { SwapClusters } from './swap-clusters.ts';
import type { Zram } from './zram.ts';

/** A page of swap: entries that name it, and the frame that has its content meanwhile (-1: none), which may outlast the entries. */
export interface Slot {
  count: number;
  frame: number;
  group: number;
  /** pte_swp_exclusive: its one entry is of a process that shared the page with none. */
  isExclusive: boolean;
  /** Read ahead, and not yet asked for. */
  isReadahead?: boolean;
}

export interface SwapArea {
  readonly slots: (Slot | undefined)[];
  readonly clusters: SwapClusters;
  readonly limit: number;
  /** Undefined: a file on the disk, which is memory of its own. */
  readonly zram: Zram | undefined;
  readonly cache: SlotsCache;
  /** Of readahead by the order of slots: prev_offset, last_readahead_pages, swapin_readahead_hits. */
  readahead: SwapReadahead;
  /** The swap cache: slots by the frames that have their content. */
  readonly cached: Map<number, number>;
  /** What reclaim remembers of the pages in the slots. */
  readonly shadows: ShadowTable;
}

/** swap_slots_cache of the processor: slots taken ahead, and such as are to be given back together. */
interface SlotsCache {
  isActive: boolean;
  readonly slots: number[];
  readonly returned: { readonly slot: number; readonly group: MemCgroup | undefined }[];
}

const SWAP_SLOTS_CACHE_SIZE = 64;
/** With more free slots the cache is used, with fewer it is emptied. */
const ACTIVATE_ABOVE = 5 * SWAP_SLOTS_CACHE_SIZE;
const DEACTIVATE_BELOW = 2 * SWAP_SLOTS_CACHE_SIZE;

/** A slot, or 0 where swap is full. */
export function folioAllocSwap(k: Kernel, area: SwapArea): number {
  const { cache } = area;
  checkCacheActive(k, area);
  if (cache.isActive) {
    if (cache.slots.length === 0) refillSwapSlotsCache(k, area);
    const slot = cache.slots.pop();
    if (slot !== undefined) return slot;
  }
  return k.swapFree <= 0 ? 0 : takeSlot(k, area);
}

/** The first that was taken is the first that is used. */
function refillSwapSlotsCache(k: Kernel, area: SwapArea): void {
  const { slots } = area.cache;
  for (let left = Math.min(SWAP_SLOTS_CACHE_SIZE, k.swapFree); left > 0; left--) slots.push(takeSlot(k, area));
  slots.reverse();
}

function takeSlot(k: Kernel, area: SwapArea): number {
  k.swapFree--;
  const slot = area.clusters.take();
  assert(slot > 0, 'there are free slots, and none is found');
  return slot;
}

function checkCacheActive(k: Kernel, area: SwapArea): void {
  const { cache } = area;
  if (!cache.isActive) {
    cache.isActive = k.swapFree > ACTIVATE_ABOVE;
    return;
  }
  if (k.swapFree < DEACTIVATE_BELOW) disableSlotsCache(k, area);
}

/** drain_slots_cache: what was taken ahead, and what was to be given back. */
export function disableSlotsCache(k: Kernel, area: SwapArea): void {
  const { cache } = area;
  cache.isActive = false;
  for (const slot of cache.slots.splice(0)) giveSlot(k, area, slot);
  swapcacheFreeEntries(k, area);
}

/** swap_range_free: a device that may forget what lies there does so, and so does the swap cache. */
function giveSlot(k: Kernel, area: SwapArea, slot: number): void {
  area.zram?.free(slot);
  area.shadows.take(slot);
  area.clusters.give(slot);
  k.swapFree++;
}

function swapcacheFreeEntries(k: Kernel, area: SwapArea): void {
  for (const { slot, group } of area.cache.returned.splice(0)) {
    if (group) unchargeSwap(k, group, 1);
    giveSlot(k, area, slot);
  }
}

/** free_swap_slot: who was charged for it (`group`) gets that back with the slot. */
export function freeSwapSlot(k: Kernel, area: SwapArea, slot: number, group: MemCgroup | undefined): void {
  const { returned } = area.cache;
  if (returned.length >= SWAP_SLOTS_CACHE_SIZE) swapcacheFreeEntries(k, area);
  returned.push({ slot, group });
}

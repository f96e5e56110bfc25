/** mm/swapfile.c, mm/swap_state.c and do_swap_page: pages that lie in swap, which may be memory too (zram). */

import { PG_ANON, PG_DIRTY, PG_EXCLUSIVE, PG_SWAPBACKED, PG_SWAPCACHE } from './frames.ts';
import type { Kernel, Task } from './kernel.ts';
import { MM_ANONPAGES, MM_SWAPENTS, VM_SHARED, VM_WRITE, type Vma } from './mm-types.ts';
import { allocPage, freePage } from './page-alloc.ts';
import { frameOfPte, type Pmd, PTE_DIRTY, PTE_PRESENT, PTE_WRITE, PTE_YOUNG, pteOf } from './page-table.ts';
import { SWAP_IN_US } from './recorded-prices.ts';
import { addMmCounterFast } from './rss.ts';
import { folioAddLru } from './swap-lru.ts';

/** A page of swap: entries that name it, and the frame that has its content meanwhile (-1: none). */
interface Slot {
  count: number;
  frame: number;
  group: number;
}

export interface SwapArea {
  readonly slots: (Slot | undefined)[];
  readonly free: number[];
  next: number;
  readonly limit: number;
}

const areas = new WeakMap<Kernel, SwapArea>();

/** swapon: an area of so many pages. */
export function swapOn(k: Kernel, pages: number): void {
  areas.set(k, { slots: [], free: [], next: 1, limit: pages });
  k.swapTotal = pages;
  k.swapFree = pages;
}

const areaOf = (k: Kernel): SwapArea => areas.get(k)!;

/** get_swap_page: a slot for a page of the group, or 0 where swap is full. */
export function getSwapPage(k: Kernel, frame: number): number {
  if (k.swapFree === 0) return 0;
  const area = areaOf(k);
  const slot = area.free.pop() ?? area.next++;
  area.slots[slot] = { count: 0, frame, group: k.frames.group[frame]! };
  k.swapFree--;
  k.groups[k.frames.group[frame]!]!.stat.swap++;
  return slot;
}

export function swapDuplicate(k: Kernel, slot: number): void {
  areaOf(k).slots[slot]!.count++;
}

/** swap_free: an entry names the slot no more. */
export function swapFreeEntry(k: Kernel, slot: number): void {
  const area = areaOf(k);
  const own = area.slots[slot]!;
  if (--own.count > 0) return;
  const { frame } = own;
  if (frame >= 0) {
    k.frames.flags[frame]! &= ~PG_SWAPCACHE;
    k.vmstat.nr_swapcached--;
    if (k.frames.mapcount[frame] === 0) freePage(k, frame);
  }
  k.groups[own.group]!.stat.swap--;
  area.slots[slot] = undefined;
  area.free.push(slot);
  k.swapFree++;
}

/** The page was written to swap and its frame is free. */
export function forgetSwapFrame(k: Kernel, slot: number): void {
  areaOf(k).slots[slot]!.frame = -1;
}

/** swapin_readahead without the readahead: the frame of the slot, read where it is not in memory; -1 where there is no memory. */
export function swapIn(k: Kernel, task: Task, slot: number): { frame: number; major: boolean } {
  const own = areaOf(k).slots[slot]!;
  if (own.frame >= 0) return { frame: own.frame, major: false };
  const frame = allocPage(k, k.groups[own.group]!.online ? k.groups[own.group]! : task.group);
  if (frame < 0) return { frame, major: false };
  own.frame = frame;
  k.vmstat.pswpin++;
  k.vmstat.pgmajfault++;
  k.vmstat.nr_swapcached++;
  k.frames.flags[frame]! |= PG_SWAPCACHE | PG_SWAPBACKED | PG_ANON;
  k.nowUs += SWAP_IN_US;
  return { frame, major: true };
}

/** do_swap_page. */
export function doSwapPage(k: Kernel, task: Task, vma: Vma, page: number, write: boolean, pmd: Pmd): number {
  const slot = frameOfPte(pmd.get(page % 512));
  const { frame, major } = swapIn(k, task, slot);
  if (frame < 0) return 2;
  const { frames } = k;
  const { mm } = vma;
  addMmCounterFast(k, task, mm, MM_ANONPAGES, 1);
  addMmCounterFast(k, task, mm, MM_SWAPENTS, -1);
  if (frames.mapcount[frame]!++ === 0) {
    k.vmstat.nr_anon_pages++;
    k.groups[frames.group[frame]!]!.stat.anon++;
    frames.owner[frame] = vma.anonVma!.id;
    frames.index[frame] = vma.linearIndex(page);
    if (major) folioAddLru(k, frame);
  } else frames.sharing++;
  const last = areaOf(k).slots[slot]!.count === 1;
  frames.flags[frame] = (frames.flags[frame]! | PG_ANON | PG_SWAPBACKED | PG_DIRTY) & ~PG_EXCLUSIVE;
  swapFreeEntry(k, slot);
  let flags = PTE_PRESENT | PTE_YOUNG;
  if (last && frames.mapcount[frame] === 1) {
    frames.flags[frame]! |= PG_EXCLUSIVE;
    if (vma.flags & VM_WRITE && !(vma.flags & VM_SHARED) && write) flags |= PTE_WRITE | PTE_DIRTY;
  }
  pmd.set(page % 512, pteOf(frame, flags));
  return major ? 4 : 0;
}

/** mm/memcontrol.c: what a group and those above it may have in swap (memory.swap.max). */
import type { Kernel } from './kernel.ts';
import { type MemCgroup, memcgSwapEvent } from './mem-cgroup.ts';
import { updateStat } from './rstat.ts';

/** mem_cgroup_try_charge_swap, where slots were found (`found`) and where there are none. @returns false where a limit forbids them. */
export function tryChargeSwap(k: Kernel, group: MemCgroup, pages: number, found: boolean): boolean {
  if (!found) {
    memcgSwapEvent(group, 'fail');
    return true;
  }
  for (let at: MemCgroup | null = group; at && !at.isRoot; at = at.parent) {
    if (at.swapUsage + pages <= at.swapMax) continue;
    at.swapFailcnt++;
    memcgSwapEvent(group, 'max');
    memcgSwapEvent(group, 'fail');
    return false;
  }
  for (let at: MemCgroup | null = group; at; at = at.parent) at.swapUsage += pages;
  updateStat(k, group, pages).swap += pages;
  return true;
}

/** __mem_cgroup_uncharge_swap. */
export function unchargeSwap(k: Kernel, group: MemCgroup, pages: number): void {
  for (let at: MemCgroup | null = group; at; at = at.parent) at.swapUsage -= pages;
  updateStat(k, group, pages).swap -= pages;
}

/** mem_cgroup_get_nr_swap_pages: of the free ones, what the group may take; below 0 where a limit was set below what is used. */
export function swapPagesOf(k: Kernel, group: MemCgroup): number {
  let pages = k.swapFree;
  for (let at: MemCgroup | null = group; at && !at.isRoot; at = at.parent)
    pages = Math.min(pages, at.swapMax - at.swapUsage);
  return pages;
}

/** mem_cgroup_swap_full: what is in memory again gives its slot up, where half of the area or of a limit is taken. */
export function isSwapFull(k: Kernel, group: MemCgroup): boolean {
  if (k.swapFree * 2 < k.swapTotal) return true;
  for (let at: MemCgroup | null = group; at && !at.isRoot; at = at.parent)
    if (at.swapUsage * 2 >= at.swapMax) return true;
  return false;
}

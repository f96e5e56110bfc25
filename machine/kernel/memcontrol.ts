/** mm/memcontrol.c: charges. */
import { assert } from '../../sim/contract/assert.ts';
import type { Kernel } from './kernel.ts';
import { type MemCgroup, memcgEvent } from './mem-cgroup.ts';
import { updateStat } from './rstat.ts';

const CHARGE_BATCH = 64;
const MAX_RECLAIM_RETRIES = 16;
/** 1 << PAGE_ALLOC_COSTLY_ORDER. */
const COSTLY_PAGES = 8;
const PAGE = 4096;
/** One charge that has had so many killed without effect has found a fault of the simulation: it ends instead of going round. */
export const MOST_KILLS = 10_000;

/** Counts an event of memory.stat (pgfault, pgscan, …). */
export function countMemcg(k: Kernel, groupId: number, name: string, n = 1): void {
  const stat = updateStat(k, k.groups[groupId]!, n);
  stat[name] = (stat[name] ?? 0) + n;
}

/** page_counter_try_charge: undefined where it fits, otherwise the group whose limit is met. */
function pageCounterTryCharge(group: MemCgroup, pages: number): MemCgroup | undefined {
  for (let at: MemCgroup | null = group; at; at = at.parent) {
    if (at.usage + pages > at.max) {
      at.failcnt++;
      return at;
    }
  }
  for (let at: MemCgroup | null = group; at; at = at.parent) {
    at.usage += pages;
    if (at.usage > at.peak) at.peak = at.usage;
  }
  return undefined;
}

/** page_counter_uncharge. */
export function pageCounterUncharge(group: MemCgroup, pages: number): void {
  for (let at: MemCgroup | null = group; at; at = at.parent) at.usage -= pages;
}

function drainStock(k: Kernel): void {
  if (k.stockGroup && k.stockPages > 0) pageCounterUncharge(k.stockGroup, k.stockPages);
  k.stockPages = 0;
  k.stockGroup = null;
}

/** drain_all_stock: what is in reserve for the group or one below it. */
export function drainAllStock(k: Kernel, group: MemCgroup): void {
  const isCharged = k.stockPages > 0 && k.stockGroup?.isIn(group);
  if (!isCharged && !k.objStock.group?.isIn(group)) return;
  drainObjStock(k);
  drainStock(k);
}

/** consume_stock. */
function consumeStock(k: Kernel, group: MemCgroup, pages: number): boolean {
  if (k.stockGroup !== group || k.stockPages < pages) return false;
  k.stockPages -= pages;
  return true;
}

/** refill_stock. */
function refillStock(k: Kernel, group: MemCgroup, pages: number): void {
  if (k.stockGroup !== group) drainStock(k);
  k.stockGroup = group;
  k.stockPages += pages;
  if (k.stockPages > CHARGE_BATCH) drainStock(k);
}

/**
 * try_charge_memcg: charges `pages` to the group and its ancestors, reclaiming in it and killing where it must.
 * @returns false where there is no memory for it: the fault is repeated or fails.
 */
export function tryChargeMemcg(
  k: Kernel,
  group: MemCgroup,
  pages: number,
  { huge = false, blocking = true } = {},
): boolean {
  if (group.isRoot) return true;
  let batch = Math.max(CHARGE_BATCH, pages);
  let retries = MAX_RECLAIM_RETRIES;
  let drained = false;
  let passedOom = false;
  let kills = 0;
  for (;;) {
    if (consumeStock(k, group, pages)) return true;
    const over = pageCounterTryCharge(group, batch);
    if (!over) break;
    if (batch > pages) {
      batch = pages;
      continue;
    }
    if (!blocking) return false;
    memcgEvent(over, 'max');
    const reclaimed = k.hooks.memcgReclaim(over, pages);
    if (over.usage + pages <= over.max) continue;
    if (!drained) {
      drainAllStock(k, over);
      drained = true;
      continue;
    }
    // A huge page is not worth more: single ones do (__GFP_NORETRY).
    if (huge) return false;
    if (reclaimed > 0 && pages <= COSTLY_PAGES) continue;
    if (retries-- > 0) continue;
    // Who was killed itself tries on as often as anyone, and then goes without.
    if (passedOom && k.current?.fatalSignal) return false;
    memcgEvent(over, 'oom');
    if (!k.hooks.memcgOutOfMemory(over)) return false;
    assert(++kills <= MOST_KILLS, 'who is killed for a charge gives memory back');
    passedOom = true;
    retries = MAX_RECLAIM_RETRIES;
  }
  if (batch > pages) refillStock(k, group, batch - pages);
  for (let at: MemCgroup | null = group; at; at = at.parent) {
    if (at.usage > at.high) {
      if (k.current) k.current.memcgOverHigh += batch;
      break;
    }
  }
  // Whoever charges much within one call does not get to its end before it must reclaim.
  if (blocking && k.current && k.current.memcgOverHigh > CHARGE_BATCH) k.hooks.memcgHandleOverHigh(k.current);
  return true;
}

function forceCharge(group: MemCgroup, pages: number): void {
  for (let at: MemCgroup | null = group; at; at = at.parent) at.usage += pages;
}

/** obj_cgroup_charge_pages (positive) and obj_cgroup_uncharge_pages: whole pages of the kernel's. @returns false where it may fail and does. */
export function chargeKernelPages(k: Kernel, groupId: number, pages: number, mayFail = false): boolean {
  const group = k.groups[groupId]!;
  if (group.isRoot || pages === 0) return true;
  updateStat(k, group, pages);
  group.kmemPages += pages;
  if (pages < 0) refillStock(k, group, -pages);
  else if (!tryChargeMemcg(k, group, pages)) {
    if (mayFail) {
      group.kmemPages -= pages;
      return false;
    }
    forceCharge(group, pages);
  }
  return true;
}

/** drain_obj_stock: whole pages of what is in reserve for objects go back, and the group keeps the rest for later. */
function drainObjStock(k: Kernel): void {
  const { group, bytes } = k.objStock;
  k.objStock = { group: null, bytes: 0 };
  if (!group) return;
  group.objBytes += bytes % PAGE;
  chargeKernelPages(k, group.id, -Math.floor(bytes / PAGE));
}

/** refill_obj_stock: whole pages are kept until something of the group is freed. */
function refillObjStock(k: Kernel, group: MemCgroup, bytes: number, mayUncharge: boolean): void {
  let gives = mayUncharge;
  if (k.objStock.group !== group) {
    drainObjStock(k);
    k.objStock = { group, bytes: group.objBytes };
    group.objBytes = 0;
    gives = true;
  }
  const { objStock } = k;
  objStock.bytes += bytes;
  if (!gives || objStock.bytes <= PAGE) return;
  const pages = Math.floor(objStock.bytes / PAGE);
  objStock.bytes %= PAGE;
  chargeKernelPages(k, group.id, -pages);
}

/** obj_cgroup_charge: an object of the group's, from what the processor has in reserve for it or with pages of its own. `mayFail`: who asks can do without. */
export function chargeObject(k: Kernel, groupId: number, bytes: number, mayFail = false): boolean {
  const group = k.groups[groupId]!;
  if (group.isRoot || bytes === 0) return true;
  if (k.objStock.group === group && k.objStock.bytes >= bytes) {
    k.objStock.bytes -= bytes;
    return true;
  }
  const pages = Math.ceil(bytes / PAGE);
  if (!chargeKernelPages(k, groupId, pages, mayFail)) return false;
  if (bytes % PAGE !== 0) refillObjStock(k, group, pages * PAGE - bytes, false);
  return true;
}

/** obj_cgroup_uncharge. */
export function unchargeObject(k: Kernel, groupId: number, bytes: number): void {
  const group = k.groups[groupId]!;
  if (!group.isRoot && bytes !== 0) refillObjStock(k, group, bytes, true);
}

/** mm/memcontrol.c: charges. */
import type { Kernel } from './kernel.ts';
import { type MemCgroup, memcgEvent } from './mem-cgroup.ts';

const CHARGE_BATCH = 64;

/** Counts an event of memory.stat (pgfault, pgscan, …). */
export function countMemcg(k: Kernel, groupId: number, name: string, n = 1): void {
  const { stat } = k.groups[groupId]!;
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
  if (k.stockGroup === group && k.stockPages >= pages) {
    k.stockPages -= pages;
    return true;
  }
  let batch = Math.max(CHARGE_BATCH, pages);
  let retries = 16;
  for (;;) {
    const over = pageCounterTryCharge(group, batch);
    if (!over) break;
    if (batch > pages) {
      batch = pages;
      continue;
    }
    if (k.current?.fatalSignal) {
      forceCharge(group, pages);
      return true;
    }
    if (!blocking) return false;
    memcgEvent(over, 'max');
    const reclaimed = k.hooks.memcgReclaim(over, pages);
    drainStock(k);
    if (over.usage + pages <= over.max || (reclaimed > 0 && pages <= 8)) continue;
    if (retries-- > 0 && reclaimed > 0) continue;
    if (retries > 0 && !huge) {
      // Attempts without progress come to an end only after MAX_RECLAIM_RETRIES of them.
      let progress = 0;
      while (retries-- > 0 && progress === 0) {
        memcgEvent(over, 'max');
        progress = k.hooks.memcgReclaim(over, pages);
      }
      if (progress > 0) continue;
    }
    if (huge) return false;
    memcgEvent(over, 'oom');
    if (!k.hooks.memcgOutOfMemory(over)) return false;
    retries = 16;
    if (k.current?.fatalSignal) {
      forceCharge(group, pages);
      return true;
    }
  }
  if (batch > pages) {
    if (k.stockGroup !== group) drainStock(k);
    k.stockGroup = group;
    k.stockPages += batch - pages;
    if (k.stockPages > CHARGE_BATCH) drainStock(k);
  }
  for (let at: MemCgroup | null = group; at; at = at.parent) {
    if (at.usage > at.high) {
      if (k.current) k.current.memcgOverHigh += batch;
      break;
    }
  }
  return true;
}

function forceCharge(group: MemCgroup, pages: number): void {
  for (let at: MemCgroup | null = group; at; at = at.parent) at.usage += pages;
}

/** Bytes of kernel objects charged to the group; whole pages go to the counter as they are filled. */
export function chargeKernelBytes(k: Kernel, groupId: number, bytes: number): void {
  const group = k.groups[groupId]!;
  if (group.isRoot || bytes === 0) return;
  const before = Math.ceil(group.kmemBytes / 4096);
  group.kmemBytes += bytes;
  const pages = Math.ceil(group.kmemBytes / 4096) - before;
  if (pages > 0) {
    if (!tryChargeMemcg(k, group, pages)) forceCharge(group, pages);
  } else if (pages < 0) pageCounterUncharge(group, -pages);
}

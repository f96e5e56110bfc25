/** mm/vmscan.c: what is taken back when memory runs short, in the order of the lists. */

import { wakeupFlusherThreads } from './flusher.ts';
import {
  LRU_ACTIVE_ANON,
  LRU_ACTIVE_FILE,
  LRU_INACTIVE_ANON,
  LRU_INACTIVE_FILE,
  PG_ACTIVE,
  PG_LRU,
  PG_REFERENCED,
  PG_UNEVICTABLE,
  PG_WORKINGSET,
} from './frames.ts';
import type { Kernel } from './kernel.ts';
import { lruGenDelFolio, lruGenOf } from './lru-gen-folio.ts';
import { lruGenShrinkLruvec, lruGenShrinkNode } from './lru-gen-memcg.ts';
import { lruNoteCost, lruvecAdd } from './lruvec.ts';
import { type MemCgroup, memcgEvent } from './mem-cgroup.ts';
import { memCgroupIter } from './mem-cgroup-iter.ts';
import { countMemcg } from './memcontrol.ts';
import { calculateProtection, isBelowLow, isBelowMin } from './protection.ts';
import { rcuDoBatch } from './rcu.ts';
import { shrinkFolioList } from './reclaim-folio.ts';
import {
  BULK_FREED_US,
  DEACTIVATED_US,
  KEPT_MAPPING_US,
  KEPT_US,
  RECLAIM_BATCH_US,
  RECLAIM_GROUP_US,
  RECLAIM_MACHINE_US,
  UNMAPPED_US,
} from './recorded-prices.ts';
import { folioReferenced } from './rmap.ts';
import { RmapWalk } from './rmap-walk.ts';
import { lruvecPageState, memCgroupFlushStats, updateStat } from './rstat.ts';
import {
  DEF_PRIORITY,
  getScanCount,
  inactiveIsLow,
  isActive,
  isFile,
  newScan,
  prepareScanCount,
  type ScanControl,
  SWAP_CLUSTER_MAX,
  seeRefaults,
  targetOf,
} from './scan-count.ts';
import { shrinkSlab } from './shrink-slab.ts';
import { lruAddDrain } from './swap-lru.ts';
import { VM_EXEC } from './vm-flags.ts';
import { vmpressure } from './vmpressure.ts';
import { pagesOnPcp } from './zone.ts';

/** isolate_lru_pages from the tail of a list. */
function isolate(k: Kernel, group: MemCgroup, lru: number, wanted: number): { frames: number[]; pages: number } {
  const { frames } = k;
  const taken: number[] = [];
  let pages = 0;
  while (pages < wanted) {
    const frame = frames.tailOf(group.id, lru);
    if (frame < 0) break;
    updateStat(k, group, frames.sizeOf(frame));
    frames.removeFromList(frame, group.id, lru);
    frames.flags[frame]! &= ~PG_LRU;
    taken.push(frame);
    pages += frames.sizeOf(frame);
  }
  return { frames: taken, pages };
}

function putBack(k: Kernel, frame: number): void {
  k.frames.flags[frame]! |= PG_LRU;
  lruvecAdd(k, frame);
}

/** shrink_active_list: what was not used since leaves the active list. */
export function shrinkActiveList(k: Kernel, group: MemCgroup, lru: number, wanted: number, sc: ScanControl): void {
  lruAddDrain(k);
  const { flags } = k.frames;
  const isolated = isolate(k, group, lru, wanted);
  if (!sc.cgroup) k.vmstat.pgrefill += isolated.pages;
  countMemcg(k, group.id, 'pgrefill', isolated.pages);
  k.nowUs += isolated.pages * DEACTIVATED_US;
  const walk = new RmapWalk(k);
  for (const frame of isolated.frames) {
    const mappings = walk.mappingsOf(frame);
    const { referenced, flags: used } = folioReferenced(k, frame, mappings, targetOf(sc));
    if (referenced > 0 && isFile(lru) && used & VM_EXEC) {
      putBack(k, frame);
      continue;
    }
    flags[frame] = (flags[frame]! & ~PG_ACTIVE) | PG_WORKINGSET;
    const pages = k.frames.sizeOf(frame);
    k.vmstat.pgdeactivate += pages;
    countMemcg(k, group.id, 'pgdeactivate', pages);
    putBack(k, frame);
  }
}

/** shrink_inactive_list. @returns pages freed. */
function shrinkInactiveList(k: Kernel, group: MemCgroup, lru: number, wanted: number, sc: ScanControl): number {
  lruAddDrain(k);
  const isolated = isolate(k, group, lru, wanted);
  if (isolated.pages === 0) return 0;
  const side = sc.kswapd ? 'kswapd' : 'direct';
  const kind = isFile(lru) ? 'file' : 'anon';
  k.vmstat[`pgscan_${kind}`] += isolated.pages;
  countMemcg(k, group.id, `pgscan_${side}`, isolated.pages);
  if (!sc.cgroup) k.vmstat[`pgscan_${side}`] += isolated.pages;
  const onPcpBefore = pagesOnPcp(k);
  const result = shrinkFolioList(k, isolated.frames, (frame) => putBack(k, frame), targetOf(sc));
  k.vmstat[`pgsteal_${kind}`] += result.reclaimed;
  countMemcg(k, group.id, `pgsteal_${side}`, result.reclaimed);
  if (!sc.cgroup) k.vmstat[`pgsteal_${side}`] += result.reclaimed;
  lruNoteCost(k, group, isFile(lru), result.paged);
  sc.nrScanned += isolated.pages;
  k.nowUs +=
    RECLAIM_BATCH_US +
    result.reclaimed * k.profile.prices.freedUs +
    (isolated.pages - result.reclaimed) * KEPT_US +
    result.keptMappings * KEPT_MAPPING_US +
    result.unmapped * UNMAPPED_US +
    result.buffered * k.profile.prices.bufferedUs +
    Math.max(0, result.reclaimed + onPcpBefore - pagesOnPcp(k)) * BULK_FREED_US;
  if (result.dirty === isolated.pages && (!sc.cgroup || k.profile.features.wakesFlushersForGroup))
    wakeupFlusherThreads(k);
  return result.reclaimed;
}

/** Reclaim on its way. Between its steps, each of which takes its time, others may have the processor (cond_resched). */
export type Reclaiming = Generator<undefined, void, void>;

/** shrink_lruvec. */
function* shrinkLruvec(k: Kernel, group: MemCgroup, sc: ScanControl): Reclaiming {
  if (k.lruGen) {
    yield* lruGenShrinkLruvec(k, lruGenOf(k, group.id), sc);
    return;
  }
  const nr = getScanCount(k, group, sc);
  const targets = [...nr];
  const proportional = !sc.cgroup && !sc.kswapd && sc.priority === DEF_PRIORITY;
  let adjusted = false;
  let reclaimed = 0;
  while (nr[LRU_INACTIVE_ANON]! > 0 || nr[LRU_ACTIVE_FILE]! > 0 || nr[LRU_INACTIVE_FILE]! > 0) {
    for (let lru = 0; lru < 4; lru++) {
      if (nr[lru] === 0) continue;
      const some = Math.min(nr[lru]!, SWAP_CLUSTER_MAX);
      nr[lru]! -= some;
      if (!isActive(lru)) reclaimed += shrinkInactiveList(k, group, lru, some, sc);
      else if (isFile(lru) ? sc.deactivateFile : sc.deactivateAnon) shrinkActiveList(k, group, lru, some, sc);
      else {
        sc.skippedDeactivate = true;
        continue;
      }
      yield;
    }
    if (reclaimed < sc.nrToReclaim || proportional || adjusted) continue;
    const file = nr[LRU_INACTIVE_FILE]! + nr[LRU_ACTIVE_FILE]!;
    const anon = nr[LRU_INACTIVE_ANON]! + nr[LRU_ACTIVE_ANON]!;
    if (file === 0 || anon === 0) break;
    // The smaller list is left alone, and the larger gets the same part of its target.
    const smaller = file > anon ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE;
    const larger = file > anon ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
    const target = targets[smaller]! + targets[smaller + 1]! + 1;
    const percent = Math.floor(((file > anon ? anon : file) * 100) / target);
    nr[smaller] = 0;
    nr[smaller + 1] = 0;
    for (const lru of [larger, larger + 1]) {
      const done = targets[lru]! - nr[lru]!;
      const goal = Math.floor((targets[lru]! * (100 - percent)) / 100);
      nr[lru] = goal - Math.min(goal, done);
    }
    adjusted = true;
  }
  sc.nrReclaimed += reclaimed;
  if (k.swapTotal > 0) {
    const inactive = lruvecPageState(k, group, LRU_INACTIVE_ANON);
    if (inactiveIsLow(k, inactive, lruvecPageState(k, group, LRU_ACTIVE_ANON))) {
      shrinkActiveList(k, group, LRU_ACTIVE_ANON, SWAP_CLUSTER_MAX, sc);
    }
  }
}

/** Whether the group's protection keeps it from reclaim: before 6.2 the target's own does as well. */
function isSpared(k: Kernel, group: MemCgroup, sc: ScanControl): boolean {
  const sparesTarget = !k.profile.features.partialWalks;
  const belowMin = sparesTarget ? group.usage <= group.emin : isBelowMin(sc.target, group);
  if (belowMin) return true;
  const belowLow = sparesTarget ? group.usage <= group.elow : isBelowLow(sc.target, group);
  if (!belowLow) return false;
  if (!sc.memcgLowReclaim) {
    sc.memcgLowSkipped = true;
    return true;
  }
  memcgEvent(group, 'low');
  return false;
}

/** Passes that freed nothing, one after another (kswapd_failures). */
const kswapdFailures = new WeakMap<Kernel, number>();

/** Times that kswapd tries in vain, after which it leaves reclaim to those who ask. */
const MAX_RECLAIM_RETRIES = 16;

export const isHopelessNode = (k: Kernel): boolean => (kswapdFailures.get(k) ?? 0) >= MAX_RECLAIM_RETRIES;

export const countKswapdFailure = (k: Kernel): void => {
  kswapdFailures.set(k, (kswapdFailures.get(k) ?? 0) + 1);
};

/** shrink_node: every group below the target, and the shrinkers. Where something was freed, kswapd may try again. */
export function* shrinkNode(k: Kernel, sc: ScanControl): Reclaiming {
  const reclaimedBefore = sc.nrReclaimed;
  yield* shrinkGroups(k, sc);
  if (sc.nrReclaimed > reclaimedBefore) kswapdFailures.set(k, 0);
}

function* shrinkGroups(k: Kernel, sc: ScanControl): Reclaiming {
  sc.fileTaken = 0;
  sc.unqueuedDirty = 0;
  if (sc.target.isRoot) k.nowUs += RECLAIM_MACHINE_US;
  if (k.lruGen) {
    if (sc.target.isRoot) {
      yield* lruGenShrinkNode(k, sc);
      return;
    }
  } else {
    memCgroupFlushStats(k);
    prepareScanCount(k, sc);
  }
  const scannedBefore = sc.nrScanned;
  const isPartial = k.profile.features.partialWalks && !sc.kswapd && !sc.memcgFullWalk;
  for (const group of isPartial ? memCgroupIter(sc.target) : [...sc.target.subtree()]) {
    if (group !== sc.target) k.nowUs += RECLAIM_GROUP_US;
    calculateProtection(sc.target, group);
    if (!group.isRoot && isSpared(k, group, sc)) continue;
    yield* shrinkLruvec(k, group, sc);
    sc.nrReclaimed += shrinkSlab(k, group, sc.priority);
    if (isPartial && sc.nrReclaimed >= sc.nrToReclaim) break;
  }
  vmpressure(k, sc.target, sc.nrScanned - scannedBefore);
}

/**
 * do_try_to_free_pages. What goes by RCU meanwhile is free at its end: callbacks are called ten at a time (blimit of rcu_do_batch), so that
 * the passes see little of it.
 */
function doTryToFreePages(k: Kernel, sc: ScanControl): number {
  const reclaimed = passes(k, sc);
  rcuDoBatch(k);
  return reclaimed;
}

/** Ever deeper until enough is free. */
function passes(k: Kernel, sc: ScanControl): number {
  k.nowUs += k.profile.prices.reclaimCallUs;
  for (;;) {
    for (sc.priority = DEF_PRIORITY; sc.priority >= 0; sc.priority--) {
      sc.nrScanned = 0;
      k.nowUs += k.profile.prices.reclaimPassUs;
      for (const _ of shrinkNode(k, sc)) k.hooks.condResched();
      k.hooks.condResched();
      if (sc.nrReclaimed >= sc.nrToReclaim) break;
    }
    seeRefaults(k, sc.target);
    if (sc.nrReclaimed > 0) return sc.nrReclaimed;
    if (k.profile.features.partialWalks && !sc.memcgFullWalk) {
      sc.memcgFullWalk = true;
      continue;
    }
    if (sc.skippedDeactivate) {
      sc.forceDeactivate = true;
      sc.skippedDeactivate = false;
      continue;
    }
    if (!sc.memcgLowSkipped) return 0;
    sc.memcgLowReclaim = true;
    sc.memcgLowSkipped = false;
    sc.forceDeactivate = false;
  }
}

/** try_to_free_pages: an allocation that found the marks met does the work itself, and is stalled meanwhile. */
export function tryToFreePages(k: Kernel, order: number): number {
  k.vmstat.allocstall_movable++;
  return doTryToFreePages(k, newScan(k.root, false, false, SWAP_CLUSTER_MAX, order));
}

/** try_to_free_mem_cgroup_pages. Whether that is pressure is the caller's: of whoever charges it is, of a limit that is written, or of memory.reclaim, not. */
export function tryToFreeMemCgroupPages(k: Kernel, group: MemCgroup, pages: number): number {
  return doTryToFreePages(k, newScan(group, false, true, Math.max(pages, SWAP_CLUSTER_MAX)));
}

/** reclaim_pages: MADV_PAGEOUT. */
export function reclaimPages(k: Kernel, victims: readonly number[]): void {
  lruAddDrain(k);
  const isolated: number[] = [];
  for (const frame of victims) {
    const flags = k.frames.flags[frame]!;
    if (!(flags & PG_LRU) || flags & PG_UNEVICTABLE) continue;
    if (!lruGenDelFolio(k, frame, false)) k.frames.removeFromList(frame, k.frames.group[frame]!, k.frames.lruOf(frame));
    k.frames.flags[frame]! &= ~(PG_LRU | PG_ACTIVE | PG_REFERENCED);
    isolated.push(frame);
  }
  shrinkFolioList(k, isolated, (frame) => putBack(k, frame), null, true);
}

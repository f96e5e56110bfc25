/** mm/vmscan.c, the eviction: pages of the oldest generation, unless they have been used since or are protected. */
import { flushersTurn, wakeFlushers, wakeupFlusherThreads } from './flusher.ts';
import { PG_ACTIVE, PG_DIRTY, PG_LRU, PG_RECLAIM, PG_REFERENCED, PG_WORKINGSET, PG_WRITEBACK } from './frames.ts';
import type { Kernel } from './kernel.ts';
import { tryToIncMaxSeq, tryToIncMinSeq } from './lru-gen-aging.ts';
import { clearLruRefs, folioIncGen, folioLruGen, folioLruRefs, lruGenDelFolio, tierFromRefs } from './lru-gen-folio.ts';
import {
  GEN_TYPES,
  type GenType,
  genOfSeq,
  LRU_GEN_ANON,
  LRU_GEN_FILE,
  LRU_REFS_MAX,
  type LruGenFolio,
  MAX_LRU_BATCH,
  MIN_LRU_BATCH,
  MIN_NR_GENS,
  tierOf,
} from './lru-gen-state.ts';
import { getTierIdx, getTypeToScan } from './lru-gen-tiers.ts';
import { isEvictable, lruvecAdd } from './lruvec.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { swapPagesOf } from './memcg-swap.ts';
import { countMemcg } from './memcontrol.ts';
import { zoneWatermarkOk } from './page-alloc.ts';
import { isBelowMin } from './protection.ts';
import { shrinkFolioList } from './reclaim-folio.ts';
import {
  BULK_FREED_US,
  KEPT_MAPPING_US,
  KEPT_US,
  RECLAIM_BATCH_US,
  SORTED_US,
  UNMAPPED_US,
} from './recorded-prices.ts';
import { DEF_PRIORITY, type ScanControl, targetOf } from './scan-count.ts';
import { jiffiesOf } from './timer.ts';
import { pagesOnPcp } from './zone.ts';

/** sort_folio: a page that is not to be taken leaves the list for that of a younger generation. */
function sortFolio(
  k: Kernel,
  lrugen: LruGenFolio,
  frame: number,
  type: GenType,
  zone: number,
  tierIdx: number,
): boolean {
  const { frames } = k;
  const move = (gen: number, toTail: boolean): true => {
    const list = frames.genListOf(lrugen.group.id, gen, type, zone);
    frames.unlink(frame);
    if (toTail) frames.linkBefore(frame, list);
    else frames.linkAfter(frame, list);
    return true;
  };
  if (!isEvictable(k, frame)) return false;
  const gen = folioLruGen(k, frame);
  if (gen !== genOfSeq(lrugen.minSeq[type])) return move(gen, false);
  const refs = folioLruRefs(k, frame);
  const tier = tierFromRefs(refs);
  if (tier > tierIdx || refs > LRU_REFS_MAX) {
    lrugen.protectedPages[tierOf(type, tier)]! += frames.sizeOf(frame);
    return move(folioIncGen(k, lrugen, frame, false), true);
  }
  if (k.profile.features.sortsDirtyFolios) {
    const flags = frames.flags[frame]!;
    if (flags & PG_WRITEBACK || (type === LRU_GEN_FILE && flags & PG_DIRTY))
      return move(folioIncGen(k, lrugen, frame, true), false);
  }
  return false;
}

/** isolate_folio. */
function isolateFolio(k: Kernel, frame: number): void {
  const { flags } = k.frames;
  flags[frame]! &= ~PG_LRU;
  if (!(flags[frame]! & PG_REFERENCED)) clearLruRefs(k, frame);
  if (k.profile.features.sortsDirtyFolios) flags[frame]! &= ~PG_RECLAIM;
  flags[frame]! &= ~PG_REFERENCED;
  lruGenDelFolio(k, frame, true);
}

/** scan_folios: up to a batch of the oldest of a type. @returns how many pages were looked at, or 0 where that leads nowhere. */
function scanFolios(
  k: Kernel,
  lrugen: LruGenFolio,
  sc: ScanControl,
  type: GenType,
  tierIdx: number,
  taken: number[],
): number {
  const { frames } = k;
  if (lrugen.nrGens(type) === MIN_NR_GENS) return 0;
  const gen = genOfSeq(lrugen.minSeq[type]);
  let remaining = MAX_LRU_BATCH;
  let scanned = 0;
  let sorted = 0;
  let isolated = 0;
  for (let zone = k.zones.length - 1; zone >= 0 && remaining > 0 && isolated < MIN_LRU_BATCH; zone--) {
    const list = frames.genListOf(lrugen.group.id, gen, type, zone);
    for (let frame = frames.lastOf(list); frame >= 0; frame = frames.lastOf(list)) {
      const pages = frames.sizeOf(frame);
      scanned += pages;
      if (sortFolio(k, lrugen, frame, type, zone, tierIdx)) sorted += pages;
      else {
        isolateFolio(k, frame);
        taken.push(frame);
        isolated += pages;
      }
      if (--remaining === 0 || isolated >= MIN_LRU_BATCH) break;
    }
  }
  k.nowUs += sorted * SORTED_US;
  const side = sc.kswapd ? 'kswapd' : 'direct';
  if (!sc.cgroup) {
    k.vmstat[`pgscan_${side}`] += isolated;
    k.vmstat.pgrefill += sorted;
  }
  countMemcg(k, lrugen.group.id, `pgscan_${side}`, isolated);
  countMemcg(k, lrugen.group.id, 'pgrefill', sorted);
  k.vmstat[type === LRU_GEN_FILE ? 'pgscan_file' : 'pgscan_anon'] += isolated;
  if (type === LRU_GEN_FILE) sc.fileTaken += isolated;
  return isolated > 0 || remaining === 0 ? scanned : 0;
}

/** isolate_folios: of the type whose oldest generation is older, or that refaults less. */
function isolateFolios(
  k: Kernel,
  lrugen: LruGenFolio,
  sc: ScanControl,
  swappiness: number,
): { type: GenType; scanned: number; taken: number[] } {
  const taken: number[] = [];
  let type: GenType = LRU_GEN_FILE;
  let tier = -1;
  if (swappiness > 0) {
    if (lrugen.minSeq[LRU_GEN_ANON] < lrugen.minSeq[LRU_GEN_FILE]) type = LRU_GEN_ANON;
    else if (swappiness === 200) type = LRU_GEN_ANON;
    else if (swappiness > 1) ({ type, tier } = getTypeToScan(lrugen, swappiness));
  }
  let scanned = 0;
  for (let i = swappiness > 0 ? 0 : 1; i < GEN_TYPES.length; i++) {
    if (tier < 0) tier = getTierIdx(lrugen, type);
    scanned = scanFolios(k, lrugen, sc, type, tier, taken);
    if (scanned > 0) break;
    type = type === LRU_GEN_FILE ? LRU_GEN_ANON : LRU_GEN_FILE;
    tier = -1;
  }
  return { type, scanned, taken };
}

/** What of those that shrink_folio_list left is looked at once more; the others go back, into the youngest generation but for what waits for the disk. */
function putBackRejected(k: Kernel, kept: readonly number[], isRetry: boolean): number[] {
  const { frames } = k;
  const clean: number[] = [];
  for (const frame of kept) {
    const flags = frames.flags[frame]!;
    if (isEvictable(k, frame)) {
      const waits = (flags & (PG_DIRTY | PG_WRITEBACK)) !== 0;
      if (flags & PG_RECLAIM && waits) {
        if (flags & PG_WORKINGSET) frames.flags[frame]! |= PG_REFERENCED;
      } else if (isRetry || flags & (PG_ACTIVE | PG_REFERENCED) || frames.mapcountOf(frame) > 0 || waits) {
        clearLruRefs(k, frame);
        frames.flags[frame]! |= PG_ACTIVE;
      } else {
        clean.push(frame);
        continue;
      }
    }
    frames.flags[frame]! |= PG_LRU;
    lruvecAdd(k, frame);
  }
  return clean;
}

/** cond_resched, and the tick: reclaim may take seconds, in which the flushers' timers run out. */
function reschedule(k: Kernel): void {
  const tick = jiffiesOf(k.nowUs);
  if (tick === k.lruGen!.tick) return;
  k.lruGen!.tick = tick;
  wakeFlushers(k);
  flushersTurn(k);
}

/** evict_folios. @returns how many pages were looked at, or 0 where there is no more to take. */
function evictFolios(k: Kernel, lrugen: LruGenFolio, sc: ScanControl, swappiness: number): number {
  const { type, scanned: looked, taken } = isolateFolios(k, lrugen, sc, swappiness);
  let scanned = looked;
  if (tryToIncMinSeq(k, lrugen, swappiness > 0)) scanned++;
  if (lrugen.nrGens(swappiness > 0 ? LRU_GEN_ANON : LRU_GEN_FILE) === MIN_NR_GENS) scanned = 0;
  const side = sc.kswapd ? 'kswapd' : 'direct';
  let list = taken;
  for (let isRetry = false; list.length > 0; isRetry = true) {
    const pages = list.reduce((sum, frame) => sum + k.frames.sizeOf(frame), 0);
    const kept: number[] = [];
    const onPcpBefore = pagesOnPcp(k);
    const result = shrinkFolioList(k, list, (frame) => kept.push(frame), targetOf(sc));
    sc.unqueuedDirty += result.dirty;
    sc.nrReclaimed += result.reclaimed;
    sc.nrScanned += pages;
    list = putBackRejected(k, kept, isRetry);
    if (!sc.cgroup) k.vmstat[`pgsteal_${side}`] += result.reclaimed;
    countMemcg(k, lrugen.group.id, `pgsteal_${side}`, result.reclaimed);
    k.vmstat[type === LRU_GEN_FILE ? 'pgsteal_file' : 'pgsteal_anon'] += result.reclaimed;
    k.nowUs +=
      RECLAIM_BATCH_US +
      Math.max(0, result.reclaimed + onPcpBefore - pagesOnPcp(k)) * BULK_FREED_US +
      result.reclaimed * k.profile.prices.freedUs +
      (pages - result.reclaimed) * KEPT_US +
      result.keptMappings * KEPT_MAPPING_US +
      result.unmapped * UNMAPPED_US +
      result.buffered * k.profile.prices.bufferedUs;
  }
  reschedule(k);
  return scanned;
}

/** should_run_aging. */
function shouldRunAging(lrugen: LruGenFolio, canSwap: boolean): { runs: boolean; nrToScan: number } {
  const { maxSeq, minSeq } = lrugen;
  const oldest = minSeq[canSwap ? LRU_GEN_ANON : LRU_GEN_FILE];
  if (oldest + MIN_NR_GENS > maxSeq) return { runs: true, nrToScan: 0 };
  let old = 0;
  let young = 0;
  let total = 0;
  for (const type of canSwap ? GEN_TYPES : [LRU_GEN_FILE as GenType]) {
    for (let seq = minSeq[type]; seq <= maxSeq; seq++) {
      const size = Math.max(0, lrugen.pagesOf(seq, type));
      total += size;
      if (seq === maxSeq) young += size;
      else if (seq + MIN_NR_GENS === maxSeq) old += size;
    }
  }
  if (oldest + MIN_NR_GENS < maxSeq) return { runs: false, nrToScan: total };
  const runs = young * MIN_NR_GENS > total || old * (MIN_NR_GENS + 2) < total;
  return { runs, nrToScan: total };
}

/** get_nr_to_scan: -1 where the group is to be left alone for now. */
function getNrToScan(k: Kernel, lrugen: LruGenFolio, sc: ScanControl, canSwap: boolean): number {
  if (isBelowMin(sc.target, lrugen.group)) return -1;
  const { runs, nrToScan } = shouldRunAging(lrugen, canSwap);
  if (nrToScan > 0 && !lrugen.group.online) return nrToScan;
  if (!runs || sc.priority === DEF_PRIORITY) return Math.floor(nrToScan / 2 ** sc.priority);
  return tryToIncMaxSeq(k, lrugen, canSwap) ? -1 : 0;
}

/** get_swappiness: 0 where nothing could go to swap. */
export const getSwappiness = (k: Kernel, group: MemCgroup): number =>
  swapPagesOf(k, group) < MIN_LRU_BATCH ? 0 : k.swappiness;

/** should_abort_scan: of all memory, enough has been freed. */
export function shouldAbortScan(k: Kernel, sc: ScanControl): boolean {
  if (!sc.target.isRoot) return false;
  if (sc.nrReclaimed >= Math.max(sc.nrToReclaim, 2 << sc.order)) return true;
  if (!sc.kswapd || sc.order > 0) return false;
  return k.zones.every((zone, i) => zone.managed === 0 || zoneWatermarkOk(k, i, 0, zone.high + MIN_LRU_BATCH));
}

/** try_to_shrink_lruvec. @returns whether the group's turn is over: it has aged, or is protected. */
export function* tryToShrinkLruvec(
  k: Kernel,
  lrugen: LruGenFolio,
  sc: ScanControl,
): Generator<undefined, boolean, void> {
  const swappiness = getSwappiness(k, lrugen.group);
  // Whoever had the processor meanwhile may have reclaimed in another way.
  const walksTables = sc.kswapd && sc.target.isRoot;
  let scanned = 0;
  let nrToScan = getNrToScan(k, lrugen, sc, swappiness > 0);
  while (nrToScan > 0) {
    const delta = evictFolios(k, lrugen, sc, swappiness);
    scanned += delta;
    if (delta === 0 || scanned >= nrToScan || shouldAbortScan(k, sc)) break;
    yield;
    k.lruGen!.mmWalk = walksTables;
    nrToScan = getNrToScan(k, lrugen, sc, swappiness > 0);
  }
  const allDirty = sc.unqueuedDirty > 0 && sc.unqueuedDirty === sc.fileTaken;
  if (allDirty && k.profile.features.wakesFlushersForGroup) wakeupFlusherThreads(k);
  return nrToScan < 0;
}

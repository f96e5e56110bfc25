/** mm/vmscan.c: kswapd, which reclaims beside those who allocate. */

import { LRU_ACTIVE_ANON, LRU_INACTIVE_ANON } from './frames.ts';
import type { Kernel } from './kernel.ts';
import { lruGenAgeNode } from './lru-gen-memcg.ts';
import { nrFreePages, zoneWatermarkOk } from './page-alloc.ts';
import { sleepsForMemory, wakesForMemory } from './psi.ts';
import { lruvecPageState } from './rstat.ts';
import { DEF_PRIORITY, inactiveIsLow, newScan, type ScanControl, SWAP_CLUSTER_MAX, seeRefaults } from './scan-count.ts';
import { countKswapdFailure, isHopelessNode, type Reclaiming, shrinkActiveList, shrinkNode } from './vmscan.ts';

/** pgdat_balanced. */
const isBalanced = (k: Kernel, order: number): boolean =>
  k.zones.some((zone, i) => zone.managed > 0 && zoneWatermarkOk(k, i, order, zone.high));

/** wakeup_kswapd, where it sleeps. @returns whether it has something to do. */
export const wakesKswapd = (k: Kernel, order: number): boolean => !isHopelessNode(k) && !isBalanced(k, order);

/** kswapd, until it sleeps again. */
export function* kswapd(k: Kernel, order: number): Reclaiming {
  do yield* balancePgdat(k, order);
  while (wakesKswapd(k, order));
}

/** kswapd_age_node: anonymous pages age too where they could be swapped. */
function kswapdAgeNode(k: Kernel, sc: ScanControl): void {
  if (k.lruGen) {
    lruGenAgeNode(k, sc);
    return;
  }
  if (k.swapTotal === 0) return;
  if (!inactiveIsLow(k, lruvecPageState(k, k.root, LRU_INACTIVE_ANON), lruvecPageState(k, k.root, LRU_ACTIVE_ANON)))
    return;
  for (const group of k.root.subtree()) shrinkActiveList(k, group, LRU_ACTIVE_ANON, SWAP_CLUSTER_MAX, sc);
}

/** balance_pgdat: reclaims until a zone is above its high mark, or gives up. All that time counts as a stall, its own. */
function* balancePgdat(k: Kernel, order: number): Reclaiming {
  k.vmstat.pageoutrun++;
  sleepsForMemory(k, k.root);
  const sc = newScan(k.root, true, false, 0, order);
  sc.priority = DEF_PRIORITY;
  let total = 0;
  for (const zone of k.zones) zone.reclaimActive = true;
  while (sc.priority >= 1) {
    if (isBalanced(k, order)) break;
    sc.nrToReclaim = k.zones.reduce((sum, zone) => sum + Math.max(zone.high, SWAP_CLUSTER_MAX), 0);
    sc.nrReclaimed = 0;
    sc.nrScanned = 0;
    k.nowUs += k.profile.prices.reclaimPassUs;
    kswapdAgeNode(k, sc);
    yield* shrinkNode(k, sc);
    yield;
    total += sc.nrReclaimed;
    const looked = k.lruGen ? Math.max(sc.nrScanned, sc.nrReclaimed) : sc.nrScanned;
    if (looked < sc.nrToReclaim || sc.nrReclaimed === 0) sc.priority--;
  }
  if (total === 0 && !isBalanced(k, order)) countKswapdFailure(k);
  for (const zone of k.zones) zone.reclaimActive = false;
  seeRefaults(k, sc.target);
  wakesForMemory(k, k.root);
}

/** allow_direct_reclaim: half of what is below the marks is left for those who reclaim. */
export function allowsDirectReclaim(k: Kernel): boolean {
  if (isHopelessNode(k)) return true;
  const reserve = k.zones.reduce((sum, { min }) => sum + min, 0);
  return nrFreePages(k) > reserve >> 1;
}

/** mm/vmscan.c: how much of each list a pass of reclaim looks at. */
import { LRU_ACTIVE_ANON, LRU_ACTIVE_FILE, LRU_INACTIVE_ANON, LRU_INACTIVE_FILE } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { swapPagesOf } from './memcg-swap.ts';
import { nrFreePages } from './page-alloc.ts';
import { lruvecEventState, lruvecPageState } from './rstat.ts';
import { nodeListSize } from './swap-lru.ts';

export const SWAP_CLUSTER_MAX = 32;
export const DEF_PRIORITY = 12;

/** scan_control. */
export interface ScanControl {
  readonly target: MemCgroup;
  readonly kswapd: boolean;
  readonly cgroup: boolean;
  readonly order: number;
  nrToReclaim: number;
  priority: number;
  nrReclaimed: number;
  nrScanned: number;
  deactivateAnon: boolean;
  deactivateFile: boolean;
  /** An active list was left alone. */
  skippedDeactivate: boolean;
  forceDeactivate: boolean;
  cacheTrimMode: boolean;
  fileIsTiny: boolean;
  memcgLowReclaim: boolean;
  memcgLowSkipped: boolean;
  dirtySkipped: number;
  /** Every group below the target is come to, not only as many as it takes. */
  memcgFullWalk: boolean;
  /** Of one pass by generations: pages of files taken, and dirty ones met that nobody writes yet. */
  fileTaken: number;
  unqueuedDirty: number;
}

/** target_mem_cgroup: null where it is all memory. */
export const targetOf = (sc: ScanControl): MemCgroup | null => (sc.target.isRoot ? null : sc.target);

export const newScan = (
  target: MemCgroup,
  kswapd: boolean,
  cgroup: boolean,
  nrToReclaim: number,
  order = 0,
): ScanControl => ({
  target,
  kswapd,
  cgroup,
  order,
  nrToReclaim,
  priority: DEF_PRIORITY,
  nrReclaimed: 0,
  nrScanned: 0,
  deactivateAnon: false,
  deactivateFile: false,
  skippedDeactivate: false,
  forceDeactivate: false,
  cacheTrimMode: false,
  fileIsTiny: false,
  memcgLowReclaim: false,
  memcgLowSkipped: false,
  dirtySkipped: 0,
  memcgFullWalk: false,
  fileTaken: 0,
  unqueuedDirty: 0,
});

export const isFile = (lru: number) => lru >= LRU_INACTIVE_FILE;
export const isActive = (lru: number) => (lru & 1) === 1;

/** inactive_is_low: the larger the lists, the smaller a part need be inactive. */
export function inactiveIsLow(k: Kernel, inactive: number, active: number): boolean {
  const gb = Math.floor((inactive + active) / 2 ** 18);
  const ratio = gb > 0 ? Math.floor(Math.sqrt(10 * gb)) : 1;
  return inactive * ratio < active && k.zones.length > 0;
}

/** Activations by refault below the group, as they were at the end of the last reclaim. */
const refaultsSeen = new WeakMap<MemCgroup, [number, number]>();

const activations = (k: Kernel, group: MemCgroup): [number, number] => [
  lruvecEventState(k, group, 'workingset_activate_anon'),
  lruvecEventState(k, group, 'workingset_activate_file'),
];

export function prepareScanCount(k: Kernel, sc: ScanControl): void {
  const { target } = sc;
  const seen = refaultsSeen.get(target) ?? [0, 0];
  const [anonNow, fileNow] = activations(k, target);
  const anonLow = inactiveIsLow(
    k,
    lruvecPageState(k, target, LRU_INACTIVE_ANON),
    lruvecPageState(k, target, LRU_ACTIVE_ANON),
  );
  const inactiveFile = lruvecPageState(k, target, LRU_INACTIVE_FILE);
  const fileLow = inactiveIsLow(k, inactiveFile, lruvecPageState(k, target, LRU_ACTIVE_FILE));
  sc.deactivateAnon = sc.forceDeactivate || anonNow !== seen[0] || anonLow;
  sc.deactivateFile = sc.forceDeactivate || fileNow !== seen[1] || fileLow;
  sc.cacheTrimMode = inactiveFile >> sc.priority > 0 && !sc.deactivateFile;
  if (sc.cgroup) return;
  const node = (lru: number) => nodeListSize(k.frames, k.groups, lru);
  const file = node(LRU_INACTIVE_FILE) + node(LRU_ACTIVE_FILE);
  const high = k.zones.reduce((sum, zone) => sum + zone.high + zone.boost, 0);
  sc.fileIsTiny = file + nrFreePages(k) <= high && !sc.deactivateAnon && node(LRU_INACTIVE_ANON) >> sc.priority > 0;
}

/** get_scan_count: how many pages of each list to look at. */
export function getScanCount(k: Kernel, group: MemCgroup, sc: ScanControl): number[] {
  const canSwap = swapPagesOf(k, group) > 0;
  const fraction = [0, 0];
  let mode: 'file' | 'anon' | 'equal' | 'fraction' = 'fraction';
  if (!canSwap || (sc.cgroup && k.swappiness === 0)) mode = 'file';
  else if (sc.priority === 0 && k.swappiness > 0) mode = 'equal';
  else if (sc.fileIsTiny) mode = 'anon';
  else if (sc.cacheTrimMode) mode = 'file';
  else {
    const { target } = sc;
    const total = target.anonCost + target.fileCost;
    const anonCost = total + target.anonCost;
    const fileCost = total + target.fileCost;
    const sum = anonCost + fileCost;
    fraction[0] = Math.floor((k.swappiness * (sum + 1)) / (anonCost + 1));
    fraction[1] = Math.floor(((200 - k.swappiness) * (sum + 1)) / (fileCost + 1));
  }
  const result: number[] = [];
  for (let lru = 0; lru < 4; lru++) {
    const size = k.frames.sizeOfList(group.id, lru);
    let scan = protectedSize(group, size, sc) / 2 ** sc.priority;
    scan = Math.floor(scan);
    if (scan === 0 && !group.online) scan = Math.min(size, SWAP_CLUSTER_MAX);
    if (mode === 'fraction') scan = Math.floor((scan * fraction[isFile(lru) ? 1 : 0]!) / (fraction[0]! + fraction[1]!));
    else if (mode === 'file' && !isFile(lru)) scan = 0;
    else if (mode === 'anon' && isFile(lru)) scan = 0;
    result.push(scan);
  }
  return result;
}

/** The part of a list that the group's protection leaves to reclaim. */
function protectedSize(group: MemCgroup, size: number, sc: ScanControl): number {
  if (group.isRoot || group === sc.target) return size;
  const { emin, elow } = group;
  if (emin === 0 && elow === 0) return size;
  const usesLow = !sc.memcgLowReclaim && elow > emin;
  if (usesLow) sc.memcgLowSkipped = true;
  const protection = usesLow ? elow : emin;
  const usage = Math.max(group.usage, protection);
  return Math.max(size - Math.floor((size * protection) / (usage + 1)), SWAP_CLUSTER_MAX);
}

/** snapshot_refaults. */
export function seeRefaults(k: Kernel, group: MemCgroup): void {
  refaultsSeen.set(group, activations(k, group));
}

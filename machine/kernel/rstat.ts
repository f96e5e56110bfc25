/** memcg_rstat_updated and mem_cgroup_flush_stats (mm/memcontrol.c): memory.stat says what was so when it was last brought up to date. */
import { NR_LRU_LISTS } from './frames.ts';
import type { Kernel } from './kernel.ts';
import { FLUSH_TIME_US, type GroupStat, type MemCgroup, type ShownStat } from './mem-cgroup.ts';

const CHARGE_BATCH = 64;
const PAGE = 4096;

export const shownNow = (k: Kernel, group: MemCgroup): ShownStat => ({
  stat: { ...group.stat },
  lists: Array.from({ length: NR_LRU_LISTS }, (_, lru) => k.frames.sizeOfList(group.id, lru)),
  kmemPages: group.kmemPages,
});

function flushStats(k: Kernel): void {
  k.rstat.threshold = 0;
  k.rstat.flushes++;
}

const isWorthIt = (k: Kernel): boolean => k.rstat.threshold > k.profile.processors;

/** mem_cgroup_flush_stats: readers and reclaim look at figures that are up to date, where enough has changed. */
export function memCgroupFlushStats(k: Kernel): void {
  if (isWorthIt(k)) flushStats(k);
}

/** The statistics of a group that is about to change by so much, in pages, events, kB of stacks or bytes of objects. */
export function updateStat(k: Kernel, group: MemCgroup, by: number): GroupStat {
  const { rstat } = k;
  if (k.nowUs >= rstat.nextUs) {
    flushStats(k);
    rstat.nextUs = k.nowUs + FLUSH_TIME_US;
  }
  if (group.shownBefore !== rstat.flushes) {
    group.shown = shownNow(k, group);
    group.shownBefore = rstat.flushes;
  }
  rstat.updates += Math.abs(by);
  if (rstat.updates > CHARGE_BATCH) {
    if (!isWorthIt(k)) rstat.threshold += Math.floor(rstat.updates / CHARGE_BATCH);
    rstat.updates = 0;
  }
  return group.stat;
}

/** mod_objcg_state: bytes of objects are told of by the page. */
export function updateSlabStat(k: Kernel, group: MemCgroup, bytes: number): GroupStat {
  const { rstat } = k;
  // The root has no obj_cgroup.
  if (group.isRoot) return updateStat(k, group, 0);
  if (rstat.slabGroup !== group) {
    if (rstat.slabGroup) updateStat(k, rstat.slabGroup, rstat.slabBytes);
    rstat.slabGroup = group;
    rstat.slabBytes = 0;
  }
  rstat.slabBytes += bytes;
  const told = Math.abs(rstat.slabBytes) > PAGE ? rstat.slabBytes : 0;
  rstat.slabBytes -= told;
  return updateStat(k, group, told);
}

/** What memory.stat shows of the group itself. */
export function shownStat(k: Kernel, group: MemCgroup): ShownStat {
  const isBehind = group.shownBefore === k.rstat.flushes && k.nowUs < k.rstat.nextUs && !isWorthIt(k);
  return isBehind ? group.shown! : shownNow(k, group);
}

/** The group has changed since its statistics were last brought up to date. */
const isBehindFlush = (k: Kernel, group: MemCgroup): boolean =>
  group.shownBefore === k.rstat.flushes && k.nowUs < k.rstat.nextUs;

/** lruvec_page_state of a list, over the groups below: as it was when the statistics were last brought up to date. */
export function lruvecPageState(k: Kernel, group: MemCgroup, lru: number): number {
  let sum = 0;
  for (const at of group.subtree())
    sum += isBehindFlush(k, at) ? at.shown!.lists[lru]! : k.frames.sizeOfList(at.id, lru);
  return sum;
}

/** lruvec_page_state of a counter. */
export function lruvecEventState(k: Kernel, group: MemCgroup, name: string): number {
  let sum = 0;
  for (const at of group.subtree()) sum += (isBehindFlush(k, at) ? at.shown!.stat[name] : at.stat[name]) ?? 0;
  return sum;
}

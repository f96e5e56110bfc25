/** mm/page-writeback.c: how much may be dirty, on the machine and in a group with a limit. */
import { LRU_ACTIVE_FILE, LRU_INACTIVE_FILE } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { nrFreePages } from './page-alloc.ts';
import { lruvecEventState, lruvecPageState } from './rstat.ts';
import { nodeListSize } from './swap-lru.ts';

export interface DirtyLimits {
  readonly background: number;
  readonly dirty: number;
}

/** global_dirtyable_memory: what is free beyond the reserve, and the cache. */
function dirtyableMemory(k: Kernel): number {
  let reserve = 0;
  for (const zone of k.zones) reserve += Math.min(zone.managed, zone.high + Math.max(...zone.protection));
  const free = nrFreePages(k);
  const cache = nodeListSize(k.frames, k.groups, LRU_ACTIVE_FILE) + nodeListSize(k.frames, k.groups, LRU_INACTIVE_FILE);
  return free - Math.min(free, reserve) + cache + 1;
}

/** domain_dirty_limits, in pages. */
function domainDirtyLimits(k: Kernel, available: number): DirtyLimits {
  const background = Math.floor((k.dirtyBackgroundRatio * 4096 * available) / 100 / 4096);
  const dirty = Math.floor((k.dirtyRatio * 4096 * available) / 100 / 4096);
  return { background: background >= dirty ? dirty >> 1 : background, dirty };
}

/** global_dirty_limits, in pages. */
export const dirtyLimits = (k: Kernel): DirtyLimits => domainDirtyLimits(k, dirtyableMemory(k));

interface WbStats {
  filePages: number;
  nrDirty: number;
}

/** mem_cgroup_wb_stats, which brings the group's figures up to date before it reads them. */
function wbStats(k: Kernel, group: MemCgroup): WbStats {
  let filePages = 0;
  let nrDirty = 0;
  for (const { id, stat } of group.subtree()) {
    filePages += k.frames.sizeOfList(id, LRU_ACTIVE_FILE) + k.frames.sizeOfList(id, LRU_INACTIVE_FILE);
    nrDirty += stat.file_dirty;
  }
  return { filePages, nrDirty };
}

/** The same in 6.12: they are as the last flush left them, two seconds ago perhaps (mem_cgroup_flush_stats_ratelimited). */
const flushedWbStats = (k: Kernel, group: MemCgroup): WbStats => ({
  filePages: lruvecPageState(k, group, LRU_ACTIVE_FILE) + lruvecPageState(k, group, LRU_INACTIVE_FILE),
  nrDirty: lruvecEventState(k, group, 'file_dirty'),
});

/** mdtc_calc_avail: the same of a group's own cache and the room below its limits. */
function groupDirtyLimits(k: Kernel, group: MemCgroup): DirtyLimits & { readonly nrDirty: number } {
  const { filePages, nrDirty } = k.profile.features.ratelimitsWbStats ? flushedWbStats(k, group) : wbStats(k, group);
  let headroom = Number.POSITIVE_INFINITY;
  for (let at = group; at.parent; at = at.parent) {
    const ceiling = Math.min(at.max, at.high);
    if (ceiling !== Number.POSITIVE_INFINITY) headroom = Math.min(headroom, ceiling - Math.min(ceiling, at.usage));
  }
  const clean = filePages - Math.min(filePages, nrDirty);
  const available = dirtyableMemory(k);
  const otherClean = available - Math.min(available, k.vmstat.nr_dirty);
  const own = filePages + Math.min(headroom, otherClean - Math.min(otherClean, clean));
  return { ...domainDirtyLimits(k, own), nrDirty };
}

/** dirty_freerun_ceiling: below it nobody who writes is held up. */
const freerunCeiling = ({ background, dirty }: DirtyLimits): number => Math.floor((background + dirty) / 2);

/** balance_dirty_pages: whether what is dirty makes the flusher of the group's files start. */
export function startsFlusher(k: Kernel, group: MemCgroup): boolean {
  const limits = dirtyLimits(k);
  if (k.vmstat.nr_dirty > limits.background) return true;
  if (group.isRoot) return false;
  const own = groupDirtyLimits(k, group);
  return own.nrDirty > freerunCeiling(own);
}

/** wb_over_bg_thresh: whether the flusher of the group's files goes on. */
export function wbOverBgThresh(k: Kernel, group: MemCgroup): boolean {
  if (k.vmstat.nr_dirty > dirtyLimits(k).background) return true;
  if (group.isRoot) return false;
  const own = groupDirtyLimits(k, group);
  return own.nrDirty > own.background;
}

/** mm/page-writeback.c: how much may be dirty, on the machine and in a group with a limit. */
import { LRU_ACTIVE_FILE, LRU_INACTIVE_FILE } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { nrFreePages } from './page-alloc.ts';
import { lruvecEventState, lruvecPageState, memCgroupFlushStats } from './rstat.ts';
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

/** mem_cgroup_wb_stats: it brings the figures of groups up to date first; in 6.12 they are as the last flush left them, two seconds ago perhaps. */
function wbStats(k: Kernel, group: MemCgroup): WbStats {
  if (!k.profile.features.ratelimitsWbStats) memCgroupFlushStats(k);
  return {
    filePages: lruvecPageState(k, group, LRU_ACTIVE_FILE) + lruvecPageState(k, group, LRU_INACTIVE_FILE),
    nrDirty: lruvecEventState(k, group, 'file_dirty'),
  };
}

/** mdtc_calc_avail: the same of a group's own cache and the room below its limits. */
function groupDirtyLimits(k: Kernel, group: MemCgroup): DirtyLimits & { readonly nrDirty: number } {
  const { filePages, nrDirty } = wbStats(k, group);
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

/** dirty_poll_interval: the less room is left, the sooner a writer looks again. */
const pollInterval = (dirty: number, limit: number): number =>
  limit > dirty ? 1 << (Math.floor(Math.log2(limit - dirty)) >> 1) : 1;

export interface Balance {
  /** What is dirty makes the flusher of the group's files start. */
  readonly startsFlusher: boolean;
  /** After how many pages the writer looks again; undefined: it is to be held up. */
  readonly pollPages: number | undefined;
}

/** balance_dirty_pages, up to where a writer is held up. */
export function balanceOf(k: Kernel, group: MemCgroup): Balance {
  const limits = dirtyLimits(k);
  const dirty = k.vmstat.nr_dirty;
  const own = group.isRoot ? undefined : groupDirtyLimits(k, group);
  const isFree = dirty <= freerunCeiling(limits) && (!own || own.nrDirty <= freerunCeiling(own));
  if (!isFree) return { startsFlusher: true, pollPages: undefined };
  const pollPages = Math.min(
    pollInterval(dirty, limits.dirty),
    own ? pollInterval(own.nrDirty, own.dirty) : Number.POSITIVE_INFINITY,
  );
  return { startsFlusher: dirty > limits.background, pollPages };
}

/** wb_over_bg_thresh: whether the flusher of the group's files goes on. */
export function wbOverBgThresh(k: Kernel, group: MemCgroup): boolean {
  if (k.vmstat.nr_dirty > dirtyLimits(k).background) return true;
  if (group.isRoot) return false;
  const own = groupDirtyLimits(k, group);
  return own.nrDirty > own.background;
}

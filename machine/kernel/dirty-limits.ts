/** mm/page-writeback.c: how much may be dirty, on the machine and in a group with a limit. */
import { type BdiWriteback, wbCalcThresh, wbDomainOf, wbStatError } from './backing-dev.ts';
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

/** Of so many pages in 4096: vm.dirty_ratio; of a group what vm.dirty_bytes is of the machine's. */
const ratioOf = (percent: number, bytes: number, ofMachine: number): number =>
  bytes > 0 ? Math.min(Math.ceil(bytes / ofMachine), 4096) : Math.floor((percent * 4096) / 100);

/** domain_dirty_limits, in pages: of the machine, or of a group of which `ofMachine` pages are the machine's. */
function domainDirtyLimits(k: Kernel, available: number, ofMachine?: number): DirtyLimits {
  const part = (percent: number, bytes: number): number =>
    bytes > 0 && ofMachine === undefined
      ? Math.ceil(bytes / 4096)
      : Math.floor((ratioOf(percent, bytes, ofMachine ?? available) * available) / 4096);
  const background = part(k.dirtyBackgroundRatio, k.dirtyBackgroundBytes);
  const dirty = part(k.dirtyRatio, k.dirtyBytes);
  return { background: background >= dirty ? dirty >> 1 : background, dirty };
}

/** global_dirty_limits, in pages. */
export const dirtyLimits = (k: Kernel): DirtyLimits => domainDirtyLimits(k, dirtyableMemory(k));

/**
 * page_writeback_init counts what was free when only the first sections of memory were there (DEFERRED_STRUCT_PAGE_INIT: 256 MB, less the
 * kernel): 10,208 pages are its fifth in the recorded kernel.
 */
const EARLY_DIRTY_LIMIT = 10_208;

export const earlyRatelimit = (k: Kernel): void => takeRatelimit(k, EARLY_DIRTY_LIMIT);

/** writeback_set_ratelimit: how much all writers of the processor may make dirty before one of them looks. */
export const setRatelimit = (k: Kernel): void => takeRatelimit(k, dirtyLimits(k).dirty);

function takeRatelimit(k: Kernel, dirty: number): void {
  wbDomainOf(k, k.root).dirtyLimit = dirty;
  k.ratelimitPages = Math.max(16, Math.floor(dirty / (k.profile.processors * 32)));
}

interface WbStats {
  readonly filePages: number;
  readonly nrDirty: number;
}

/** mem_cgroup_wb_stats: it brings the figures of groups up to date first; in 6.12 they are as the last flush left them, two seconds ago perhaps. */
function wbStats(k: Kernel, group: MemCgroup): WbStats {
  if (!k.profile.features.ratelimitsWbStats) memCgroupFlushStats(k);
  return {
    filePages: lruvecPageState(k, group, LRU_ACTIVE_FILE) + lruvecPageState(k, group, LRU_INACTIVE_FILE),
    nrDirty: lruvecEventState(k, group, 'file_dirty'),
  };
}

/** mdtc_calc_avail: a group's own cache and the room below its limits, as far as the machine has it. */
function groupAvailable(k: Kernel, group: MemCgroup, { filePages, nrDirty }: WbStats): number {
  let headroom = Number.POSITIVE_INFINITY;
  for (let at = group; at.parent; at = at.parent) {
    const ceiling = Math.min(at.max, at.high);
    if (ceiling !== Number.POSITIVE_INFINITY) headroom = Math.min(headroom, ceiling - Math.min(ceiling, at.usage));
  }
  const clean = filePages - Math.min(filePages, nrDirty);
  const available = dirtyableMemory(k);
  const otherClean = available - Math.min(available, k.vmstat.nr_dirty);
  return filePages + Math.min(headroom, otherClean - Math.min(otherClean, clean));
}

/** dirty_throttle_control: what of a domain is dirty, and how much may be; of it, what is the writeback's. */
export interface DirtyThrottleControl extends DirtyLimits {
  readonly group: MemCgroup;
  readonly nrDirty: number;
}

/** Of the machine, and of the writeback's group where that is not the root. */
export function throttleControls(
  k: Kernel,
  { group }: BdiWriteback,
): [DirtyThrottleControl] | [DirtyThrottleControl, DirtyThrottleControl] {
  const machine = { group: k.root, nrDirty: k.vmstat.nr_dirty, ...dirtyLimits(k) };
  if (group.isRoot) return [machine];
  const stats = wbStats(k, group);
  const own = {
    group,
    nrDirty: stats.nrDirty,
    ...domainDirtyLimits(k, groupAvailable(k, group, stats), dirtyableMemory(k)),
  };
  return [machine, own];
}

/** __wb_calc_thresh. */
export function wbThreshOf(k: Kernel, wb: BdiWriteback, group: MemCgroup, thresh: number): number {
  const own = group.isRoot ? wb.completions : wb.memcgCompletions;
  return wbCalcThresh(k, wbDomainOf(k, group), own, thresh);
}

/** wb_stat of WB_RECLAIMABLE; where little may be dirty, what the processor has not added counts too. */
export const wbReclaimable = (k: Kernel, wb: BdiWriteback, thresh: number): number =>
  thresh < 2 * wbStatError(k) ? wb.reclaimable.sum() : wb.reclaimable.read();

/** wb_over_bg_thresh: whether the flusher goes on. */
export function wbOverBgThresh(k: Kernel, wb: BdiWriteback): boolean {
  for (const { nrDirty, background } of throttleControls(k, wb)) {
    if (nrDirty > background) return true;
    // Of a group's threshold, too, it is the part of what the machine has written (wb_calc_thresh).
    const thresh = wbThreshOf(k, wb, k.root, background);
    if (wbReclaimable(k, wb, thresh) > thresh) return true;
  }
  return false;
}

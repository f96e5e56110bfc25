/** fs/proc/meminfo.c and the other counters of the whole machine. */

import { dirtyLimits } from './dirty-limits.ts';
import { LRU_ACTIVE_ANON, LRU_ACTIVE_FILE, LRU_INACTIVE_ANON, LRU_INACTIVE_FILE, LRU_UNEVICTABLE } from './frames.ts';
import type { Kernel } from './kernel.ts';
import { vmCommitLimit } from './overcommit.ts';
import { nrFreePages, zoneFree } from './page-alloc.ts';
import { nodeListSize } from './swap-lru.ts';
import { pcpCount } from './zone.ts';

const list = (k: Kernel, lru: number) => nodeListSize(k.frames, k.groups, lru);

/** si_mem_available, in pages. */
export function siMemAvailable(k: Kernel): number {
  let low = 0;
  let reserve = 0;
  for (const zone of k.zones) {
    low += zone.low + zone.boost;
    reserve += Math.min(zone.managed, zone.high + Math.max(...zone.protection));
  }
  const cache = list(k, LRU_ACTIVE_FILE) + list(k, LRU_INACTIVE_FILE);
  const reclaimable = k.vmstat.nr_slab_reclaimable;
  const available =
    nrFreePages(k) - reserve + cache - Math.min(cache >> 1, low) + reclaimable - Math.min(reclaimable >> 1, low);
  return Math.max(0, available);
}

/** /proc/meminfo, in kB. */
export function meminfo(k: Kernel): Record<string, number> {
  const { vmstat, profile } = k;
  const anonActive = list(k, LRU_ACTIVE_ANON) * 4;
  const anonInactive = list(k, LRU_INACTIVE_ANON) * 4;
  const fileActive = list(k, LRU_ACTIVE_FILE) * 4;
  const fileInactive = list(k, LRU_INACTIVE_FILE) * 4;
  const blocks = k.blockDevice.nrPages * 4;
  const buffers = profile.start.buffersKb + blocks;
  const slab = (vmstat.nr_slab_reclaimable + vmstat.nr_slab_unreclaimable) * 4;
  return {
    MemTotal: k.totalPages * 4,
    MemFree: nrFreePages(k) * 4,
    MemAvailable: siMemAvailable(k) * 4,
    Buffers: buffers,
    Cached: vmstat.nr_file_pages * 4 - blocks,
    SwapCached: vmstat.nr_swapcached * 4,
    Active: anonActive + fileActive,
    Inactive: anonInactive + fileInactive,
    'Active(anon)': anonActive,
    'Inactive(anon)': anonInactive,
    'Active(file)': fileActive,
    'Inactive(file)': fileInactive,
    Unevictable: list(k, LRU_UNEVICTABLE) * 4,
    Mlocked: vmstat.nr_mlock * 4,
    SwapTotal: k.swapTotal * 4,
    SwapFree: k.swapFree * 4,
    Dirty: vmstat.nr_dirty * 4,
    Writeback: vmstat.nr_writeback * 4,
    AnonPages: vmstat.nr_anon_pages * 4,
    Mapped: vmstat.nr_mapped * 4,
    Shmem: vmstat.nr_shmem * 4,
    KReclaimable: vmstat.nr_slab_reclaimable * 4,
    Slab: slab,
    SReclaimable: vmstat.nr_slab_reclaimable * 4,
    SUnreclaim: vmstat.nr_slab_unreclaimable * 4,
    KernelStack: vmstat.nr_kernel_stack,
    PageTables: vmstat.nr_page_table_pages * 4,
    CommitLimit: vmCommitLimit(k) * 4,
    Committed_AS: k.committed * 4,
    VmallocUsed: profile.start.vmallocKb + (vmstat.nr_kernel_stack - profile.start.kernelStackKb) + k.vmallocPages * 4,
    Percpu: profile.start.percpuKb + k.percpuPages * 4,
    AnonHugePages: vmstat.nr_anon_transparent_hugepages * 2048,
    ShmemHugePages: vmstat.nr_shmem_hugepages * 2048,
    ShmemPmdMapped: vmstat.nr_shmem_pmdmapped * 2048,
    HugePages_Total: k.hugepagesTotal,
    HugePages_Free: k.hugepagesFree,
    HugePages_Rsvd: k.hugepagesReserved,
    HugePages_Surp: k.hugepagesSurplus,
    Hugetlb: k.hugepagesTotal * 2048,
  };
}

/** /proc/vmstat: the counters, and what is worked out when it is read. */
export function vmstatOf(k: Kernel): Record<string, number> {
  const lists = {
    inactive_anon: list(k, LRU_INACTIVE_ANON),
    active_anon: list(k, LRU_ACTIVE_ANON),
    inactive_file: list(k, LRU_INACTIVE_FILE),
    active_file: list(k, LRU_ACTIVE_FILE),
    unevictable: list(k, LRU_UNEVICTABLE),
  };
  const { background, dirty } = dirtyLimits(k);
  return {
    nr_free_pages: nrFreePages(k),
    ...k.vmstat,
    ...Object.fromEntries(
      Object.entries(lists).flatMap(([name, pages]) => [
        [`nr_zone_${name}`, pages],
        [`nr_${name}`, pages],
      ]),
    ),
    nr_file_pages: k.vmstat.nr_file_pages + k.profile.start.buffersKb / 4,
    nr_dirty_threshold: dirty,
    nr_dirty_background_threshold: background,
  };
}

/** /proc/zoneinfo, in pages. */
export function zoneinfo(k: Kernel): Record<string, number | string | number[]>[] {
  return k.zones.map((zone, i) => ({
    zone: zone.name,
    free: zoneFree(k, i),
    min: zone.min + zone.boost,
    low: zone.low + zone.boost,
    high: zone.high + zone.boost,
    managed: zone.managed,
    present: zone.present,
    pcp: pcpCount(zone),
    pcp_batch: zone.pcp.batch,
    protection: zone.protection,
  }));
}

/** What `free -k` of procps 4 prints. */
export function freeLine(k: Kernel): Record<string, number> {
  const info = meminfo(k);
  return {
    total: info['MemTotal']!,
    used: info['MemTotal']! - info['MemAvailable']!,
    free: info['MemFree']!,
    shared: info['Shmem']!,
    buffcache: info['Buffers']! + info['Cached']! + info['SReclaimable']!,
    available: info['MemAvailable']!,
  };
}

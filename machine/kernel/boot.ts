/** A machine as it is before the first process of a script. */

import { inodeAttachWb } from './backing-dev.ts';
import { earlyRatelimit } from './dirty-limits.ts';
import { type HugePageSettings, Kernel, type Task } from './kernel.ts';
import { allowsDirectReclaim } from './kswapd.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { memCgroupOutOfMemory, outOfMemory } from './oom-kill.ts';
import { freePage, takeKernelPages } from './page-alloc.ts';
import { type Profile, profileOf } from './profile.ts';
import { noteStall, stalled } from './psi.ts';
import { OOM_GROUP_US, OOM_US } from './recorded-prices.ts';
import { handleOverHighInCharge } from './throttle.ts';
import { tryToFreeMemCgroupPages, tryToFreePages } from './vmscan.ts';
import { calculateMinFreeKbytes, recommendedMinFreeKbytes, setupZones, type Zone } from './zone.ts';

export interface BootOptions {
  readonly memoryMb: number;
  readonly thp: HugePageSettings['enabled'];
  readonly processors: number;
  readonly kernel: string;
  /** Asked for when it is needed first. */
  readonly queue: () => ProcessorQueue;
}

/** Those that wait for the processor beside the processes of the script. */
export interface ProcessorQueue {
  kill(tasks: readonly Task[], isOfMany: boolean): void;
  share(others: MemCgroup): void;
  condResched(): void;
  wakeKswapd(order: number): void;
  waitForKswapd(until: () => boolean): void;
}

const newZone = ({ name, present, managed }: Profile['zones'][number], processors: number): Zone => ({
  name,
  managed,
  present,
  min: 0,
  low: 0,
  high: 0,
  boost: 0,
  protection: [0, 0, 0, 0, 0],
  reclaimActive: false,
  pcp: { kernel: 0, movable: 0, huge: 0, high: processors, batch: 1, freeFactor: 0 },
});

/** hugepage_init: with less memory huge pages are off, whatever is asked; what is freed after it does not count. */
const THP_MIN_PAGES = 512 * 256;

export function bootKernel(options: BootOptions): Kernel {
  const profile = profileOf(options.memoryMb, options.kernel, options.processors);
  const zones = profile.zones.map((zone) => newZone(zone, options.processors));
  const total = zones.reduce((sum, zone) => sum + zone.managed, 0);
  const k = new Kernel(profile, zones, {
    enabled: total - profile.bootHeldPages < THP_MIN_PAGES ? 'never' : options.thp,
    defrag: 'madvise',
    shmemEnabled: 'never',
    useZeroPage: true,
    maxPtesNone: 511,
    maxPtesSwap: 64,
    maxPtesShared: 256,
    pagesToScan: 4096,
    scanSleepMs: 10000,
    allocSleepMs: 60000,
    khugepagedDefrag: true,
  });
  earlyRatelimit(k);
  setMarks(k);
  k.userReserveKbytes = Math.min(131072, Math.floor((total * 4) / 32));
  const { queue } = options;
  const kill: ProcessorQueue['kill'] = (tasks, isOfMany) => queue().kill(tasks, isOfMany);
  k.hooks = {
    memcgReclaim: (group, pages) => stalled(k, () => tryToFreeMemCgroupPages(k, group, pages)),
    memcgOutOfMemory: (group) => reportedKill(k, group, () => memCgroupOutOfMemory(k, group, kill)),
    memcgHandleOverHigh: (task) => handleOverHighInCharge(k, task),
    outOfMemory: () => reportedKill(k, null, () => outOfMemory(k, kill)),
    directReclaim: (order) => stalled(k, () => directReclaim(k, order)),
    wakeKswapd: (order) => queue().wakeKswapd(order),
    waitForKswapd: (until) => queue().waitForKswapd(until),
    freePage: (frame) => freePage(k, frame),
    queueTurn: (others) => queue().share(others),
    condResched: () => queue().condResched(),
  };
  takeStart(k);
  return k;
}

/** __perform_reclaim: where too little is left for those who reclaim (throttle_direct_reclaim), kswapd comes first. */
function directReclaim(k: Kernel, order: number): number {
  k.hooks.condResched();
  if (!allowsDirectReclaim(k)) {
    k.hooks.wakeKswapd(order);
    k.hooks.waitForKswapd(() => allowsDirectReclaim(k));
  }
  const reclaimed = tryToFreePages(k, order);
  k.hooks.condResched();
  return reclaimed;
}

function reportedKill(k: Kernel, group: MemCgroup | null, kill: () => boolean): boolean {
  const kills = k.oomKills.length;
  const killed = kill();
  if (k.oomKills.length > kills) {
    k.nowUs += group ? OOM_GROUP_US : OOM_US;
    // Only reclaim counts as a stall; of all memory the search has not been told apart from it.
    if (!group) noteStall(k, OOM_US);
  }
  return killed;
}

/** The marks as the kernel set them at boot, of what it could use then; with huge pages they are raised. */
export function setMarks(k: Kernel): void {
  const { profile, zones } = k;
  const total = k.totalPages;
  k.minFreeKbytes = calculateMinFreeKbytes(total * 4 - profile.bootHeldKbAtMinFree);
  const boot = zones.map((zone, i) => ({
    ...zone,
    managed: zone.managed - (i === zones.length - 1 ? profile.bootHeldPages : 0),
    pcp: { ...zone.pcp },
  }));
  setupZones(boot, k.minFreeKbytes, profile.processors);
  if (k.thp.enabled !== 'never') {
    const usable = boot.reduce((sum, zone) => sum + zone.managed - zone.high, 0);
    k.minFreeKbytes = Math.max(k.minFreeKbytes, recommendedMinFreeKbytes(zones.length, usable));
  }
  setupZones(boot, k.minFreeKbytes, profile.processors);
  zones.forEach((zone, i) => {
    const { min, low, high, protection, pcp } = boot[i]!;
    Object.assign(zone, { min, low, high, protection, pcp });
  });
}

/** What the kernel and process 1 hold. */
function takeStart(k: Kernel): void {
  const { start } = k.profile;
  const slabUnreclaimableKb = start.slabUnreclaimableKb + (k.thp.enabled === 'never' ? 0 : start.hugeSlabKb);
  const kb =
    start.buffersKb +
    start.slabReclaimableKb +
    slabUnreclaimableKb +
    start.kernelStackKb +
    start.pageTablesKb +
    start.vmallocKb +
    start.percpuKb +
    start.otherKb;
  takeKernelPages(k, Math.round(kb / 4));
  // Whoever mounted the disk was the first to change its own blocks.
  inodeAttachWb(k, k.blockDevice, k.root);
  k.slabReclaimableBytes = start.slabReclaimableKb * 1024;
  k.slabUnreclaimableBytes = slabUnreclaimableKb * 1024;
  const { vmstat } = k;
  vmstat.nr_slab_reclaimable = start.slabReclaimableKb / 4;
  vmstat.nr_slab_unreclaimable = slabUnreclaimableKb / 4;
  vmstat.nr_kernel_stack = start.kernelStackKb;
  vmstat.nr_page_table_pages = start.pageTablesKb / 4;
  k.committed = start.committedKb / 4;
}

/** A machine as it is before the first process of a script. */

import { inodeAttachWb } from './backing-dev.ts';
import { earlyRatelimit } from './dirty-limits.ts';
import { type HugePageSettings, Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { memCgroupOutOfMemory, outOfMemory, type Victims } from './oom-kill.ts';
import { freePage, takeKernelPages } from './page-alloc.ts';
import { type Profile, profileOf } from './profile.ts';
import { noteStall, stalled } from './psi.ts';
import { OOM_GROUP_US, OOM_US } from './recorded-prices.ts';
import { handleOverHighInCharge } from './throttle.ts';
import { balancePgdat, tryToFreeMemCgroupPages, tryToFreePages } from './vmscan.ts';
import { calculateMinFreeKbytes, recommendedMinFreeKbytes, setupZones, type Zone } from './zone.ts';

export interface BootOptions {
  readonly memoryMb: number;
  readonly thp: HugePageSettings['enabled'];
  readonly processors: number;
  readonly kernel: string;
  readonly victims: Victims;
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
  const { victims } = options;
  const lookingUp = (reclaim: () => number) => () => {
    const reclaimed = reclaim();
    victims.shareInReclaim();
    return reclaimed;
  };
  k.hooks = {
    memcgReclaim: (group, pages) =>
      stalled(
        k,
        lookingUp(() => tryToFreeMemCgroupPages(k, group, pages)),
      ),
    memcgOutOfMemory: (group) => reportedKill(k, group, () => memCgroupOutOfMemory(k, group, victims.kill)),
    memcgHandleOverHigh: (task) => handleOverHighInCharge(k, task),
    outOfMemory: () => reportedKill(k, null, () => outOfMemory(k, victims.kill)),
    directReclaim: (order) =>
      stalled(
        k,
        lookingUp(() => tryToFreePages(k, order)),
      ),
    wakeKswapd: (_zone, order) => balancePgdat(k, order),
    freePage: (frame) => freePage(k, frame),
    victimsTurn: (others) => victims.share(others),
  };
  takeStart(k);
  return k;
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

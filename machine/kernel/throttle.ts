/** memory.high (mm/memcontrol.c): no one dies, but who allocates sleeps, longer the further the group is above. */
import type { Kernel, Task } from './kernel.ts';
import { type MemCgroup, memcgEvent, NO_LIMIT } from './mem-cgroup.ts';
import { stalled } from './psi.ts';
import { HZ, timerExpiresAfter } from './timer.ts';
import { tryToFreeMemCgroupPages } from './vmscan.ts';

const CHARGE_BATCH = 64;
const MAX_RETRIES = 16;

/** mem_find_max_overage, in 2^-20. */
function maxOverage(group: MemCgroup): number {
  let most = 0;
  for (let at: MemCgroup | null = group; at && !at.isRoot; at = at.parent) {
    if (at.high === NO_LIMIT || at.usage <= at.high) continue;
    most = Math.max(most, Math.floor(((at.usage - at.high) * 2 ** 20) / Math.max(1, at.high)));
  }
  return most;
}

/** calculate_high_delay, in ticks. */
function highDelay(overage: number, pages: number): number {
  const penalty = Math.floor((overage * overage * HZ) / 2 ** 34);
  return Math.floor((penalty * pages) / CHARGE_BATCH);
}

function reclaimHigh(k: Kernel, group: MemCgroup, pages: number): number {
  let reclaimed = 0;
  for (let at: MemCgroup | null = group; at && !at.isRoot; at = at.parent) {
    if (at.usage <= at.high) continue;
    memcgEvent(at, 'high');
    reclaimed += stalled(k, () => tryToFreeMemCgroupPages(k, at, pages));
  }
  return reclaimed;
}

/** Whether there is something to do on the way back to the program. */
export const isOverHigh = (task: Task): boolean => task.memcgOverHigh > 0 || task.memcgSleepUs > 0;

/** mem_cgroup_handle_over_high, on the way back to the program. @returns microseconds that it must sleep. */
export function handleOverHigh(k: Kernel, task: Task): number {
  const owedUs = task.memcgSleepUs;
  task.memcgSleepUs = 0;
  return owedUs + reclaimOverHigh(k, task);
}

/** The same within a charge: it reclaims there; what it must sleep it sleeps when its call is done. */
export function handleOverHighInCharge(k: Kernel, task: Task): void {
  task.memcgSleepUs += reclaimOverHigh(k, task);
}

function reclaimOverHigh(k: Kernel, task: Task): number {
  const pages = task.memcgOverHigh;
  if (pages === 0) return 0;
  task.memcgOverHigh = 0;
  let retries = MAX_RETRIES;
  let amount = pages;
  for (;;) {
    const reclaimed = reclaimHigh(k, task.group, amount);
    const ticks = Math.min(highDelay(maxOverage(task.group), pages), 2 * HZ);
    if (ticks <= HZ / 100) return 0;
    if (reclaimed > 0 || retries-- > 0) {
      amount = 32;
      continue;
    }
    return timerExpiresAfter(k.nowUs, ticks) - k.nowUs;
  }
}

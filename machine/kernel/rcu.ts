/** kernel/rcu: memory that others may still look at goes when everybody has let go of what they saw. */
import type { Kernel } from './kernel.ts';
import { JIFFY_US } from './timer.ts';

/** On one processor: with the next tick the grace period has begun (jiffies_till_first_fqs), and the one after that sees its end. */
const gracePeriodEndUs = (nowUs: number): number => (Math.ceil(nowUs / JIFFY_US) + 1) * JIFFY_US;

/** call_rcu. */
export function callRcu(k: Kernel, free: () => void): void {
  k.rcu.push({ dueUs: gracePeriodEndUs(k.nowUs), free });
}

/** rcu_do_batch, of what has come due by `nowUs`: callbacks in the order in which they came; those that they make wait for the next period. */
export function rcuDoBatch(k: Kernel, nowUs: number = k.nowUs): void {
  while (k.rcu.length > 0 && k.rcu[0]!.dueUs <= nowUs) {
    const { dueUs, free } = k.rcu.shift()!;
    const before = k.rcu.length;
    free();
    for (let i = before; i < k.rcu.length; i++) k.rcu[i] = { ...k.rcu[i]!, dueUs: gracePeriodEndUs(dueUs) };
  }
}

/**
 * cgroup_threadgroup_rwsem: who moves a process to another group waits for readers that may not have seen that it is to be locked
 * (rcu_sync_enter: two periods, the one that runs and the next), unless somebody has done so until just now.
 * @returns when it has it.
 */
export function threadgroupLockUs(k: Kernel): number {
  const heldUs = k.nowUs < k.threadgroupSyncUs ? k.nowUs : gracePeriodEndUs(k.nowUs) + JIFFY_US;
  k.threadgroupSyncUs = gracePeriodEndUs(heldUs) + JIFFY_US;
  return heldUs;
}

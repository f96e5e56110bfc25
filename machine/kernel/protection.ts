/** mm/memcontrol.c: what memory.min and memory.low keep of a group from reclaim. */
import type { MemCgroup } from './mem-cgroup.ts';

/** mem_cgroup_calculate_protection, seen from the target: its own is as it was last seen from above. */
export function calculateProtection(target: MemCgroup, group: MemCgroup): void {
  if (group === target || group.usage === 0) return;
  const parent = group.parent!;
  if (parent === target) {
    group.emin = group.min;
    group.elow = group.low;
    return;
  }
  const effective = (of: (child: MemCgroup) => number, parentEffective: number) => {
    const own = Math.min(group.usage, of(group));
    const siblings = parent.children.reduce((sum, child) => sum + Math.min(child.usage, of(child)), 0);
    return siblings > parentEffective ? Math.floor((own * parentEffective) / siblings) : own;
  };
  group.emin = effective((child) => child.min, parent.emin);
  group.elow = effective((child) => child.low, parent.elow);
}

/** mem_cgroup_unprotected: the root, and the target of reclaim itself. */
const isUnprotected = (target: MemCgroup, group: MemCgroup): boolean => group.isRoot || group === target;

/** mem_cgroup_below_min and mem_cgroup_below_low, as of 6.2. */
export const isBelowMin = (target: MemCgroup, group: MemCgroup): boolean =>
  !isUnprotected(target, group) && group.usage <= group.emin;
export const isBelowLow = (target: MemCgroup, group: MemCgroup): boolean =>
  !isUnprotected(target, group) && group.usage <= group.elow;

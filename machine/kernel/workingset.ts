/** mm/workingset.c: what was evicted and is wanted again soon was wanted all along. */
import {
  LRU_ACTIVE_ANON,
  LRU_ACTIVE_FILE,
  LRU_INACTIVE_ANON,
  LRU_INACTIVE_FILE,
  PG_ACTIVE,
  PG_SWAPBACKED,
  PG_WORKINGSET,
} from './frames.ts';
import type { Kernel } from './kernel.ts';
import { lruGenEviction, lruGenRefault } from './lru-gen-workingset.ts';
import { lruNoteCost } from './lruvec.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { swapPagesOf } from './memcg-swap.ts';
import { countMemcg } from './memcontrol.ts';
import { lruvecPageState } from './rstat.ts';
import type { Shadow } from './shadow-table.ts';

/** workingset_eviction: what to remember of a page that reclaim for `target` takes: the order is that of all groups below. */
export function workingsetEviction(k: Kernel, frame: number, target: MemCgroup | null): Shadow {
  if (k.lruGen) return lruGenEviction(k, frame);
  const group = target ?? k.root;
  const age = group.nonresidentAge;
  group.ageNonresident(k.frames.sizeOf(frame));
  return { group: group.id, age, workingset: (k.frames.flags[frame]! & PG_WORKINGSET) !== 0 };
}

/** workingset_refault: a page that comes back within the size of the lists it competed with is active at once. */
export function workingsetRefault(k: Kernel, frame: number, shadow: Shadow): void {
  if (k.lruGen) {
    lruGenRefault(k, frame, shadow);
    return;
  }
  const evicted = k.groups[shadow.group]!;
  const { frames } = k;
  const file = (frames.flags[frame]! & PG_SWAPBACKED) === 0;
  const name = file ? 'file' : 'anon';
  const owner = frames.group[frame]!;
  const distance = evicted.nonresidentAge - shadow.age;
  k.vmstat[`workingset_refault_${name}`]++;
  countMemcg(k, owner, `workingset_refault_${name}`);
  let size = lruvecPageState(k, evicted, LRU_ACTIVE_FILE);
  if (!file) size += lruvecPageState(k, evicted, LRU_INACTIVE_FILE);
  if (swapPagesOf(k, k.groups[owner]!) > 0) {
    size += lruvecPageState(k, evicted, LRU_ACTIVE_ANON);
    if (file) size += lruvecPageState(k, evicted, LRU_INACTIVE_ANON);
  }
  if (distance > size) return;
  frames.flags[frame]! |= PG_ACTIVE;
  k.groups[owner]!.ageNonresident(1);
  k.vmstat[`workingset_activate_${name}`]++;
  countMemcg(k, owner, `workingset_activate_${name}`);
  if (!shadow.workingset) return;
  frames.flags[frame]! |= PG_WORKINGSET;
  lruNoteCost(k, k.groups[owner]!, file, 1);
  k.vmstat[`workingset_restore_${name}`]++;
  countMemcg(k, owner, `workingset_restore_${name}`);
}

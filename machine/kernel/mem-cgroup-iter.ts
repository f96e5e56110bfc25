/** mem_cgroup_iter with a cookie (mm/memcontrol.c): reclaim in a tree of groups goes on where it stopped the last time. */
import type { MemCgroup } from './mem-cgroup.ts';

/** mem_cgroup_reclaim_iter of the group that is reclaimed in: where the walk is. */
const positions = new WeakMap<MemCgroup, MemCgroup>();

/** css_next_descendant_pre: the one after `group`, or undefined at the end of the tree. */
function nextInTree(target: MemCgroup, group: MemCgroup | undefined): MemCgroup | undefined {
  if (!group) return target;
  if (group.children[0]) return group.children[0];
  for (let at = group; at !== target; at = at.parent!) {
    const { children } = at.parent!;
    const sibling = children[children.indexOf(at) + 1];
    if (sibling) return sibling;
  }
  return undefined;
}

/** The rest of the round through the tree; where none is left, a whole one. */
export function* memCgroupIter(target: MemCgroup): Generator<MemCgroup> {
  let next = nextInTree(target, positions.get(target));
  next ??= target;
  while (next) {
    positions.set(target, next);
    yield next;
    next = nextInTree(target, next);
  }
  positions.delete(target);
}

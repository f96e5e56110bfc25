/** shrink_slab: caches of kernel objects, and huge pages that wait to be split. */
import { splitHugePage } from './huge-memory.ts';
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { deferredSplitQueue } from './rmap.ts';

/** Objects that may go, of caches of names and files; what frees them is set by the file above. */
export interface SlabShrinker {
  count(group: number): number;
  /** Frees `objects` of them; returns pages freed. */
  scan(group: number, objects: number): number;
}
const shrinkers = new WeakMap<Kernel, SlabShrinker[]>();

export function registerShrinker(k: Kernel, shrinker: SlabShrinker): void {
  shrinkers.set(k, [...(shrinkers.get(k) ?? []), shrinker]);
}

/** shrink_slab: in proportion to the pressure on the lists; huge pages with parts unmapped are split here. */
export function shrinkSlab(k: Kernel, group: MemCgroup, priority: number): number {
  let freed = 0;
  const scanOf = (count: number) => {
    const delta = Math.min(2 * count, Math.floor((Math.floor(count / 2 ** priority) * 4) / 2));
    return delta >= 128 || delta >= count ? delta : 0;
  };
  const queue = [...deferredSplitQueue(k)].filter((head) => k.frames.group[head] === group.id);
  for (const head of queue.slice(0, scanOf(queue.length))) freed += splitHugePage(k, head);
  for (const shrinker of shrinkers.get(k) ?? []) {
    const objects = scanOf(shrinker.count(group.id));
    if (objects > 0) freed += shrinker.scan(group.id, objects);
  }
  return freed;
}

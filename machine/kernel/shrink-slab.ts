/** shrink_slab: caches of kernel objects, and huge pages that wait to be split. */
import { splitHugePage } from './huge-memory.ts';
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { deleteShadowNode } from './page-cache.ts';
import { deferredSplitQueue } from './rmap.ts';
import { countShadowNodes, takeOldestNodes } from './shadow-nodes.ts';

/** Objects that may go, of caches of names and files; what frees them is set by the file above. */
export interface SlabShrinker {
  /** Objects that a call looks at. */
  readonly batch: number;
  /** What it takes to make one again; of what takes nothing half goes, however little pressure there is. */
  readonly seeks: 0 | 2;
  count(group: number): number;
  /** Looks at `objects` of them; returns pages freed at once, undefined where it cannot now (SHRINK_STOP). */
  scan(group: number, objects: number): number | undefined;
}
const shrinkers = new WeakMap<Kernel, SlabShrinker[]>();

function shrinkersOf(k: Kernel): SlabShrinker[] {
  let own = shrinkers.get(k);
  if (!own) {
    own = [splitShrinker(k), shadowShrinker(k)];
    shrinkers.set(k, own);
  }
  return own;
}

export function registerShrinker(k: Kernel, shrinker: SlabShrinker): void {
  shrinkersOf(k).push(shrinker);
}

/** SHRINK_BATCH. */
const SHRINK_BATCH = 128;

/** deferred_split_shrinker: huge pages with parts unmapped. */
const splitShrinker = (k: Kernel): SlabShrinker => {
  const queueOf = (group: number) => [...deferredSplitQueue(k)].filter((head) => k.frames.group[head] === group);
  return {
    batch: SHRINK_BATCH,
    seeks: 2,
    count: (group) => queueOf(group).length,
    scan: (group, objects) =>
      queueOf(group)
        .slice(0, objects)
        .reduce((freed, head) => freed + splitHugePage(k, head), 0),
  };
};

/** workingset_shadow_shrinker. */
const shadowShrinker = (k: Kernel): SlabShrinker => ({
  batch: SHRINK_BATCH,
  seeks: 0,
  count: (group) => countShadowNodes(k, group),
  scan: (group, objects) => {
    for (const { object, first } of takeOldestNodes(k, group, objects)) deleteShadowNode(k, object, first);
    return 0;
  },
});

/** nr_deferred: what a group's objects were to be looked at and were not, as it was less than a batch. */
const deferred = new WeakMap<SlabShrinker, Map<number, number>>();

function deferredOf(shrinker: SlabShrinker): Map<number, number> {
  let own = deferred.get(shrinker);
  if (!own) {
    own = new Map();
    deferred.set(shrinker, own);
  }
  return own;
}

/** do_shrink_slab: in proportion to the pressure on the lists, by the batch. */
function doShrinkSlab(shrinker: SlabShrinker, group: number, priority: number): number {
  const freeable = shrinker.count(group);
  if (freeable === 0) return 0;
  const waiting = deferredOf(shrinker);
  const before = waiting.get(group) ?? 0;
  const delta = shrinker.seeks === 0 ? Math.floor(freeable / 2) : Math.floor(freeable / 2 ** priority) * 2;
  let total = Math.min(Math.floor(before / 2 ** priority) + delta, 2 * freeable);
  let freed = 0;
  let scanned = 0;
  while (total >= shrinker.batch || total >= freeable) {
    const objects = Math.min(shrinker.batch, total);
    const pages = objects > 0 ? shrinker.scan(group, objects) : undefined;
    if (pages === undefined) break;
    freed += pages;
    total -= objects;
    scanned += objects;
  }
  waiting.set(group, Math.min(Math.max(before + delta - scanned, 0), 2 * freeable));
  return freed;
}

/** shrink_slab. */
export function shrinkSlab(k: Kernel, group: MemCgroup, priority: number): number {
  return shrinkersOf(k).reduce((freed, shrinker) => freed + doShrinkSlab(shrinker, group.id, priority), 0);
}

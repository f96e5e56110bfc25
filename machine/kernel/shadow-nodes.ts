/** mm/workingset.c: nodes of files' trees that hold nothing but evicted pages, which the kernel gives up where there are too many. */
import type { Kernel } from './kernel.ts';
import { onlineAncestor } from './mem-cgroup.ts';
import type { AddressSpace } from './mm-types.ts';
import type { Leaf } from './page-tree.ts';

/** XA_CHUNK_SIZE. */
export const NODE_SLOTS = 64;

/** Where a node is: of which object, and its first index. */
interface Place {
  readonly object: AddressSpace;
  readonly first: number;
}

/** Lists of pages: anonymous, of files, and unevictable ones. */
const LRU_LISTS = 5;

/** By who pays for the node, longest there first. */
const lists = new WeakMap<Kernel, Map<number, Map<Leaf, Place>>>();

function listsOf(k: Kernel): Map<number, Map<Leaf, Place>> {
  let own = lists.get(k);
  if (!own) {
    own = new Map();
    lists.set(k, own);
  }
  return own;
}

/** workingset_update_node, after an entry of the leaf has come, gone or changed. */
export function workingsetUpdateNode(k: Kernel, object: AddressSpace, index: number, leaf: Leaf): void {
  const holdsShadows = leaf.used > 0 && leaf.used === leaf.shadows;
  if (holdsShadows === leaf.listed) return;
  leaf.listed = holdsShadows;
  const all = listsOf(k);
  let list = all.get(leaf.group);
  if (!list) {
    list = new Map();
    all.set(leaf.group, list);
  }
  if (holdsShadows) list.set(leaf, { object, first: index - (index % NODE_SLOTS) });
  else list.delete(leaf);
}

/** The node goes with its object. */
export function forgetNode(k: Kernel, leaf: Leaf): void {
  if (leaf.listed) listsOf(k).get(leaf.group)!.delete(leaf);
  leaf.listed = false;
}

function* ownLists(k: Kernel, group: number): Generator<Map<Leaf, Place>> {
  for (const [id, list] of listsOf(k)) if (onlineAncestor(k.groups[id]!).id === group) yield list;
}

/** count_shadow_nodes: those beyond an eighth of the pages that the group itself has; a longer memory than its lists would tell nothing. */
export function countShadowNodes(k: Kernel, id: number): number {
  let nodes = 0;
  for (const list of ownLists(k, id)) nodes += list.size;
  if (nodes === 0) return 0;
  let pages = 0;
  for (let lru = 0; lru < LRU_LISTS; lru++) pages += k.frames.sizeOfList(id, lru);
  const { slab_reclaimable_bytes, slab_unreclaimable_bytes } = k.groups[id]!.stat;
  pages += Math.floor(slab_reclaimable_bytes / 4096) + Math.floor(slab_unreclaimable_bytes / 4096);
  return Math.max(0, nodes - (pages >> 3));
}

/** The group's oldest nodes, which are on no list any more. */
export function takeOldestNodes(k: Kernel, id: number, most: number): Place[] {
  const places: Place[] = [];
  for (const list of ownLists(k, id)) {
    for (const [leaf, place] of list) {
      if (places.length === most) return places;
      list.delete(leaf);
      places.push(place);
    }
  }
  return places;
}

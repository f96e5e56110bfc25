/** Pages of an object: in and out of the cache (mm/filemap.c). */
import { inodeToWb } from './backing-dev.ts';
import { PG_DIRTY, PG_WRITEBACK } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { AddressSpace } from './mm-types.ts';
import { freePage } from './page-alloc.ts';
import { updateStat } from './rstat.ts';
import { forgetNode, NODE_SLOTS, workingsetUpdateNode } from './shadow-nodes.ts';
import type { Shadow } from './shadow-table.ts';
import { chargeObjects, SLAB_BYTES, takeSlab } from './slab.ts';
import { folioAddLru } from './swap-lru.ts';
import { workingsetRefault } from './workingset.ts';

/** radix_tree_node and buffer_head in slabinfo, with the pointer to who pays for them. */
const RADIX_NODE_SIZE = 584 + 8;
const BUFFER_HEAD_SIZE = 104 + 8;

/** filemap_add_folio: the page joins the object's, and may be one that was evicted a while ago. */
export function filemapAddFolio(
  k: Kernel,
  object: AddressSpace,
  index: number,
  frame: number,
  how?: 'write' | 'swap-in',
): void {
  const { frames } = k;
  frames.owner[frame] = object.id;
  frames.index[frame] = index;
  object.set(index, frame);
  const stat = updateStat(k, k.groups[frames.group[frame]!]!, object.kind === 'shmem' ? 2 : 1);
  k.vmstat.nr_file_pages++;
  stat.file++;
  if (object.kind === 'shmem') {
    k.vmstat.nr_shmem++;
    stat.shmem++;
  }
  const shadow = object.shadows.take(index);
  if (shadow) {
    shadowCame(k, object, index, -1);
    // __GFP_WRITE: what is about to be overwritten was not missed.
    if (how !== 'write') workingsetRefault(k, frame, shadow);
  } else if (how !== 'swap-in') addToTree(k, object, index, frames.group[frame]!);
  folioAddLru(k, frame);
}

/** The page has a place in the tree: its nodes are memory of the kernel, which who makes them pays for. */
export function addToTree(k: Kernel, object: AddressSpace, index: number, group: number): void {
  const made = object.tree.add(index, group);
  const leaf = object.tree.leafOf(index);
  if (leaf?.listed) workingsetUpdateNode(k, object, index, leaf);
  if (made === 0 || object.kind === 'ramfs') return;
  takeSlab(k, made * SLAB_BYTES.radixNode, true);
  chargeObjects(k, group, made, RADIX_NODE_SIZE, true);
}

/** A shadow comes to a place of a file's tree, or goes (mapping_set_update). */
function shadowCame(k: Kernel, object: AddressSpace, index: number, by: 1 | -1): void {
  const leaf = object.kind === 'disk' ? object.tree.leafOf(index) : undefined;
  if (!leaf) return;
  leaf.shadows += by;
  workingsetUpdateNode(k, object, index, leaf);
}

/** shadow_lru_isolate: a node that holds nothing but shadows goes. */
export function deleteShadowNode(k: Kernel, object: AddressSpace, first: number): void {
  const leaf = object.tree.leafOf(first);
  if (!leaf) return;
  leaf.listed = false;
  for (let index = first; index < first + NODE_SLOTS; index++)
    if (object.shadows.take(index)) removeFromTree(k, object, index);
}

/** A page, or what is left of one, has no place any more. */
export function removeFromTree(k: Kernel, object: AddressSpace, index: number): void {
  const leaf = object.tree.leafOf(index);
  freeNodes(k, object, object.tree.remove(index));
  if (leaf && leaf.shadows > 0) workingsetUpdateNode(k, object, index, leaf);
}

/** The inode goes, with the shadows. */
export function removeTree(k: Kernel, object: AddressSpace): void {
  for (const leaf of object.tree.leaves()) forgetNode(k, leaf);
  freeNodes(k, object, object.tree.clear());
}

function freeNodes(k: Kernel, object: AddressSpace, freed: readonly number[]): void {
  if (freed.length === 0 || object.kind === 'ramfs') return;
  takeSlab(k, -freed.length * SLAB_BYTES.radixNode, true);
  for (const group of freed) chargeObjects(k, group, -1, RADIX_NODE_SIZE, true);
}

/** filemap_remove_folio: out of the object; the frame is the caller's. Reclaim leaves a shadow in its place, or where it
 * lies in swap; a huge page replaces it. */
export function filemapRemoveFolio(
  k: Kernel,
  object: AddressSpace,
  index: number,
  frame: number,
  left?: Shadow | 'replaced',
): void {
  const stat = updateStat(k, k.groups[k.frames.group[frame]!]!, object.kind === 'shmem' ? 2 : 1);
  if (k.frames.flags[frame]! & PG_DIRTY) clearDirty(k, object, index, frame);
  if (k.frames.flags[frame]! & PG_WRITEBACK) {
    k.frames.flags[frame]! &= ~PG_WRITEBACK;
    k.vmstat.nr_writeback--;
    stat.file_writeback--;
  }
  object.set(index, 0);
  if (object.buffers.delete(index)) accountBuffer(k, k.frames.group[frame]!, -1);
  if (!left) removeFromTree(k, object, index);
  k.vmstat.nr_file_pages--;
  stat.file--;
  if (left && left !== 'replaced') {
    object.shadows.put(index, left);
    shadowCame(k, object, index, 1);
  }
  if (object.kind === 'shmem') {
    k.vmstat.nr_shmem--;
    stat.shmem--;
    if (object.mount) object.mount.usedPages--;
    if (object.accountsEachPage) k.committed--;
  }
}

/** Takes a page that nothing maps out of the cache and frees it. */
export function deleteFromPageCache(k: Kernel, object: AddressSpace, index: number): void {
  const frame = object.get(index);
  if (frame === 0) return;
  // A huge page goes as a whole: what is to stay of one was split off before.
  const pages = k.frames.sizeOf(frame);
  for (let i = 0; i < pages; i++) filemapRemoveFolio(k, object, index + i, frame + i);
  if (pages > 1) k.vmstat.nr_shmem_hugepages--;
  freePage(k, frame);
}

/** account_page_cleaned. */
export function clearDirty(k: Kernel, object: AddressSpace, index: number, frame: number): void {
  k.frames.flags[frame]! &= ~PG_DIRTY;
  if (!object.dirty.delete(index)) return;
  inodeToWb(k, object).reclaimable.add(-1);
  k.vmstat.nr_dirty--;
  updateStat(k, k.groups[k.frames.group[frame]!]!, 1).file_dirty--;
}

/** create_page_buffers: a page that is written has a buffer head until it leaves the cache. */
export function addBuffers(k: Kernel, object: AddressSpace, frame: number): void {
  const index = k.frames.index[frame]!;
  if (object.buffers.has(index)) return;
  object.buffers.add(index);
  accountBuffer(k, k.frames.group[frame]!, 1);
}

function accountBuffer(k: Kernel, group: number, sign: 1 | -1): void {
  takeSlab(k, sign * SLAB_BYTES.bufferHead, true);
  chargeObjects(k, group, sign, BUFFER_HEAD_SIZE, true);
}

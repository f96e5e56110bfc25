/** Pages of an object: in and out of the cache (mm/filemap.c). */
import { inodeToWb } from './backing-dev.ts';
import { PG_DIRTY, PG_WRITEBACK } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { AddressSpace } from './mm-types.ts';
import { freePage } from './page-alloc.ts';
import { updateStat } from './rstat.ts';
import type { Shadow } from './shadow-table.ts';
import { SLAB_BYTES, slabAccount } from './slab.ts';
import { folioAddLru } from './swap-lru.ts';
import { workingsetRefault } from './workingset.ts';

/** filemap_add_folio: the page joins the object's, and may be one that was evicted a while ago. */
export function filemapAddFolio(k: Kernel, object: AddressSpace, index: number, frame: number, isWrite = false): void {
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
    // __GFP_WRITE: what is about to be overwritten was not missed.
    if (!isWrite) workingsetRefault(k, frame, shadow);
  } else accountNode(k, object, index, 1, frames.group[frame]!);
  folioAddLru(k, frame);
}

/** A node of the tree that holds the object's pages: memory of the kernel. */
function accountNode(k: Kernel, object: AddressSpace, index: number, by: 1 | -1, group: number): void {
  const nodes = object.countNode(index, by);
  if (nodes !== 0 && object.kind !== 'ramfs') slabAccount(k, group, nodes * SLAB_BYTES.radixNode, true);
}

/** filemap_remove_folio: out of the object; the frame is the caller's. Reclaim leaves a shadow in its place. */
export function filemapRemoveFolio(
  k: Kernel,
  object: AddressSpace,
  index: number,
  frame: number,
  shadow?: Shadow,
): void {
  const stat = updateStat(k, k.groups[k.frames.group[frame]!]!, object.kind === 'shmem' ? 2 : 1);
  if (k.frames.flags[frame]! & PG_DIRTY) clearDirty(k, object, index, frame);
  if (k.frames.flags[frame]! & PG_WRITEBACK) {
    k.frames.flags[frame]! &= ~PG_WRITEBACK;
    k.vmstat.nr_writeback--;
    stat.file_writeback--;
  }
  object.set(index, 0);
  if (object.buffers.delete(index)) slabAccount(k, k.frames.group[frame]!, -SLAB_BYTES.bufferHead, true);
  if (!shadow) accountNode(k, object, index, -1, k.frames.group[frame]!);
  k.vmstat.nr_file_pages--;
  stat.file--;
  if (shadow) object.shadows.put(index, shadow);
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
  slabAccount(k, k.frames.group[frame]!, SLAB_BYTES.bufferHead, true);
}

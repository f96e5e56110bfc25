/** fs/fs-writeback.c: dirty pages of disk files, and when they are written. */

import { balanceOf, wbOverBgThresh } from './dirty-limits.ts';
import { PG_RECLAIM } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import type { AddressSpace } from './mm-types.ts';
import { clearDirty } from './page-cache.ts';
import { WRITE_PAGE_US } from './recorded-prices.ts';
import { updateStat } from './rstat.ts';
import { folioRotateReclaimable } from './swap-lru.ts';

/** dirty_expire_centisecs and dirty_writeback_centisecs. */
const EXPIRE_US = 30_000_000;
const INTERVAL_US = 5_000_000;

/** folio_account_dirtied. */
export function accountDirty(k: Kernel, object: AddressSpace, frame: number): void {
  if (object.dirty.size === 0) object.dirtiedAtUs = k.nowUs;
  if (object.wbGroup < 0) object.wbGroup = currentGroup(k).id;
  object.dirty.add(k.frames.index[frame]!);
  k.vmstat.nr_dirty++;
  k.vmstat.nr_dirtied++;
  if (k.current) k.current.nrDirtied++;
  updateStat(k, k.groups[k.frames.group[frame]!]!, 1).file_dirty++;
}

/** Writes the object's dirty pages in [from, to), in order of their offsets. */
export function writePages(k: Kernel, object: AddressSpace, from = 0, to = Number.POSITIVE_INFINITY): void {
  for (const index of [...object.dirty].sort((a, b) => a - b))
    if (index >= from && index < to) writePage(k, object, index);
}

/** ext4_writepages with range_cyclic: up to `most` pages from where the last call ended, and from the beginning again. */
function writeCyclic(k: Kernel, object: AddressSpace, most: number): number {
  const order = [...object.dirty].sort((a, b) => a - b);
  const start = order.findIndex((index) => index >= object.writebackIndex);
  const chosen = (start < 0 ? order : [...order.slice(start), ...order.slice(0, start)]).slice(0, most);
  for (const index of chosen) {
    writePage(k, object, index);
    object.writebackIndex = index + 1;
  }
  return chosen.length;
}

/** One page to the disk; the disk of the machine is memory, so the write ends at once. */
export function writePage(k: Kernel, object: AddressSpace, index: number): void {
  const frame = object.get(index);
  clearDirty(k, object, index, frame);
  for (const vma of object.vmas)
    cleanEntry(vma.mm.pmdAt(index - vma.pgoff + vma.start), index - vma.pgoff + vma.start, vma.start, vma.end, frame);
  k.vmstat.nr_written++;
  k.vmstat.pgpgout += 4;
  k.nowUs += WRITE_PAGE_US;
  if (k.frames.flags[frame]! & PG_RECLAIM) {
    k.frames.flags[frame]! &= ~PG_RECLAIM;
    folioRotateReclaimable(k, frame);
  }
}

/** page_mkclean: the next write through a mapping shall be noticed. */
function cleanEntry(
  pmd: { get(i: number): number; set(i: number, pte: number): void } | undefined,
  page: number,
  start: number,
  end: number,
  frame: number,
): void {
  if (!pmd || page < start || page >= end) return;
  const pte = pmd.get(page % 512);
  if (pte & 1 && pte >>> 6 === frame) pmd.set(page % 512, pte & ~6);
}

/** balance_dirty_pages_ratelimited: where too much is dirty, the flusher of the object's files starts. */
export function balanceDirtyPages(k: Kernel, object: AddressSpace): void {
  const task = k.current;
  if (object.kind !== 'disk' || !task || task.nrDirtied < task.nrDirtiedPause) return;
  const group = wbOf(k, object);
  const { startsFlusher, pollPages } = balanceOf(k, group);
  if (startsFlusher) wbWriteback(k, group);
  if (pollPages === undefined) {
    // Its pause would be shorter than a tick.
    if (task.nrDirtiedPause <= task.nrDirtied) task.nrDirtiedPause += task.nrDirtied;
    return;
  }
  task.nrDirtied = 0;
  task.nrDirtiedPause = pollPages;
}

/** The group that a file which nobody has made dirty would belong to. */
const currentGroup = (k: Kernel): MemCgroup => k.current?.group ?? k.root;

/** inode_to_wb: each group has a flusher of its own; that of a group that is gone has gone to the one above. */
function wbOf(k: Kernel, object: AddressSpace): MemCgroup {
  let group = object.wbGroup < 0 ? currentGroup(k) : k.groups[object.wbGroup]!;
  while (!group.online && group.parent) group = group.parent;
  return group;
}

/** writeback_chunk_size: MIN_WRITEBACK_PAGES, for the limit that it might be a part of is 0 until a writer is held up. */
const WRITEBACK_CHUNK_PAGES = 1024;

/** wb_writeback: a chunk of each of the group's files, the longest dirty first, while too much is dirty. */
function wbWriteback(k: Kernel, group: MemCgroup): void {
  while (wbOverBgThresh(k, group)) {
    let written = 0;
    const inodes = k.objects.filter((object) => object && object.dirty.size > 0 && wbOf(k, object) === group);
    inodes.sort((a, b) => a!.dirtiedAtUs - b!.dirtiedAtUs);
    for (const object of inodes) written += writeCyclic(k, object!, WRITEBACK_CHUNK_PAGES);
    if (written === 0) return;
  }
}

/** sync. */
export function syncAll(k: Kernel): void {
  for (const object of k.objects) if (object && object.dirty.size > 0) writePages(k, object);
}

/** wb_workfn on its timer: what has been dirty for half a minute is written. */
export function writebackExpired(k: Kernel): void {
  for (const object of k.objects) {
    if (object && object.dirty.size > 0 && k.nowUs - object.dirtiedAtUs >= EXPIRE_US) writePages(k, object);
  }
}

/** Reclaim met a dirty page at the end of the list: the flusher is woken. */
export function wakeupFlusherThreads(k: Kernel): void {
  syncAll(k);
}

export { INTERVAL_US as WRITEBACK_INTERVAL_US };

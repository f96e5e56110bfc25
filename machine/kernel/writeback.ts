/** mm/page-writeback.c and fs/fs-writeback.c: dirty pages of disk files, and when they are written. */

import { LRU_ACTIVE_FILE, LRU_INACTIVE_FILE, PG_RECLAIM } from './frames.ts';
import type { Kernel, Task } from './kernel.ts';
import type { AddressSpace } from './mm-types.ts';
import { nrFreePages } from './page-alloc.ts';
import { clearDirty } from './page-cache.ts';
import { WRITE_PAGE_US } from './recorded-prices.ts';
import { folioRotateReclaimable, nodeListSize } from './swap-lru.ts';

/** dirty_expire_centisecs and dirty_writeback_centisecs. */
const EXPIRE_US = 30_000_000;
const INTERVAL_US = 5_000_000;

/** folio_account_dirtied. */
export function accountDirty(k: Kernel, object: AddressSpace, frame: number): void {
  if (object.dirty.size === 0) object.dirtiedAtUs = k.nowUs;
  object.dirty.add(k.frames.index[frame]!);
  k.vmstat.nr_dirty++;
  k.vmstat.nr_dirtied++;
  k.groups[k.frames.group[frame]!]!.stat.file_dirty++;
}

/** global_dirtyable_memory: what is free beyond the reserve, and the cache. */
function dirtyableMemory(k: Kernel): number {
  let reserve = 0;
  for (const zone of k.zones) reserve += Math.min(zone.managed, zone.high + Math.max(...zone.protection));
  const free = nrFreePages(k);
  const cache = nodeListSize(k.frames, k.groups, LRU_ACTIVE_FILE) + nodeListSize(k.frames, k.groups, LRU_INACTIVE_FILE);
  return free - Math.min(free, reserve) + cache + 1;
}

/** domain_dirty_limits, in pages. */
export function dirtyLimits(k: Kernel): { background: number; dirty: number } {
  const available = dirtyableMemory(k);
  const background = Math.floor((k.dirtyBackgroundRatio * 4096 * available) / 100 / 4096);
  const dirty = Math.floor((k.dirtyRatio * 4096 * available) / 100 / 4096);
  return { background: background >= dirty ? dirty >> 1 : background, dirty };
}

/** Writes the object's dirty pages, `most` of them, in order of their offsets. */
export function writePages(k: Kernel, object: AddressSpace, most = Number.POSITIVE_INFINITY): number {
  let written = 0;
  for (const index of [...object.dirty].sort((a, b) => a - b)) {
    if (written >= most) break;
    writePage(k, object, index);
    written++;
  }
  object.dirtiedAtUs = k.nowUs;
  return written;
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

/** balance_dirty_pages_ratelimited: above the background mark the flusher starts. */
export function balanceDirtyPages(k: Kernel, _task: Task): void {
  if (k.vmstat.nr_dirty % 32 !== 0) return;
  const { background } = dirtyLimits(k);
  if (k.vmstat.nr_dirty > background) writebackUntil(k, background);
}

/** wb_over_bg_thresh: writes until no more than `mark` pages are dirty. */
function writebackUntil(k: Kernel, mark: number): void {
  for (const object of k.objects) {
    if (k.vmstat.nr_dirty <= mark) return;
    if (object && object.dirty.size > 0) writePages(k, object, Math.max(1024, k.vmstat.nr_dirty - mark));
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

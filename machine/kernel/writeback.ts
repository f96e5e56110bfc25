/** mm/page-writeback.c: pages of a disk's files become dirty, and are written. */
import {
  BANDWIDTH_INTERVAL,
  inodeAttachWb,
  inodeToWb,
  trackForeignDirty,
  wbBandwidthEstimateStart,
  wbStampBandwidth,
  wbWriteoutInc,
} from './backing-dev.ts';
import { type CgroupOwners, newOwners, ownersDetach } from './foreign-inode.ts';
import { PG_RECLAIM } from './frames.ts';
import { markInodeDirty } from './inode-list.ts';
import type { Kernel } from './kernel.ts';
import type { AddressSpace } from './mm-types.ts';
import { clearDirty } from './page-cache.ts';
import { updateStat } from './rstat.ts';
import { folioRotateReclaimable } from './swap-lru.ts';
import { jiffiesOf, timerExpiresAfter } from './timer.ts';

/** folio_account_dirtied. */
export function accountDirty(k: Kernel, object: AddressSpace, frame: number): void {
  markInodeDirty(k, object);
  const group = k.groups[k.frames.group[frame]!]!;
  inodeAttachWb(k, object, group);
  const wb = inodeToWb(k, object);
  object.dirty.add(k.frames.index[frame]!);
  if (wb.wakeUs === 0) wb.wakeUs = timerExpiresAfter(k.nowUs, k.dirtyWriteback);
  wb.reclaimable.add(1);
  wb.dirtied.add(1);
  k.vmstat.nr_dirty++;
  k.vmstat.nr_dirtied++;
  if (k.current) k.current.nrDirtied++;
  k.bdpRatelimits++;
  updateStat(k, group, 1).file_dirty++;
  if (group !== wb.group) trackForeignDirty(k, group, wb);
}

/** do_writepages: how fast it goes is measured, and whose the pages are. */
function* doWritepages(
  k: Kernel,
  object: AddressSpace,
  write: (owners: CgroupOwners) => Generator<void, number>,
): Generator<void, number> {
  const wb = inodeToWb(k, object);
  const owners = newOwners(object, wb);
  wbBandwidthEstimateStart(wb, jiffiesOf(k.nowUs));
  const written = yield* write(owners);
  const now = jiffiesOf(k.nowUs);
  if (now > wb.bandwidthStamp + BANDWIDTH_INTERVAL) wbStampBandwidth(wb, now);
  ownersDetach(k, object, wb, owners);
  return written;
}

const inOrder = (object: AddressSpace, from: number, to: number): number[] =>
  [...object.dirty].filter((index) => index >= from && index < to).sort((a, b) => a - b);

/** MAX_WRITEPAGES_EXTENT_LEN: what ext4_writepages writes in one go. */
const EXTENT_PAGES = 2048;

/** Up to `most` dirty pages of [from, to); those that become dirty ahead of it meanwhile too. */
function* writeRange(
  k: Kernel,
  object: AddressSpace,
  owners: CgroupOwners,
  from: number,
  to: number,
  most: number,
): Generator<void, number> {
  let written = 0;
  let next = from;
  for (let batch = inOrder(object, next, to); batch.length > 0; batch = inOrder(object, next, to)) {
    for (let at = 0; at < batch.length; ) {
      if (written === most) return written;
      const extent = extentAt(batch, at, Math.min(EXTENT_PAGES, most - written));
      at += extent.length;
      next = extent.at(-1)! + 1;
      object.writebackIndex = next;
      written += yield* writeExtent(k, object, extent, owners);
      if (written < most) yield;
    }
  }
  return written;
}

/** mpage_add_bh_to_extent: pages that follow one another. */
function extentAt(indices: readonly number[], at: number, most: number): readonly number[] {
  let end = at + 1;
  while (end < indices.length && end - at < most && indices[end] === indices[end - 1]! + 1) end++;
  return indices.slice(at, end);
}

/** BIO_MAX_VECS: of so many pieces of memory a bio is full. Pages that lie one after another are one. */
const BIO_PIECES = 256;

interface Bio {
  readonly pages: number[];
  /** Pages that lie behind the one before them. */
  merged: number;
}

/** io_submit_add_bh, of each page. */
function biosOf(object: AddressSpace, indices: readonly number[]): Bio[] {
  const bios: Bio[] = [];
  let bio: Bio | undefined;
  let last = -1;
  for (const index of indices) {
    const frame = object.get(index);
    const isMerged = bio !== undefined && frame === last + 1;
    if (!bio || (!isMerged && bio.pages.length - bio.merged === BIO_PIECES)) {
      bio = { pages: [], merged: 0 };
      bios.push(bio);
    }
    bio.pages.push(index);
    if (isMerged) bio.merged++;
    last = frame;
  }
  return bios;
}

/** Others may have the processor once a bio is made (submit_bio), and once it is copied to the disk; then its pages end. */
function* writeExtent(
  k: Kernel,
  object: AddressSpace,
  extent: readonly number[],
  owners: CgroupOwners,
): Generator<void, number> {
  const { writeFoundUs, writeMergedUs, writePieceUs, writeCopiedUs } = k.profile.prices;
  const dirty = extent.filter((index) => object.dirty.has(index));
  k.nowUs += dirty.length * writeFoundUs;
  for (const { pages, merged } of biosOf(object, dirty)) {
    k.nowUs += merged * writeMergedUs + (pages.length - merged) * writePieceUs;
    yield;
    k.nowUs += pages.length * writeCopiedUs;
    yield;
    for (const index of pages) if (object.dirty.has(index)) writePage(k, object, index, owners);
  }
  return dirty.length;
}

/** ext4_writepages with range_cyclic: up to `most` pages from where the last call ended, and from the beginning again. */
export const writeCyclic = (k: Kernel, object: AddressSpace, most: number): Generator<void, number> =>
  doWritepages(k, object, function* (owners) {
    const start = object.writebackIndex;
    const written = yield* writeRange(k, object, owners, start, Number.POSITIVE_INFINITY, most);
    if (written === most) return written;
    object.writebackIndex = 0;
    return written + (yield* writeRange(k, object, owners, 0, start, most - written));
  });

/** Writes the object's dirty pages in [from, to), in order of their offsets, at once. After the whole file the flusher goes on where that ended. */
export function writePages(k: Kernel, object: AddressSpace, from = 0, to = Number.POSITIVE_INFINITY): void {
  if (object.dirty.size === 0) return;
  const { writebackIndex } = object;
  const steps = doWritepages(k, object, (owners) => writeRange(k, object, owners, from, to, Number.POSITIVE_INFINITY));
  while (!steps.next().done);
  if (from > 0 || to < Number.POSITIVE_INFINITY) object.writebackIndex = writebackIndex;
}

/** The end of a page's write. */
function writePage(k: Kernel, object: AddressSpace, index: number, owners?: CgroupOwners): void {
  const frame = object.get(index);
  const group = k.groups[k.frames.group[frame]!]!;
  clearDirty(k, object, index, frame);
  // folio_start_writeback and folio_end_writeback.
  updateStat(k, group, 1).file_writeback++;
  updateStat(k, group, 1).file_writeback--;
  for (const vma of object.vmas)
    cleanEntry(vma.mm.pmdAt(index - vma.pgoff + vma.start), index - vma.pgoff + vma.start, vma.start, vma.end, frame);
  k.vmstat.nr_written++;
  k.vmstat.pgpgout += 4;
  const { writeEndedUs, writeEndedOfGroupUs } = k.profile.prices;
  k.nowUs += writeEndedUs + (group.isRoot ? 0 : writeEndedOfGroupUs);
  wbWriteoutInc(k, inodeToWb(k, object));
  owners?.account(group);
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

/** sync: the flushers go through all of their lists. */
export function syncAll(k: Kernel): void {
  for (const object of k.objects) {
    if (!object?.listed) continue;
    writePages(k, object);
    object.listed = undefined;
  }
}

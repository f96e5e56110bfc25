/** mm/filemap.c and mm/readahead.c: the page cache, reads, writes and faults of files. */

import { balanceDirtyPages } from './balance-dirty.ts';
import { takeBlock } from './disk-blocks.ts';
import { PG_DIRTY, PG_RECLAIM, PG_WRITEBACK } from './frames.ts';
import type { Kernel, Task } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { countMemcg } from './memcontrol.ts';
import type { AddressSpace, Vma } from './mm-types.ts';
import { allocPage } from './page-alloc.ts';
import { addBuffers, filemapAddFolio } from './page-cache.ts';
import { newReadahead, type Readahead } from './readahead.ts';
import { ACTIVATED_US, SHMEM_PAGE_US, WRITE_CLEAN_US, WRITE_DIRTY_US, WRITE_UNCACHED_US } from './recorded-prices.ts';
import { SHMEM_NOSPC, shmemGetFolio, swappedPages } from './shmem.ts';
import { folioMarkAccessed, isActivatedByUse } from './swap-lru.ts';
import { VM_RAND_READ, VM_SEQ_READ } from './vm-flags.ts';
import { accountDirty } from './writeback.ts';

/** Pages of a file's readahead: read_ahead_kb 128. */
const RA_PAGES = 32;
const FAULT_AROUND_PAGES = 16;
const MMAP_LOTSAMISS = 100;

/** page_mkwrite and set_page_dirty: what a write through a mapping does to the page. */
export function pageMkwrite(k: Kernel, object: AddressSpace, frame: number): void {
  k.frames.flags[frame]! &= ~PG_RECLAIM;
  if (k.frames.flags[frame]! & PG_DIRTY) return;
  if (object.kind === 'disk') {
    accountDirty(k, object, frame);
    addBuffers(k, object, frame);
  }
  k.frames.flags[frame]! |= PG_DIRTY;
}

/**
 * filemap_map_pages: a read fault maps what is cached of the 16 pages around it, not beyond its table or mapping.
 * @returns whether `page` itself was mapped.
 */
export function filemapMapPages(
  k: Kernel,
  _task: Task,
  vma: Vma,
  page: number,
  map: (page: number, frame: number) => void,
): boolean {
  const object = vma.object!;
  if (object.kind === 'special') return false;
  const around = Math.floor(page / FAULT_AROUND_PAGES) * FAULT_AROUND_PAGES;
  const first = Math.max(around, vma.start);
  const tableEnd = Math.floor(page / 512) * 512 + 512;
  const last = Math.min(first + FAULT_AROUND_PAGES, tableEnd, vma.end);
  const sizePages = Math.ceil(object.sizeBytes / 4096);
  let done = false;
  const pmd = vma.mm.pmdAt(page);
  for (let at = first; at < last; at++) {
    const index = vma.linearIndex(at);
    if (index >= sizePages) break;
    const frame = object.get(index);
    if (frame === 0 || k.frames.flags[frame]! & PG_RECLAIM) continue;
    if (vma.ra && vma.ra.mmapMiss > 0) vma.ra.mmapMiss--;
    if (pmd && pmd.get(at % 512) !== 0) continue;
    map(at, frame);
    if (at === page) done = true;
  }
  return done;
}

export interface FaultedPage {
  /** -1 where there is none. */
  readonly frame: number;
  readonly result: number;
}

const SIGBUS = 1;
const OOM = 2;
const MAJOR = 4;
const RETRY = 8;

/** filemap_fault and shmem_fault: the page of an object, read or made. */
export function filemapFault(k: Kernel, task: Task, vma: Vma, index: number): FaultedPage {
  const object = vma.object!;
  if (index >= Math.ceil(object.sizeBytes / 4096)) return { frame: -1, result: SIGBUS };
  if (object.kind === 'shmem') {
    const before = k.vmstat.pgmajfault;
    const had = object.nrPages;
    const frame = shmemGetFolio(k, task.group, object, index, false, task);
    if (object.nrPages > had) k.nowUs += SHMEM_PAGE_US;
    const read = k.vmstat.pgmajfault - before;
    return frame < 0 ? { frame, result: frame === -1 ? OOM : SIGBUS } : { frame, result: read > 0 ? MAJOR : 0 };
  }
  let frame = object.get(index);
  const ra = vma.ra ?? newReadahead();
  if (frame !== 0) {
    // do_async_mmap_readahead
    if (!(vma.flags & VM_RAND_READ)) {
      if (ra.mmapMiss > 0) ra.mmapMiss--;
      if (k.frames.flags[frame]! & PG_RECLAIM && !(k.frames.flags[frame]! & PG_WRITEBACK)) {
        k.frames.flags[frame]! &= ~PG_RECLAIM;
        ondemandReadahead(k, task.group, object, ra, index, RA_PAGES, true);
        return { frame, result: RETRY };
      }
    }
    return { frame, result: 0 };
  }
  k.vmstat.pgmajfault++;
  countMemcg(k, task.group.id, 'pgmajfault');
  syncMmapReadahead(k, task.group, object, ra, vma, index);
  frame = object.get(index);
  if (frame === 0) {
    readPages(k, task.group, object, index, 1, 0);
    frame = object.get(index);
  }
  if (frame === 0) return { frame: -1, result: OOM };
  return { frame, result: RETRY | MAJOR };
}

/** do_sync_mmap_readahead: 128 KiB around the fault, unless the file is read in order or at random. */
function syncMmapReadahead(
  k: Kernel,
  group: MemCgroup,
  object: AddressSpace,
  ra: Readahead,
  vma: Vma,
  index: number,
): void {
  if (vma.flags & VM_RAND_READ || ra.random) return;
  if (vma.flags & VM_SEQ_READ) {
    ondemandReadahead(k, group, object, ra, index, RA_PAGES, false);
    return;
  }
  if (ra.mmapMiss < MMAP_LOTSAMISS * 10) ra.mmapMiss++;
  if (ra.mmapMiss > MMAP_LOTSAMISS) return;
  ra.start = Math.max(0, index - RA_PAGES / 2);
  ra.size = RA_PAGES;
  ra.asyncSize = RA_PAGES / 4;
  readPages(k, group, object, ra.start, ra.size, ra.asyncSize);
}

/**
 * do_page_cache_ra: reads `count` pages from `start` that are not cached, not beyond the end of the file. The page where `asyncSize` are left
 * is marked, and whoever comes to it reads on; of fewer than that, which the end of the file leaves, none is.
 */
export function readPages(
  k: Kernel,
  group: MemCgroup,
  object: AddressSpace,
  start: number,
  count: number,
  asyncSize: number,
): boolean {
  const end = Math.min(start + count, Math.ceil(object.sizeBytes / 4096));
  const pages = end - start;
  const mark = pages >= asyncSize ? end - asyncSize : -1;
  for (let index = start; index < end; index++) {
    if (object.get(index) !== 0) continue;
    const frame = allocPage(k, group);
    if (frame < 0) return false;
    filemapAddFolio(k, object, index, frame);
    if (index === mark && asyncSize > 0) k.frames.flags[frame]! |= PG_RECLAIM;
    k.vmstat.pgpgin += 4;
    k.nowUs += k.profile.prices.readPageUs;
  }
  return true;
}

/** bdi->io_pages: the largest request of the recorded disk, 1,280 KiB (BLK_DEF_MAX_SECTORS). */
const IO_PAGES = 320;

/** force_page_cache_ra: what was asked to be read ahead, up to the largest request; tmpfs has nothing to read. */
export function forcePageCacheReadahead(
  k: Kernel,
  group: MemCgroup,
  object: AddressSpace,
  start: number,
  count: number,
): void {
  if (object.kind === 'disk') readPages(k, group, object, start, Math.min(count, IO_PAGES), 0);
}

/** get_init_ra_size. */
function initialSize(size: number, max: number): number {
  let rounded = 1;
  while (rounded < size) rounded *= 2;
  if (rounded <= max / 32) return rounded * 4;
  return rounded <= max / 4 ? rounded * 2 : max;
}

/** get_next_ra_size. */
function nextSize(ra: Readahead, max: number): number {
  if (ra.size < max / 16) return 4 * ra.size;
  return ra.size <= max / 2 ? 2 * ra.size : max;
}

/** ondemand_readahead. */
export function ondemandReadahead(
  k: Kernel,
  group: MemCgroup,
  object: AddressSpace,
  ra: Readahead,
  index: number,
  requested: number,
  marked: boolean,
): void {
  const max = RA_PAGES;
  if (ra.random) {
    readPages(k, group, object, index, Math.min(requested, max), 0);
    return;
  }
  const expected = ra.start + ra.size - ra.asyncSize;
  if (index > 0 && (index === expected || index === ra.start + ra.size)) {
    ra.start += ra.size;
    ra.size = nextSize(ra, max);
    ra.asyncSize = ra.size;
  } else if (marked) {
    let start = index + 1;
    while (object.get(start) !== 0 && start < index + max) start++;
    if (start > index + max) return;
    ra.start = start;
    ra.size = nextSize({ ...ra, size: start - index + requested }, max);
    ra.asyncSize = ra.size;
  } else if (index === 0 || requested > max || index - ra.prevPos <= 1) {
    ra.start = index;
    ra.size = initialSize(requested, max);
    ra.asyncSize = ra.size > requested ? ra.size - requested : ra.size;
  } else {
    readPages(k, group, object, index, requested, 0);
    return;
  }
  if (index === ra.start && ra.size === ra.asyncSize) {
    const more = nextSize(ra, max);
    if (ra.size + more <= max) {
      ra.asyncSize = more;
      ra.size += more;
    } else {
      ra.size = max;
      ra.asyncSize = max >> 1;
    }
  }
  readPages(k, group, object, ra.start, ra.size, ra.asyncSize);
}

/** filemap_get_pages, of a page that is not cached. @returns its frame, or 0 where memory ran out. */
function readIn(k: Kernel, task: Task, object: AddressSpace, ra: Readahead, at: number, last: number): number {
  ondemandReadahead(k, task.group, object, ra, at, last - at, false);
  if (object.get(at) === 0 && !readPages(k, task.group, object, at, 1, 0)) return 0;
  return object.get(at);
}

/** filemap_read (of tmpfs shmem_file_read_iter, which finds nothing in a hole): `count` pages from `index`, one call of the program. @returns false where memory ran out. */
export function filemapRead(
  k: Kernel,
  task: Task,
  object: AddressSpace,
  ra: Readahead,
  index: number,
  count: number,
): boolean {
  const last = Math.min(index + count, Math.ceil(object.sizeBytes / 4096));
  let accessed = ra.prevPos;
  for (let at = index; at < last; at++) {
    let frame = object.get(at);
    if (frame === 0) {
      if (object.kind === 'shmem' && !swappedPages(object).has(at)) {
        accessed = at;
        continue;
      }
      frame =
        object.kind === 'shmem'
          ? shmemGetFolio(k, task.group, object, at, false)
          : readIn(k, task, object, ra, at, last);
      if (frame <= 0) return false;
    }
    if (k.frames.flags[frame]! & PG_RECLAIM && object.kind !== 'shmem' && !(k.frames.flags[frame]! & PG_WRITEBACK)) {
      k.frames.flags[frame]! &= ~PG_RECLAIM;
      ondemandReadahead(k, task.group, object, ra, at, last - at, true);
    }
    if (accessed !== at) {
      if (isActivatedByUse(k, frame)) k.nowUs += ACTIVATED_US;
      folioMarkAccessed(k, frame);
    }
    accessed = at;
    ra.prevPos = at;
  }
  return true;
}

/** What a page of a file costs who writes it: a block is found for it, a page allocated, and it is made dirty, as far as that is to be done. */
function writePrice(k: Kernel, task: Task, object: AddressSpace, index: number, frame: number): number {
  const { writeNewUs, writeNewOfGroupUs } = k.profile.prices;
  if (frame === 0 && object.blocks?.has(index)) return WRITE_UNCACHED_US;
  if (frame === 0) return writeNewUs + (task.group.isRoot ? 0 : writeNewOfGroupUs);
  return k.frames.flags[frame]! & PG_DIRTY ? WRITE_DIRTY_US : WRITE_CLEAN_US;
}

/** Pages written, and why no more. */
export interface Written {
  readonly pages: number;
  readonly error?: 'ENOSPC' | 'ENOMEM';
}

/** generic_perform_write: pages of a disk's file are made dirty in the cache, up to where the task must pause. */
export function genericPerformWrite(
  k: Kernel,
  task: Task,
  object: AddressSpace,
  index: number,
  count: number,
): Written {
  for (let at = index; at < index + count; at++) {
    let frame = object.get(at);
    if (object.kind === 'shmem') {
      frame = shmemGetFolio(k, task.group, object, at, true);
      if (frame < 0) return { pages: at - index, error: frame === SHMEM_NOSPC ? 'ENOSPC' : 'ENOMEM' };
      k.frames.flags[frame] = (k.frames.flags[frame]! | PG_DIRTY) & ~PG_RECLAIM;
      continue;
    }
    const priceUs = writePrice(k, task, object, at, frame);
    if (!takeBlock(object, at)) return { pages: at - index, error: 'ENOSPC' };
    k.nowUs += priceUs;
    if (frame === 0) {
      frame = allocPage(k, task.group);
      if (frame < 0) return { pages: at - index, error: 'ENOMEM' };
      filemapAddFolio(k, object, at, frame, 'write');
    }
    pageMkwrite(k, object, frame);
    object.sizeBytes = Math.max(object.sizeBytes, (at + 1) * 4096);
    balanceDirtyPages(k, object);
    if (task.dirtyPause) return { pages: at + 1 - index };
  }
  return { pages: count };
}

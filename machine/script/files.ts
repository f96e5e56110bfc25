/** Files of the machine: a disk's and tmpfs's, by path. */
import type { AddressSpace } from '../kernel/address-space.ts';
import { PG_DIRTY, PG_WRITEBACK } from '../kernel/frames.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';
import { unmapMappingRange } from '../kernel/madvise.ts';
import { deleteFromPageCache } from '../kernel/page-cache.ts';
import { newObject, putObject, shmemTruncateRange } from '../kernel/shmem.ts';
import { deactivateFileFolio, lruAddDrain } from '../kernel/swap-lru.ts';
import { SLAB_BYTES, slabAccount } from '../kernel/slab.ts';
import { writePages } from '../kernel/writeback.ts';

/** A mounted file system. */
export interface Mount {
  readonly path: string;
  readonly type: 'disk' | 'tmpfs';
  usedPages: number;
  limitPages: number;
}

export class FileSystem {
  private readonly k: Kernel;
  readonly mounts: Mount[];
  readonly directories = new Set<string>();

  constructor(k: Kernel) {
    this.k = k;
    const half = Math.floor(k.totalPages / 2);
    this.mounts = [
      { path: '/dev/shm', type: 'tmpfs', usedPages: 0, limitPages: half },
      { path: '/mnt', type: 'disk', usedPages: 0, limitPages: Number.POSITIVE_INFINITY },
    ];
  }

  mountOf(path: string): Mount | undefined {
    return this.mounts.filter((mount) => path.startsWith(`${mount.path}/`)).sort((a, b) => b.path.length - a.path.length)[0];
  }

  open(path: string): AddressSpace | undefined {
    return this.k.files.get(path);
  }

  /** O_CREAT. */
  create(path: string, group: number): AddressSpace | undefined {
    const existing = this.open(path);
    if (existing) return existing;
    const mount = this.mountOf(path);
    if (!mount) return undefined;
    const tmpfs = mount.type === 'tmpfs';
    const object = newObject(this.k, tmpfs ? 'shmem' : 'disk', path, 0, tmpfs);
    if (tmpfs) object.mount = mount;
    this.k.files.set(path, object);
    slabAccount(this.k, group, (tmpfs ? SLAB_BYTES.shmemInode : SLAB_BYTES.ext4Inode) + SLAB_BYTES.dentry, true);
    return object;
  }

  unlink(path: string): boolean {
    const object = this.open(path);
    if (!object) return false;
    this.k.files.delete(path);
    object.links--;
    object.users++;
    putObject(this.k, object);
    return true;
  }

  /** ftruncate: pages beyond the end go, out of every process too. */
  truncate(task: Task, object: AddressSpace, bytes: number): void {
    const from = Math.ceil(bytes / 4096);
    const to = Math.ceil(object.sizeBytes / 4096);
    object.sizeBytes = bytes;
    if (from >= to) return;
    unmapMappingRange(this.k, task, object, from, to);
    if (object.kind === 'shmem') shmemTruncateRange(this.k, object, from, to);
    else for (const index of [...object.pagesIn(from, to)]) deleteFromPageCache(this.k, object, index);
  }
}

/** invalidate_mapping_pages: drops what is clean and not mapped; the rest is for reclaim to take soon. @returns pages dropped. */
export function invalidateMappingPages(k: Kernel, object: AddressSpace, from: number, to: number): number {
  let dropped = 0;
  for (const index of [...object.pagesIn(from, to)]) {
    const frame = object.get(index);
    const flags = k.frames.flags[frame]!;
    if (object.kind !== 'disk' || flags & (PG_DIRTY | PG_WRITEBACK) || k.frames.mapcount[frame]! > 0) {
      deactivateFileFolio(k, frame);
      continue;
    }
    deleteFromPageCache(k, object, index);
    dropped++;
  }
  return dropped;
}

/** drop_caches: 1 the page cache, 2 names and inodes, 3 both. */
export function dropCaches(k: Kernel, what: number): void {
  if (what & 1) {
    lruAddDrain(k);
    for (const object of k.objects) if (object && object.kind !== 'ramfs' && object.kind !== 'special') invalidateMappingPages(k, object, 0, Number.MAX_SAFE_INTEGER);
    k.vmstat.drop_pagecache++;
  }
  if (what & 2) k.vmstat.drop_slab++;
}

/** posix_fadvise dontneed: written first, then dropped. */
export function fadviseDontneed(k: Kernel, object: AddressSpace, from: number, to: number): void {
  if (object.kind === 'disk') writePages(k, object);
  lruAddDrain(k);
  invalidateMappingPages(k, object, from, to);
}

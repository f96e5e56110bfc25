/** Files of the machine: a disk's and tmpfs's, by path. */
import { FileBlocks } from '../kernel/disk-blocks.ts';
import { PG_DIRTY } from '../kernel/frames.ts';
import { dropPagecache } from '../kernel/invalidate.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';
import { unmapMappingRange } from '../kernel/madvise.ts';
import type { AddressSpace } from '../kernel/mm-types.ts';
import { allocPage } from '../kernel/page-alloc.ts';
import { deleteFromPageCache, filemapAddFolio } from '../kernel/page-cache.ts';
import { EXT4_MKDIR_US, TMPFS_ABSENT_US, TMPFS_CREATE_US, TMPFS_MKDIR_US } from '../kernel/recorded-prices.ts';
import { chargeInode, newObject, nextInode, putObject, shmemTruncateRange } from '../kernel/shmem.ts';
import { folioMarkAccessed } from '../kernel/swap-lru.ts';
import { HZ, timerExpiresAfter } from '../kernel/timer.ts';
import { accountDirty } from '../kernel/writeback.ts';
import { Ext4Directories } from './ext4-directory.ts';
import { NameCache } from './names.ts';

/** A mounted file system. */
export interface Mount {
  readonly path: string;
  readonly type: 'disk' | 'tmpfs';
  readonly device: string;
  usedPages: number;
  limitPages: number;
  usedInodes: number;
  readonly limitInodes: number;
}

/** What files can have of a mount: their bytes and their inodes. */
export function newMount(
  k: Kernel,
  settings: { readonly diskBytes?: number },
  mount: Pick<Mount, 'path' | 'type' | 'device'>,
  bytes?: number,
): Mount {
  const { diskBytes = Number.POSITIVE_INFINITY } = settings;
  const isDisk = mount.type === 'disk';
  // shmem_default_max_blocks and shmem_default_max_inodes; mkfs.ext4 makes an inode for each 16 KiB, of 1 GiB these are free.
  const limitPages = isDisk ? diskBytes / 4096 : bytes ? bytes / 4096 : k.totalPages / 2;
  const limitInodes = isDisk ? Math.max(65_525, diskBytes / 16384) : k.totalPages / 2;
  return {
    ...mount,
    usedPages: 0,
    limitPages: Math.floor(limitPages),
    usedInodes: 0,
    limitInodes: Math.floor(limitInodes),
  };
}

/** Why a path names no file. */
export type PathError = 'ENOENT' | 'ENOTDIR' | 'EISDIR' | 'EEXIST' | 'ENOSPC';

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** JBD2_DEFAULT_MAX_COMMIT_AGE: 5 s, in ticks. */
const COMMIT_INTERVAL = 5 * HZ;
/** Beyond all tables of inodes. */
const DIRECTORY_BLOCK = 2 ** 17;

export class FileSystem {
  private readonly k: Kernel;
  readonly mounts: Mount[];
  private readonly directories = new Set<string>();
  readonly names: NameCache;
  private inodes = 0;
  /** Blocks of directories beside the first. */
  private directoryBlocks = 0;
  private readonly diskDirectories = new Ext4Directories();
  /** Blocks of the disk's own that files have changed since the journal was last written (jbd2's running transaction). */
  private readonly transaction = new Set<number>();
  /** When kjournald writes it, if nobody has before. */
  commitDueUs = Number.POSITIVE_INFINITY;

  /** `diskBytes`: what files can fill of a disk. */
  constructor(k: Kernel, settings: { readonly diskBytes?: number }) {
    this.k = k;
    this.names = new NameCache(k);
    this.mounts = [
      newMount(k, settings, { path: '/dev/shm', type: 'tmpfs', device: '00:16' }),
      newMount(k, settings, { path: '/mnt', type: 'disk', device: '103:00' }),
    ];
  }

  mountOf(path: string): Mount | undefined {
    return this.mounts
      .filter((mount) => path.startsWith(`${mount.path}/`))
      .sort((a, b) => b.path.length - a.path.length)[0];
  }

  /** The file of that name, or what an open of it without O_CREAT answers; what is looked for stays in memory. */
  open(path: string, group: number): AddressSpace | PathError {
    const existing = this.find(path);
    if (existing) return existing;
    this.lookUp(path, group);
    return this.isDirectory(path) ? 'EISDIR' : (this.walk(path) ?? 'ENOENT');
  }

  find(path: string): AddressSpace | undefined {
    return this.k.files.get(path);
  }

  /** Paths begin at the root, whose own directories are not listed. */
  isDirectory(path: string): boolean {
    return path === '' || this.directories.has(path) || this.mounts.some((mount) => mount.path === path);
  }

  /** link_path_walk: what is wrong with the directories that a path goes through. */
  private walk(path: string): 'ENOENT' | 'ENOTDIR' | undefined {
    const parent = parentOf(path);
    if (this.isDirectory(parent)) return undefined;
    return this.find(parent) ? 'ENOTDIR' : (this.walk(parent) ?? 'ENOENT');
  }

  makeDirectory(path: string, group: number): PathError | undefined {
    const error = this.walk(path);
    if (error) this.lookUp(path, group);
    if (error) return error;
    if (this.find(path) || this.isDirectory(path)) return 'EEXIST';
    const mount = this.mountOf(path);
    // A directory of ext4 has a block from the start.
    const pages = mount?.type === 'disk' ? 1 : 0;
    if (mount && (mount.usedInodes >= mount.limitInodes || mount.usedPages + pages > mount.limitPages)) return 'ENOSPC';
    this.directories.add(path);
    if (!mount) return undefined;
    mount.usedInodes++;
    mount.usedPages += pages;
    this.k.nowUs += mount.type === 'disk' ? EXT4_MKDIR_US : TMPFS_MKDIR_US;
    nextInode(this.k, mount.device);
    return undefined;
  }

  /** O_CREAT. */
  create(path: string, group: number): AddressSpace | PathError {
    const mount = this.mountOf(path);
    if (this.find(path) || this.isDirectory(path) || this.walk(path) || !mount) return this.open(path, group);
    if (mount.usedInodes >= mount.limitInodes) return 'ENOSPC';
    mount.usedInodes++;
    const tmpfs = mount.type === 'tmpfs';
    const blocks = this.diskDirectories.blocks(parentOf(path));
    this.k.nowUs += tmpfs ? TMPFS_CREATE_US : this.diskDirectories.create(parentOf(path), nameOf(path));
    const object = newObject(this.k, tmpfs ? 'shmem' : 'disk', path, 0, tmpfs, mount.device);
    if (tmpfs) object.mount = mount;
    else if (mount.limitPages < Number.POSITIVE_INFINITY) object.blocks = new FileBlocks(mount);
    this.k.files.set(path, object);
    this.readDirectory(path, group);
    this.names.forget(path);
    if (tmpfs) chargeInode(this.k, object, group);
    else {
      this.names.remember(path, group, true);
      this.readInodeBlock(this.inodes++, group);
      for (let grown = this.diskDirectories.blocks(parentOf(path)) - blocks; grown > 0; grown--)
        this.readBlock(DIRECTORY_BLOCK + ++this.directoryBlocks, group);
    }
    return object;
  }

  /** stat and open: names that are there and names that are not stay in memory. @returns whether the file is there. */
  lookUp(path: string, group: number): boolean {
    if (this.walk(path)) {
      this.lookUp(parentOf(path), group);
      return false;
    }
    const object = this.find(path);
    if (!this.names.lookAt(path)) {
      this.readDirectory(path, group);
      this.passLookup(path, object !== undefined);
      // simple_lookup: tmpfs forgets what is not there.
      if (this.mountOf(path)?.type === 'disk') this.names.remember(path, group, object !== undefined);
    }
    return object !== undefined || this.isDirectory(path);
  }

  /** A directory is asked for a name that is not in memory. */
  private passLookup(path: string, isThere: boolean): void {
    const isDisk = this.mountOf(path)?.type === 'disk';
    if (isDisk) this.k.nowUs += this.diskDirectories.lookupUs(parentOf(path), isThere);
    else if (!isThere) this.k.nowUs += TMPFS_ABSENT_US;
  }

  /** The block of the disk with the inode; the first also needs the map of inodes. */
  private readInodeBlock(inode: number, group: number): void {
    const block = Math.floor((inode * 256) / 4096) + 1;
    if (inode === 0) this.readBlock(0, group);
    this.readBlock(block, group);
    if (this.transaction.size === 0) this.commitDueUs = timerExpiresAfter(this.k.nowUs, COMMIT_INTERVAL);
    for (const changed of [0, block, DIRECTORY_BLOCK]) this.transaction.add(changed);
  }

  /** The journal is written, for fsync or because it is time: the blocks that it holds are the flusher's to bring to their places. */
  commit(): void {
    const { k } = this;
    for (const block of this.transaction) {
      const frame = k.blockDevice.get(block);
      if (frame === 0 || k.frames.flags[frame]! & PG_DIRTY) continue;
      k.frames.flags[frame]! |= PG_DIRTY;
      accountDirty(k, k.blockDevice, frame);
    }
    this.transaction.clear();
    this.commitDueUs = Number.POSITIVE_INFINITY;
  }

  /** A name that is not in memory is looked for in the disk's first directory, whose block stays. */
  private readDirectory(path: string, group: number): void {
    if (this.mountOf(path)?.type === 'disk') this.readBlock(DIRECTORY_BLOCK, group);
  }

  private readBlock(block: number, group: number): void {
    const present = this.k.blockDevice.get(block);
    if (present !== 0) {
      folioMarkAccessed(this.k, present);
      return;
    }
    const frame = allocPage(this.k, this.k.groups[group]!);
    if (frame < 0) return;
    filemapAddFolio(this.k, this.k.blockDevice, block, frame);
    folioMarkAccessed(this.k, frame);
    folioMarkAccessed(this.k, frame);
  }

  unlink(path: string, group: number): PathError | undefined {
    const object = this.open(path, group);
    if (typeof object === 'string') return object;
    this.k.files.delete(path);
    const mount = this.mountOf(path)!;
    mount.usedInodes--;
    if (mount.type === 'disk') this.diskDirectories.remove(parentOf(path), nameOf(path));
    this.names.forget(path);
    object.links--;
    object.users++;
    putObject(this.k, object);
    return undefined;
  }

  /** ftruncate: pages beyond the end go, out of every process too. */
  truncate(task: Task, object: AddressSpace, bytes: number): void {
    const from = Math.ceil(bytes / 4096);
    const to = Math.ceil(object.sizeBytes / 4096);
    object.sizeBytes = bytes;
    object.blocks?.giveFrom(from);
    if (from >= to) return;
    unmapMappingRange(this.k, task, object, from, to, true);
    if (object.kind === 'shmem') shmemTruncateRange(this.k, object, from, to);
    else for (const index of [...object.pagesIn(from, to)]) deleteFromPageCache(this.k, object, index);
  }
}

/** drop_caches: 1 the page cache, 2 names and inodes, 3 both. */
export function dropCaches(k: Kernel, files: FileSystem, what: number): void {
  if (what & 1)
    dropPagecache(
      k,
      files.mounts.map(({ device }) => device),
    );
  if (!(what & 2)) return;
  files.names.dropAll();
  k.vmstat.drop_slab++;
}

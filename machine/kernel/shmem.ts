/** mm/shmem.c: tmpfs files, memfd and shared anonymous mappings are one thing. */
import { PG_ANON, PG_DIRTY, PG_REFERENCED, PG_SWAPBACKED, PG_TAIL } from './frames.ts';
import { splitHugePage } from './huge-memory.ts';
import { hugetlbEvict } from './hugetlb.ts';
import type { Kernel, Task } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { AddressSpace } from './mm-types.ts';
import { vmEnoughMemory } from './overcommit.ts';
import { allocPage } from './page-alloc.ts';
import { deleteFromPageCache, filemapAddFolio, removeFromTree, removeTree } from './page-cache.ts';
import { callRcu } from './rcu.ts';
import { SLAB_BYTES, slabAccount } from './slab.ts';
import { deleteSwapOfShmem, freeSwapAndCache, shmemSwapin } from './swap.ts';
import { folioMarkAccessed } from './swap-lru.ts';

/** Devices: the kernel's own mount of tmpfs, a disk in memory, the first file system; `special` has none. */
const DEVICES: Readonly<Record<AddressSpace['kind'], string>> = {
  shmem: '00:01',
  disk: '103:00',
  ramfs: '00:02',
  special: '00:00',
  hugetlb: '00:0f',
};

/** An object with its inode, on the device of its kind where no other is named. */
export function newObject(
  k: Kernel,
  kind: AddressSpace['kind'],
  path: string,
  sizeBytes: number,
  eachPage: boolean,
  device = DEVICES[kind],
): AddressSpace {
  const object = new AddressSpace(k.objects.length, kind, path, sizeBytes, eachPage);
  k.objects.push(object);
  if (kind !== 'special') {
    object.device = device;
    object.inode = nextInode(k, device);
  }
  return object;
}

/** Inodes count up on each device; the numbers before the first are of directories and what the kernel made. */
export function nextInode(k: Kernel, device: string): number {
  const inode = (k.lastInodes.get(device) ?? 1) + 1;
  k.lastInodes.set(device, inode);
  return inode;
}

/** shmem_zero_setup: the object behind a shared anonymous mapping; null where so much may not be promised. */
export function shmemZeroSetup(k: Kernel, group: number, pages: number, noreserve: boolean): AddressSpace | null {
  if (!noreserve && !vmEnoughMemory(k, pages)) return null;
  const object = newObject(k, 'shmem', '/dev/zero (deleted)', pages * 4096, noreserve);
  chargeInode(k, object, group);
  object.links = 0;
  object.accountedPages = noreserve ? 0 : pages;
  return object;
}

/** The inode of a file of tmpfs and its name, or of a shared mapping with its open file, are charged to who made it. */
export function chargeInode(k: Kernel, object: AddressSpace, group: number): void {
  object.inodeGroup = group;
  slabAccount(k, group, SLAB_BYTES.shmemInode, false);
  if (!object.mount) slabAccount(k, group, SLAB_BYTES.filp, false);
  slabAccount(k, group, SLAB_BYTES.dentry, true);
}

function unchargeInode(k: Kernel, object: AddressSpace): void {
  const group = object.inodeGroup;
  if (group === undefined) return;
  // DCACHE_NORCU: nobody looks up the name of a mapping.
  if (!object.mount) slabAccount(k, group, -SLAB_BYTES.dentry, true);
  callRcu(k, () => {
    slabAccount(k, group, -(object.mount ? SLAB_BYTES.dentry : 0), true);
    slabAccount(k, group, -(object.mount ? 0 : SLAB_BYTES.filp), false);
    slabAccount(k, group, -SLAB_BYTES.shmemInode, false);
  });
}

/** Pages of objects that lie in swap, by object and page. */
const swappedOf = new WeakMap<AddressSpace, Map<number, number>>();

export function swappedPages(object: AddressSpace): Map<number, number> {
  let own = swappedOf.get(object);
  if (!own) {
    own = new Map();
    swappedOf.set(object, own);
  }
  return own;
}

/** No memory for the page, no room on the mount. */
export const SHMEM_NOMEM = -1;
export const SHMEM_NOSPC = -2;

/** shmem_recalc_inode: what reclaim has dropped is accounted for no longer. */
export function shmemRecalcInode(k: Kernel, object: AddressSpace): void {
  const { droppedPages, mount } = object;
  if (droppedPages === 0) return;
  object.droppedPages = 0;
  if (mount) mount.usedPages -= droppedPages;
  if (object.accountsEachPage) k.committed -= droppedPages;
}

/** shmem_get_folio: the page, made where it is a hole; below 0 where it cannot be. `faulting`: whose fault asks for it, if one does. */
export function shmemGetFolio(
  k: Kernel,
  group: MemCgroup,
  object: AddressSpace,
  index: number,
  write: boolean,
  faulting: Task | null = null,
): number {
  const { frames } = k;
  const present = object.get(index);
  if (present !== 0) {
    if (write) folioMarkAccessed(k, present);
    return present;
  }
  const slot = swappedPages(object).get(index);
  if (slot !== undefined) {
    const frame = shmemSwapin(k, k.current!, slot, faulting);
    if (frame < 0) return SHMEM_NOMEM;
    swappedPages(object).delete(index);
    frames.flags[frame]! &= ~PG_ANON;
    shmemRecalcInode(k, object);
    deleteSwapOfShmem(k, slot);
    frames.flags[frame] = PG_SWAPBACKED | PG_DIRTY;
    filemapAddFolio(k, object, index, frame, 'swap-in');
    return frame;
  }
  if (object.mount && object.mount.usedPages >= object.mount.limitPages) return SHMEM_NOSPC;
  if (object.accountsEachPage && !vmEnoughMemory(k, 1)) return SHMEM_NOSPC;
  const frame = allocPage(k, group);
  if (frame < 0) {
    if (object.accountsEachPage) k.committed--;
    return SHMEM_NOMEM;
  }
  frames.flags[frame]! |= PG_SWAPBACKED | (write ? PG_REFERENCED : 0);
  if (object.mount) object.mount.usedPages++;
  shmemRecalcInode(k, object);
  filemapAddFolio(k, object, index, frame);
  return frame;
}

/** shmem_truncate_range over whole pages: nothing may map them any more. */
export function shmemTruncateRange(k: Kernel, object: AddressSpace, from: number, to: number): void {
  // truncate_inode_partial_folio
  for (const edge of [from, to]) {
    const frame = object.get(edge);
    if (frame !== 0 && k.frames.flags[frame]! & PG_TAIL) splitHugePage(k, k.frames.headOf(frame));
  }
  for (const index of [...object.pagesIn(from, to)]) deleteFromPageCache(k, object, index);
  shmemRecalcInode(k, object);
  const swapped = swappedPages(object);
  for (const [index, slot] of [...swapped]) {
    if (index < from || index >= to) continue;
    swapped.delete(index);
    removeFromTree(k, object, index);
    freeSwapAndCache(k, slot);
    if (object.accountsEachPage) k.committed--;
    if (object.mount) object.mount.usedPages--;
  }
}

/** iput of the last user: the object's pages and its charge go. */
export function evictInode(k: Kernel, object: AddressSpace): void {
  for (const index of [...object.pagesIn(0, Number.MAX_SAFE_INTEGER)]) deleteFromPageCache(k, object, index);
  if (object.kind === 'shmem') shmemTruncateRange(k, object, 0, Number.MAX_SAFE_INTEGER);
  removeTree(k, object);
  object.blocks?.giveFrom(0);
  k.committed -= object.accountedPages;
  object.accountedPages = 0;
  unchargeInode(k, object);
  k.objects[object.id] = undefined;
  k.shmemSwaplist.delete(object);
}

/** Lets go of the object: without a name and users it ends. */
export function putObject(k: Kernel, object: AddressSpace): void {
  object.users--;
  if (object.users > 0 || object.links > 0) return;
  if (object.kind === 'hugetlb') hugetlbEvict(k, object);
  evictInode(k, object);
}

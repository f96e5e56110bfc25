/** fs/dcache.c and fs/inode.c: names and inodes of a disk that stay in memory, on the lists of who pays for them. */
import type { Kernel } from '../kernel/kernel.ts';
import { onlineAncestor } from '../kernel/mem-cgroup.ts';
import { callRcu } from '../kernel/rcu.ts';
import { NAME_DROPPED_US } from '../kernel/recorded-prices.ts';
import { SLAB_BYTES, slabAccount } from '../kernel/slab.ts';

interface Name {
  readonly group: number;
  readonly hasInode: boolean;
  /** DCACHE_REFERENCED: looked at again since it is on the list. */
  referenced: boolean;
}

/** Lists of a group, longest there first: names, and inodes that no name holds any more (of who made them). */
interface Lists {
  readonly names: Map<string, Name>;
  readonly inodes: Set<string>;
}

/** Names of `lists`, and inodes, that one call of the shrinker may look at. */
const inProportion = (objects: number, part: number, total: number): number => Math.floor((objects * part) / total) + 1;

export class NameCache {
  private readonly k: Kernel;
  private readonly names = new Map<string, Name>();
  /** Who pays for an inode that is in memory. */
  private readonly inodes = new Map<string, number>();
  private readonly lists = new Map<number, Lists>();
  /** Slab of names and inodes that can be read again. */
  bytes = 0;
  /** An inode is on its way (alloc_inode). */
  private isAllocating = false;

  constructor(k: Kernel) {
    this.k = k;
  }

  get count(): number {
    return this.names.size;
  }

  /** Whether the name is in memory: it is looked at. */
  lookAt(path: string): boolean {
    const name = this.names.get(path);
    if (name) name.referenced = true;
    return name !== undefined;
  }

  private listsOf(group: number): Lists {
    let lists = this.lists.get(group);
    if (!lists) {
      lists = { names: new Map(), inodes: new Set() };
      this.lists.set(group, lists);
    }
    return lists;
  }

  /** d_alloc, and the inode where it is not in memory yet. */
  remember(path: string, group: number, hasInode: boolean): void {
    const name = { group, hasInode, referenced: false };
    this.names.set(path, name);
    this.listsOf(group).names.set(path, name);
    this.account(group, SLAB_BYTES.dentry);
    if (!hasInode) return;
    const owner = this.inodes.get(path);
    if (owner !== undefined) {
      this.listsOf(owner).inodes.delete(path);
      return;
    }
    this.inodes.set(path, group);
    // GFP_NOFS: where the group is full, nothing of the disk's is given up for it.
    this.isAllocating = true;
    this.account(group, SLAB_BYTES.ext4Inode);
    this.isAllocating = false;
  }

  private account(group: number, bytes: number): void {
    this.bytes += bytes;
    slabAccount(this.k, group, bytes, true);
  }

  /** The name goes, and its inode with it. */
  forget(path: string): void {
    const name = this.takeName(path);
    if (name) this.account(name.group, -SLAB_BYTES.dentry);
    const owner = this.takeInode(path);
    if (owner !== undefined) this.account(owner, -SLAB_BYTES.ext4Inode);
  }

  private takeName(path: string): Name | undefined {
    const name = this.names.get(path);
    if (!name) return undefined;
    this.names.delete(path);
    this.lists.get(name.group)!.names.delete(path);
    return name;
  }

  private takeInode(path: string): number | undefined {
    const owner = this.inodes.get(path);
    if (owner === undefined) return undefined;
    this.inodes.delete(path);
    this.lists.get(owner)?.inodes.delete(path);
    return owner;
  }

  /** drop_slab. */
  dropAll(): void {
    for (const path of new Set([...this.names.keys(), ...this.inodes.keys()])) this.forget(path);
  }

  /** The lists that are the group's: those of groups below it that are gone too (memcg_reparent_list_lrus). */
  private *ownLists(group: number): Generator<Lists> {
    for (const [id, lists] of this.lists) if (onlineAncestor(this.k.groups[id]!).id === group) yield lists;
  }

  /** super_cache_count. */
  countOf(group: number): number {
    let count = 0;
    for (const { names, inodes } of this.ownLists(group)) count += names.size + inodes.size;
    return count;
  }

  /**
   * super_cache_scan: names and inodes by how many there are. What goes is free when nobody can look at it any more (RCU).
   * @returns false where it may not be entered (SHRINK_STOP).
   */
  scan(group: number, objects: number): boolean {
    if (this.isAllocating) return false;
    const { k } = this;
    const total = this.countOf(group) + 1;
    const freed: { group: number; bytes: number }[] = [];
    for (const { names, inodes } of this.ownLists(group)) {
      const ofInodes = inProportion(objects, inodes.size, total);
      freed.push(...this.pruneNames(names, inProportion(objects, names.size, total)));
      for (const path of [...inodes].slice(0, ofInodes)) {
        freed.push({ group: this.takeInode(path)!, bytes: SLAB_BYTES.ext4Inode });
      }
    }
    k.nowUs += (freed.length * NAME_DROPPED_US) / 2;
    callRcu(k, () => {
      for (const { group: payer, bytes } of freed) this.account(payer, -bytes);
    });
    return true;
  }

  /** prune_dcache_sb. */
  private pruneNames(names: Lists['names'], most: number): { group: number; bytes: number }[] {
    const freed: { group: number; bytes: number }[] = [];
    let left = most;
    for (const [path, name] of names) {
      if (left-- <= 0) break;
      if (name.referenced) {
        name.referenced = false;
        names.delete(path);
        names.set(path, name);
        continue;
      }
      this.takeName(path);
      freed.push({ group: name.group, bytes: SLAB_BYTES.dentry });
      const owner = this.inodes.get(path);
      if (owner !== undefined) this.listsOf(owner).inodes.add(path);
    }
    return freed;
  }
}

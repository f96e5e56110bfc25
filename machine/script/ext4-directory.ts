/** fs/ext4/namei.c: how long names of a disk's directories take, by the entries that are gone through for them, and the blocks that hold them. */
import {
  EXT4_CREATE_US,
  EXT4_ENTRY_US,
  EXT4_INDEXED_CREATE_US,
  EXT4_INODE_US,
  EXT4_LOOKUP_US,
} from '../kernel/recorded-prices.ts';

/** A block of short names is full with so many; a directory of more has an index, which leads to one block, of which three quarters are used. */
const BLOCK_ENTRIES = 256;
const INDEXED_ENTRIES = 192;

export class Ext4Directories {
  private readonly entries = new Map<string, number>();

  private count(directory: string): number {
    return this.entries.get(directory) ?? 0;
  }

  /** ext4_search_dir: for a name that is not there all entries are looked at, for one that is there half of them. */
  private searchUs(directory: string, isThere: boolean): number {
    const count = this.count(directory);
    return EXT4_ENTRY_US * (count > BLOCK_ENTRIES ? INDEXED_ENTRIES : count) * (isThere ? 0.5 : 1);
  }

  /** Blocks of its own: one, or an index and what it leads to. */
  blocks(directory: string): number {
    const count = this.count(directory);
    return count > BLOCK_ENTRIES ? 1 + Math.ceil(count / INDEXED_ENTRIES) : 1;
  }

  /** ext4_lookup of a name that is not in memory. */
  lookupUs(directory: string, isThere: boolean): number {
    return EXT4_LOOKUP_US + this.searchUs(directory, isThere) + (isThere ? EXT4_INODE_US : 0);
  }

  /** ext4_create: the name is looked for, and once more where it is put (ext4_find_dest_de). */
  create(directory: string): number {
    const us = EXT4_LOOKUP_US + 2 * this.searchUs(directory, false) + EXT4_CREATE_US;
    const count = this.count(directory);
    this.entries.set(directory, count + 1);
    return count > BLOCK_ENTRIES ? us + EXT4_INDEXED_CREATE_US : us;
  }

  remove(directory: string): void {
    this.entries.set(directory, this.count(directory) - 1);
  }
}

/** fs/ext4/namei.c: how long names of a disk's directories take, by the entries that are gone through for them, and the blocks that hold them. */
import {
  EXT4_CREATE_US,
  EXT4_ENTRY_US,
  EXT4_INDEXED_CREATE_US,
  EXT4_INODE_US,
  EXT4_LOOKUP_US,
} from '../kernel/recorded-prices.ts';

/** A block without its checksum (ext4_dir_entry_tail); in the first are two entries more, `.` and `..`. */
const BLOCK_BYTES = 4096 - 12;
const DOT_BYTES = 24;

/** ext4_dir_rec_len. */
const entryBytes = (name: string): number => Math.ceil((8 + name.length) / 4) * 4;

/**
 * Entries of one directory. When its block is full it gets an index and two blocks, half of the entries in each, by their hashes; as these are
 * spread evenly, all blocks are full at about the same time, and split again (do_split).
 */
interface Entries {
  count: number;
  bytes: number;
  leaves: number;
}

export class Ext4Directories {
  private readonly directories = new Map<string, Entries>();

  private entriesOf(directory: string): Entries {
    return this.directories.get(directory) ?? { count: 0, bytes: DOT_BYTES, leaves: 1 };
  }

  /** ext4_search_dir: for a name that is not there all entries of its block are looked at, for one that is there half of them. */
  private searchUs(directory: string, isThere: boolean): number {
    const { count, leaves } = this.entriesOf(directory);
    return EXT4_ENTRY_US * (count / leaves) * (isThere ? 0.5 : 1);
  }

  /** Blocks of its own: one, or an index and what it leads to. */
  blocks(directory: string): number {
    const { leaves } = this.entriesOf(directory);
    return leaves === 1 ? 1 : 1 + leaves;
  }

  /** ext4_lookup of a name that is not in memory. */
  lookupUs(directory: string, isThere: boolean): number {
    return EXT4_LOOKUP_US + this.searchUs(directory, isThere) + (isThere ? EXT4_INODE_US : 0);
  }

  /** ext4_create: the name is looked for, and once more where it is put (ext4_find_dest_de). */
  create(directory: string, name: string): number {
    const us = EXT4_LOOKUP_US + 2 * this.searchUs(directory, false) + EXT4_CREATE_US;
    const entries = { ...this.entriesOf(directory) };
    entries.count++;
    entries.bytes += entryBytes(name);
    while (entries.bytes > entries.leaves * BLOCK_BYTES) entries.leaves *= 2;
    this.directories.set(directory, entries);
    return entries.leaves > 1 ? us + EXT4_INDEXED_CREATE_US : us;
  }

  /** Blocks stay when they become empty. */
  remove(directory: string, name: string): void {
    const { count, bytes, leaves } = this.entriesOf(directory);
    this.directories.set(directory, { count: count - 1, bytes: bytes - entryBytes(name), leaves });
  }
}

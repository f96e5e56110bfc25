/** Blocks of a disk's file system that its files have: ext4 gives a block of 4 KiB to a page when it is first written. */
import { chunkOf } from './shadow-table.ts';

/** A mounted disk, and how many of its blocks are taken. */
export interface Disk {
  usedPages: number;
  readonly limitPages: number;
}

const CHUNK = 512;

/** Which pages of a file have a block. */
export class FileBlocks {
  readonly disk: Disk;
  private readonly chunks = new Map<number, Uint8Array>();

  constructor(disk: Disk) {
    this.disk = disk;
  }

  has(page: number): boolean {
    return this.chunks.get(chunkOf(page))?.[page % CHUNK] === 1;
  }

  /** @returns false where the page has none, and the disk has none left. */
  take(page: number): boolean {
    const key = chunkOf(page);
    let chunk = this.chunks.get(key);
    if (chunk?.[page % CHUNK] === 1) return true;
    if (this.disk.usedPages >= this.disk.limitPages) return false;
    if (!chunk) {
      chunk = new Uint8Array(CHUNK);
      this.chunks.set(key, chunk);
    }
    chunk[page % CHUNK] = 1;
    this.disk.usedPages++;
    return true;
  }

  /** ext4_truncate, of the pages from one on. */
  giveFrom(first: number): void {
    for (const [key, chunk] of this.chunks) {
      const from = Math.max(0, first - key * CHUNK);
      if (from >= CHUNK) continue;
      for (let i = from; i < CHUNK; i++) this.disk.usedPages -= chunk[i]!;
      if (from === 0) this.chunks.delete(key);
      else chunk.fill(0, from);
    }
  }
}

/** ext4_da_write_begin and ext4_page_mkwrite: a block for the page of the file, before it is written. */
export const takeBlock = (object: { readonly blocks: FileBlocks | null }, page: number): boolean =>
  object.blocks?.take(page) ?? true;

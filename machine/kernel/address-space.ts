import type { Vma } from './vma.ts';

/** `special` are pages of the kernel that processes map: on no list, never faulted in around another. */
export type ObjectKind = 'shmem' | 'disk' | 'ramfs' | 'special';

/**
 * address_space with its inode: a file's, tmpfs file's or shared mapping's pages in memory. A page is a frame, 0 where it is
 * absent, and a shadow, below 0, where it was evicted: `-1 - age` of the list at that time, for workingset's refault distance.
 */
export class AddressSpace {
  readonly id: number;
  readonly kind: ObjectKind;
  readonly path: string;
  sizeBytes: number;
  nrPages = 0;
  /** Names in a directory; an object without one and without users is freed. */
  links = 1;
  /** Open files and mappings that hold it. */
  users = 0;
  readonly vmas = new Set<Vma>();
  private readonly chunks = new Map<number, Int32Array>();
  /** Pages and shadows in each node of the tree, of 64 places. */
  private readonly nodes = new Map<number, number>();
  /** Frames of shadows, by page: the evicting group and its age. */
  readonly shadows = new Map<number, { group: number; age: number; workingset: boolean }>();
  /** Dirty pages, for writeback in order of offset. */
  readonly dirty = new Set<number>();
  /** Pages of a disk's file that have buffer heads: those written. */
  readonly buffers = new Set<number>();
  /** Pages charged against the commit limit as a whole, where it was not made without reserve. */
  accountedPages = 0;
  /** A tmpfs object charges each page instead. */
  readonly accountsEachPage: boolean;
  dirtiedAtUs = 0;
  /** The tmpfs mount whose limit it counts against. */
  mount: { usedPages: number; limitPages: number } | null = null;
  hugetlb = false;

  constructor(id: number, kind: ObjectKind, path: string, sizeBytes: number, accountsEachPage: boolean) {
    this.id = id;
    this.kind = kind;
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.accountsEachPage = accountsEachPage;
  }

  get(page: number): number {
    return this.chunks.get(page >>> 9)?.[page & 511] ?? 0;
  }

  set(page: number, frame: number): void {
    let chunk = this.chunks.get(page >>> 9);
    if (!chunk) {
      if (frame === 0) return;
      chunk = new Int32Array(512);
      this.chunks.set(page >>> 9, chunk);
    }
    const before = chunk[page & 511]!;
    chunk[page & 511] = frame;
    if (before === 0 && frame !== 0) this.nrPages++;
    else if (before !== 0 && frame === 0) this.nrPages--;
  }

  /** A page or shadow joins (+1) or leaves (-1) its node. @returns the change in the number of nodes. */
  countNode(page: number, by: 1 | -1): number {
    const node = Math.floor(page / 64);
    const before = this.nodes.get(node) ?? 0;
    const after = before + by;
    if (after === 0) this.nodes.delete(node);
    else this.nodes.set(node, after);
    return before === 0 ? 1 : after === 0 ? -1 : 0;
  }

  /** Pages present in [from, to), in order. */
  *pagesIn(from: number, to: number): Generator<number> {
    const keys = [...this.chunks.keys()]
      .filter((key) => key >= Math.floor(from / 512) && key <= Math.floor((to - 1) / 512))
      .sort((a, b) => a - b);
    for (const key of keys) {
      const chunk = this.chunks.get(key)!;
      const first = key * 512;
      for (let i = Math.max(0, from - first); i < Math.min(512, to - first); i++) if (chunk[i] !== 0) yield first + i;
    }
  }
}

/** include/linux/mm_types.h: mappings, address spaces and the objects behind them. */
import type { FileBlocks } from './disk-blocks.ts';
import type { InodeListed } from './inode-listed.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import { Pmd, type Tlb } from './page-table.ts';
import { PageTree } from './page-tree.ts';
import type { Readahead, SwapReadahead } from './readahead.ts';
import { chunkOf, ShadowTable } from './shadow-table.ts';
import { VM_PFNMAP } from './vm-flags.ts';

/** `special` are pages of the kernel that processes map: on no list, never faulted in around another. */
export type ObjectKind = 'shmem' | 'disk' | 'ramfs' | 'special' | 'hugetlb';

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
  /** Device (major:minor, hexadecimal) and number of the inode, as maps prints them. */
  device = '00:00';
  inode = 0;
  /** Names in a directory; an object without one and without users is freed. */
  links = 1;
  /** Open files and mappings that hold it. */
  users = 0;
  readonly vmas = new Set<Vma>();
  private readonly chunks = new Map<number, Int32Array>();
  /** Of pages and shadows. */
  readonly tree = new PageTree();
  readonly shadows = new ShadowTable();
  /** Dirty pages, for writeback in order of offset. */
  readonly dirty = new Set<number>();
  /** Pages of a disk's file that have buffer heads: those written. */
  readonly buffers = new Set<number>();
  /** Pages charged against the commit limit as a whole, where it was not made without reserve. */
  accountedPages = 0;
  /** Who pays for its inode, where somebody does. */
  inodeGroup?: number;
  /** A tmpfs object charges each page instead. */
  readonly accountsEachPage: boolean;
  /** Its place on the lists of its flusher (i_io_list), which it has while it is dirty. */
  listed?: InodeListed | undefined;
  /** Where the flusher goes on. */
  writebackIndex = 0;
  /** The tmpfs mount whose limit it counts against. */
  mount: { usedPages: number; limitPages: number } | null = null;
  /** Clean pages of tmpfs that reclaim has dropped, which are still accounted for (until shmem_recalc_inode). */
  droppedPages = 0;
  /** Of a file on a disk that has an end. */
  blocks: FileBlocks | null = null;
  /** Of a shared mapping of huge pages: those of its pages, by number of 2 MiB, that are reserved and not there yet. */
  readonly hugetlbReserved = new Set<number>();

  constructor(id: number, kind: ObjectKind, path: string, sizeBytes: number, accountsEachPage: boolean) {
    this.id = id;
    this.kind = kind;
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.accountsEachPage = accountsEachPage;
  }

  get(page: number): number {
    return this.chunks.get(chunkOf(page))?.[page & 511] ?? 0;
  }

  set(page: number, frame: number): void {
    const key = chunkOf(page);
    let chunk = this.chunks.get(key);
    if (!chunk) {
      if (frame === 0) return;
      chunk = new Int32Array(512);
      this.chunks.set(key, chunk);
    }
    const before = chunk[page & 511]!;
    chunk[page & 511] = frame;
    if (before === 0 && frame !== 0) this.nrPages++;
    else if (before !== 0 && frame === 0) this.nrPages--;
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

/** The family of mappings that may share anonymous pages by fork: the root of the kernel's tree of anon_vmas. */
export interface AnonVma {
  readonly id: number;
  readonly vmas: Set<Vma>;
}

/** vm_area_struct: pages [start, end) of a process. */
export class Vma {
  readonly mm: Mm;
  start: number;
  end: number;
  flags: number;
  readonly object: AddressSpace | null;
  /** Offset in the object of `start`; of anonymous memory the linear index of it, which a move keeps. */
  pgoff: number;
  anonVma: AnonVma | null = null;
  /** Which of the family's anon_vmas is its own, 0 for none: a fork gives each mapping of the child a fresh one. */
  anonId = 0;
  /** anon_vma_chain has more than one link: inherited by fork. Such a mapping takes in no neighbour that has no anonymous page yet. */
  inherited = false;
  /** The group that pays for this object. */
  chargedGroup = 0;
  /** Slab that it holds, and links of its anon_vma_chain. */
  slabBytes = 0;
  chainLength = 0;
  hasOwnAnonVma = false;
  readonly name: string;
  /** Begins as if four had been used. */
  swapReadahead: SwapReadahead = { page: 0, window: 0, hits: 4 };
  /** State of the readahead of the open file. */
  readonly ra: Readahead | null;

  constructor(
    mm: Mm,
    start: number,
    end: number,
    flags: number,
    object: AddressSpace | null,
    pgoff: number,
    name: string,
    ra: Readahead | null = null,
  ) {
    this.mm = mm;
    this.start = start;
    this.end = end;
    this.flags = flags;
    this.object = object;
    this.pgoff = pgoff;
    this.name = name;
    this.ra = ra;
  }

  get pages(): number {
    return this.end - this.start;
  }

  /** Of an anonymous page or of the object: where in it `page` is. */
  linearIndex(page: number): number {
    return this.pgoff + page - this.start;
  }

  /** anon_vma_clone: the anonymous pages of `other` may be its own too. */
  cloneAnonVma(other: Vma): void {
    this.anonVma = other.anonVma;
    this.anonId = other.anonId;
    this.inherited = other.inherited;
    this.anonVma?.vmas.add(this);
  }

  isAnonymous(): boolean {
    return this.object === null && !(this.flags & VM_PFNMAP);
  }
}

export const MM_FILEPAGES = 0;
export const MM_ANONPAGES = 1;
export const MM_SWAPENTS = 2;
export const MM_SHMEMPAGES = 3;

const PMD_PAGES = 512;
const PUD_PAGES = 512 * 512;
const PGD_PAGES = 512 * 512 * 512;

/** mm_struct: one address space. Page numbers are of 4 KiB and may exceed 2^32, so they are divided, never shifted. */
export class Mm {
  /** In order of addresses. */
  readonly vmas: Vma[] = [];
  /** What there is for each aligned 2 MiB, by its number. */
  readonly pmds = new Map<number, Pmd>();
  /** The groups that pay for pages of page middle directories, by number of their GiB, and of upper ones, by number of their 512 GiB. */
  readonly pmdPages = new Map<number, number>();
  readonly pudPages = new Map<number, number>();
  readonly rss: [number, number, number, number] = [0, 0, 0, 0];
  totalVm = 0;
  dataVm = 0;
  stackVm = 0;
  execVm = 0;
  lockedVm = 0;
  hiwaterRss = 0;
  hiwaterVm = 0;
  /** Where the break begins and is, in bytes. */
  startBrk = 0;
  brk = 0;
  /** Page-table pages of all levels that count (PTE, PMD, PUD). */
  tablePages = 0;
  /** Tables that came and went since accountPageTables looked, by the group that pays: all, and of them upper directories. */
  readonly tableChanges = new Map<number, { pages: number; upper: number }>();
  /** Huge pages of the pool that are mapped; they are in no other count. Those that private mappings have reserved, by number of 2 MiB. */
  hugetlbPages = 0;
  readonly hugetlbReserved = new Set<number>();
  tlb: Tlb | null = null;
  /** Of its owner: on whose account reclaim sees what it uses. */
  group: MemCgroup;
  /** lru_gen.bitmap: it has had the processor since the ageing last looked through its tables. */
  lruGenUsed = false;
  /** When that was, in ticks. */
  lruGenWalkedAt = 0;
  /** MMF_VM_HUGEPAGE: khugepaged looks at it. */
  onKhugepagedList = false;

  constructor(group: MemCgroup) {
    this.group = group;
  }

  findVma(page: number): Vma | undefined {
    const at = this.indexOf(page);
    const vma = this.vmas[at];
    return vma && vma.start <= page ? vma : undefined;
  }

  /** Index of the first mapping that ends after `page`. */
  indexOf(page: number): number {
    let low = 0;
    let high = this.vmas.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.vmas[middle]!.end > page) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  insert(vma: Vma): void {
    this.vmas.splice(this.indexOf(vma.start), 0, vma);
  }

  remove(vma: Vma): void {
    this.vmas.splice(this.vmas.indexOf(vma), 1);
  }

  pmdAt(page: number): Pmd | undefined {
    return this.pmds.get(Math.floor(page / PMD_PAGES));
  }

  /** Table pages that pte_alloc would have to make for `page`. */
  missingTables(page: number): number {
    if (this.pmds.has(Math.floor(page / PMD_PAGES))) return 0;
    return 1 + this.missingUpper(page);
  }

  /** Of those, the ones above the last level: what an access without effect makes too. */
  missingUpper(page: number): number {
    return (
      (this.pmdPages.has(Math.floor(page / PUD_PAGES)) ? 0 : 1) +
      (this.pudPages.has(Math.floor(page / PGD_PAGES)) ? 0 : 1)
    );
  }

  noteUpper(page: number): void {
    if (this.pmdPages.has(Math.floor(page / PUD_PAGES))) return;
    this.noteDirectory(this.pmdPages, Math.floor(page / PUD_PAGES));
    this.noteDirectory(this.pudPages, Math.floor(page / PGD_PAGES));
  }

  private noteDirectory(pages: Map<number, number>, key: number): void {
    if (pages.has(key)) return;
    pages.set(key, this.group.id);
    this.countTable(this.group.id, 1, pages === this.pudPages ? 1 : 0);
  }

  /** copy_pud_range and copy_pmd_range: directories that `from` has for [start, end), also where nothing is left below them. */
  copyUpper(from: Mm, start: number, end: number): void {
    for (const key of from.pudPages.keys())
      if (key * PGD_PAGES < end && (key + 1) * PGD_PAGES > start) this.noteDirectory(this.pudPages, key);
    for (const key of from.pmdPages.keys())
      if (key * PUD_PAGES < end && (key + 1) * PUD_PAGES > start) this.noteDirectory(this.pmdPages, key);
  }

  /** An entry for the 2 MiB of `page`, with a table of its own or for a huge page that has none. */
  addPmd(page: number, hasTable = true): Pmd {
    this.noteUpper(page);
    const pmd = new Pmd();
    this.pmds.set(Math.floor(page / PMD_PAGES), pmd);
    if (hasTable) {
      pmd.group = this.group.id;
      this.countTable(pmd.group, 1, 0);
    }
    return pmd;
  }

  /** Takes an entry away, with its table. */
  dropPmd(key: number): void {
    const { group } = this.pmds.get(key)!;
    this.pmds.delete(key);
    if (group >= 0) this.countTable(group, -1, 0);
  }

  /** All tables go. */
  dropTables(): void {
    for (const key of [...this.pmds.keys()]) this.dropPmd(key);
    for (const group of this.pmdPages.values()) this.countTable(group, -1, 0);
    for (const group of this.pudPages.values()) this.countTable(group, -1, -1);
    this.pmdPages.clear();
    this.pudPages.clear();
  }

  private countTable(group: number, pages: number, upper: number): void {
    this.tablePages += pages;
    const changes = this.tableChanges.get(group);
    if (changes) {
      changes.pages += pages;
      changes.upper += upper;
    } else this.tableChanges.set(group, { pages, upper });
  }

  /**
   * free_pgd_range: takes away the tables of [start, end) that nothing between `floor` and `ceiling` needs; `ceiling` 0 is
   * the end of memory. Returns the number of pages.
   */
  freePgdRange(start: number, end: number, floor: number, ceiling: number): number {
    const before = this.tablePages;
    const align = (page: number, unit: number) => Math.floor(page / unit) * unit;
    let first = align(start, PMD_PAGES);
    let last = end;
    if (first < floor) first += PMD_PAGES;
    const top = ceiling === 0 ? Number.POSITIVE_INFINITY : align(ceiling, PMD_PAGES);
    if (top === 0) return 0;
    if (last > top) last -= PMD_PAGES;
    if (first >= last) return 0;
    this.eachPmd(first, last, (key) => this.dropPmd(key));
    this.freeUpper(this.pmdPages, PUD_PAGES, first, last, floor, ceiling);
    this.freeUpper(this.pudPages, PGD_PAGES, first, last, floor, ceiling);
    return before - this.tablePages;
  }

  private freeUpper(
    pages: Map<number, number>,
    unit: number,
    first: number,
    last: number,
    floor: number,
    ceiling: number,
  ): void {
    for (let at = Math.floor(first / unit); at * unit < last; at++) {
      if (!pages.has(at)) continue;
      const from = Math.max(at * unit, first);
      const to = Math.min((at + 1) * unit, last);
      if (Math.floor(from / unit) * unit < floor) continue;
      if (ceiling !== 0) {
        const top = Math.floor(ceiling / unit) * unit;
        if (top === 0 || to > top) continue;
      }
      this.countTable(pages.get(at)!, -1, pages === this.pudPages ? -1 : 0);
      pages.delete(at);
    }
  }

  /** Calls `visit` with the number of each aligned 2 MiB in [start, end) that has an entry, in order. */
  eachPmd(start: number, end: number, visit: (key: number, pmd: Pmd) => void): void {
    const first = Math.floor(start / PMD_PAGES);
    const last = Math.ceil(end / PMD_PAGES);
    if (last - first > 4 * this.pmds.size) {
      const keys = [...this.pmds.keys()].filter((key) => key >= first && key < last).sort((a, b) => a - b);
      for (const key of keys) visit(key, this.pmds.get(key)!);
      return;
    }
    for (let key = first; key < last; key++) {
      const pmd = this.pmds.get(key);
      if (pmd) visit(key, pmd);
    }
  }

  /** Of those, the ones that the machine counts as PageTables: upper directories are not (up to 6.1 they have no constructor). */
  get countedTablePages(): number {
    return this.tablePages - this.pudPages.size;
  }

  /** What `status` calls VmPTE, in bytes. */
  get tableBytes(): number {
    return this.tablePages * 4096;
  }

  getRss(): number {
    return (
      Math.max(0, this.rss[MM_FILEPAGES]) + Math.max(0, this.rss[MM_ANONPAGES]) + Math.max(0, this.rss[MM_SHMEMPAGES])
    );
  }
}

import { Pmd } from './page-table.ts';
import type { Vma } from './vma.ts';

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
  /** Pages of page middle directories, by number of their GiB, and of upper ones, by number of their 512 GiB. */
  readonly pmdPages = new Set<number>();
  readonly pudPages = new Set<number>();
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
  /** Of tablePages and upper directories, what accountPageTables has seen. */
  accountedTables = 0;
  accountedUpper = 0;
  /** Where khugepaged has got to. */
  onKhugepagedList = false;

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
    this.tablePages += this.missingUpper(page);
    this.pmdPages.add(Math.floor(page / PUD_PAGES));
    this.pudPages.add(Math.floor(page / PGD_PAGES));
  }

  addPmd(page: number): Pmd {
    this.noteUpper(page);
    const pmd = new Pmd();
    this.pmds.set(Math.floor(page / PMD_PAGES), pmd);
    this.tablePages++;
    return pmd;
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
    this.eachPmd(first, last, (key) => {
      this.pmds.delete(key);
      this.tablePages--;
    });
    this.freeUpper(this.pmdPages, PUD_PAGES, first, last, floor, ceiling);
    this.freeUpper(this.pudPages, PGD_PAGES, first, last, floor, ceiling);
    return before - this.tablePages;
  }

  private freeUpper(
    pages: Set<number>,
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
      pages.delete(at);
      this.tablePages--;
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

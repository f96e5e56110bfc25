/** Entries of a page table: a frame and flags in 32 bits, `frame << 6 | flags`; 0 is none. */
export const PTE_PRESENT = 1;
export const PTE_WRITE = 2;
export const PTE_DIRTY = 4;
export const PTE_YOUNG = 8;
/** The page of zeros, or a page of the kernel: no memory of the process (vm_normal_page says none). */
export const PTE_SPECIAL = 16;
/** Not present: the frame field is a slot of swap. */
export const PTE_SWAP = 32;
export const PTE_SHIFT = 6;
const FLAGS = (1 << PTE_SHIFT) - 1;
export const PTRS_PER_PTE = 512;

export const pteOf = (frame: number, flags: number): number => (frame << PTE_SHIFT) | flags;
export const frameOfPte = (pte: number): number => pte >>> PTE_SHIFT;

/**
 * What a process has for one aligned 2 MiB: nothing, one huge entry, or a table of 512 entries. A table whose entries are
 * consecutive frames in one state is folded: `first` stands for all of them.
 */
export class Pmd {
  /** The huge entry, 0 for none; a huge page's table is deposited beside it, so it counts as a table either way. */
  huge = 0;
  entries: Int32Array | null = null;
  /** Entry 0 of a folded table, 0 otherwise. */
  first = 0;
  /** Entries that are not none. */
  used = 0;
  /** The accessed bit of the entry for the table: a table that is made has it. */
  young = true;
  /** The group that pays for the table; -1 where there is none. */
  group = -1;

  get(i: number): number {
    if (this.entries) return this.entries[i]!;
    return this.first === 0 ? 0 : (this.first + (i << PTE_SHIFT)) | 0;
  }

  set(i: number, pte: number): void {
    const entries = this.entries ?? this.unfold();
    const before = entries[i]!;
    entries[i] = pte;
    if (before === 0) {
      if (pte !== 0) this.used++;
    } else if (pte === 0) this.used--;
  }

  unfold(): Int32Array {
    const entries = new Int32Array(PTRS_PER_PTE);
    if (this.first !== 0) for (let i = 0; i < PTRS_PER_PTE; i++) entries[i] = this.first + (i << PTE_SHIFT);
    this.first = 0;
    this.entries = entries;
    return entries;
  }

  /** Folds the table where all its entries are consecutive frames in one state. */
  fold(): void {
    const { entries } = this;
    if (!entries) return;
    if (this.used === 0) {
      this.entries = null;
      return;
    }
    if (this.used !== PTRS_PER_PTE) return;
    const first = entries[0]!;
    if ((first & (PTE_SWAP | PTE_SPECIAL)) !== 0) return;
    for (let i = 1; i < PTRS_PER_PTE; i++) if (entries[i] !== ((first + (i << PTE_SHIFT)) | 0)) return;
    this.first = first;
    this.entries = null;
  }

  /** A copy with flags taken away, as fork makes it. */
  copyWithout(flags: number): Pmd {
    const copy = new Pmd();
    copy.used = this.used;
    if (this.first !== 0) copy.first = this.first & ~(flags & FLAGS);
    return copy;
  }
}

/** What a program remembers of its page table, as a processor's TLB does; the kernel takes it back. */
export interface Tlb {
  /** flush_tlb_range: entries of pages [start, end) have been taken away, or must be told of the next use. */
  flush(start: number, end: number): void;
}

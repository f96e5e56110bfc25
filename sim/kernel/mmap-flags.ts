/** Arguments of mmap(2) and madvise(2) by their numbers, and how strace names them. */

// mmap flags as in <sys/mman.h>; MAP_PRIVATE | MAP_ANONYMOUS is understood.
export const MAP_FIXED = 0x10;
export const MAP_NORESERVE = 0x4000;
export const MAP_STACK = 0x20000;
export const MAP_HUGETLB = 0x40000;
export const MAP_HUGE_SHIFT = 26;
export const MAP_FIXED_NOREPLACE = 0x100000;

/** No flag of mmap(2): the caller names what it maps by page numbers alone, so it may lie in the far area (far-area.ts). */
export const MAP_BY_PAGE = 2 ** 25;

export const MADV_DONTNEED = 4;
export const MADV_FREE = 8;
export const MADV_HUGEPAGE = 14;
export const MADV_NOHUGEPAGE = 15;
export const MADV_NAMES: Readonly<Record<number, string>> = {
  [MADV_DONTNEED]: 'MADV_DONTNEED',
  [MADV_FREE]: 'MADV_FREE',
  [MADV_HUGEPAGE]: 'MADV_HUGEPAGE',
  [MADV_NOHUGEPAGE]: 'MADV_NOHUGEPAGE',
};

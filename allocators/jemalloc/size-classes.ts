/**
 * jemalloc's size classes (sc.c, sz.c) for 64-bit pointers, a quantum of 16 bytes, 4096-byte pages and four classes in
 * each doubling.
 *
 *   8                                                  the only tiny class
 *   16 32 48 64                                        the first group: spaced by the quantum
 *   80 96 112 128 | 160 192 224 256 | 320 …            each further group: four steps of a quarter of its base
 *
 * A class below 16 KiB is a *bin*: its regions are cut from slabs, and a slab has the fewest whole pages that hold a
 * whole number of regions. From 16 KiB on a class is *large*: an extent of its own.
 *
 * Extents that wait to be used again are sorted by *page size classes*: the classes that are whole pages, 4 KiB, 8 KiB,
 * 12 KiB, 16 KiB, 20 KiB, …, four in each doubling.
 */
export const LG_PAGE = 12;
export const PAGE = 4096;
export const LG_QUANTUM = 4;
export const QUANTUM = 16;
export const CACHELINE = 64;
export const LG_NGROUP = 2;
export const NGROUP = 4;
export const HUGEPAGE = 2097152;

/** SC_NBINS, SC_NSIZES, SC_NPSIZES. */
export const NBINS = 36;
export const NSIZES = 232;
export const NPSIZES = 199;
/** ESET_NPSIZES: one more, for extents beyond the largest class. */
export const ESET_NPSIZES = NPSIZES + 1;

export const SMALL_MAXCLASS = 14336;
export const LARGE_MINCLASS = 16384;
/** Up to here a request's class comes from a table (SC_LOOKUP_MAXCLASS is 4096; this is what caches hold by default). */
export const LOOKUP_MAXCLASS = 32768;
export const LARGE_MAXCLASS = 7 * 2 ** 60;

/** Up to here sizes are computed with as 32-bit integers. */
export const INT_SIZE_MAX = 2 ** 30;

/** lg_ceil of a number from 1 on; exact for all doubles. */
export function lgCeil(n: number): number {
  if (n <= 0x80000000) return 32 - Math.clz32(n - 1);
  return 32 + lgCeil(Math.ceil(n / 0x100000000));
}

/** sz_index2size_compute */
function computeIndexSize(index: number): number {
  if (index === 0) return 8;
  const group = (index - 1) >> LG_NGROUP;
  const step = ((index - 1) & (NGROUP - 1)) + 1;
  if (group === 0) return step * QUANTUM;
  return 2 ** (LG_QUANTUM + 1 + group) + step * 2 ** (LG_QUANTUM - 1 + group);
}

/** sz_index2size_tab: bytes of each class. */
export const INDEX_SIZE: Float64Array = Float64Array.from({ length: NSIZES }, (_, i) => computeIndexSize(i));

/** sz_size2index_compute: NSIZES where no class is large enough. */
function computeSizeIndex(size: number): number {
  if (size > LARGE_MAXCLASS) return NSIZES;
  if (size <= 8) return 0;
  const x = Math.max(lgCeil(size), LG_QUANTUM);
  const group = x < LG_NGROUP + LG_QUANTUM ? 0 : x - (LG_NGROUP + LG_QUANTUM);
  const lgDelta = x < LG_NGROUP + LG_QUANTUM + 1 ? LG_QUANTUM : x - LG_NGROUP - 1;
  return 1 + group * NGROUP + ((Math.ceil(size / 2 ** lgDelta) - 1) % NGROUP);
}

/** sz_size2index_tab: the class of (size + 7) / 8, up to LOOKUP_MAXCLASS. */
export const SIZE_INDEX: Uint8Array = Uint8Array.from({ length: LOOKUP_MAXCLASS / 8 + 1 }, (_, i) =>
  computeSizeIndex(i * 8),
);

/** sz_size2index */
export function sizeToIndex(size: number): number {
  if (size <= LOOKUP_MAXCLASS) return SIZE_INDEX[(size + 7) >> 3]!;
  if (size > INT_SIZE_MAX) return computeSizeIndex(size);
  const x = 32 - Math.clz32(size - 1);
  return 1 + ((x - LG_NGROUP - LG_QUANTUM) << LG_NGROUP) + (((size - 1) >> (x - LG_NGROUP - 1)) & (NGROUP - 1));
}

/** sz_s2u: 0 where no class is large enough. */
export function sizeToUsable(size: number): number {
  const index = sizeToIndex(size);
  return index === NSIZES ? 0 : INDEX_SIZE[index]!;
}

/** sz_sa2u: the usable size of an aligned request; 0 where none is large enough. */
export function alignedUsable(size: number, alignment: number): number {
  if (size <= SMALL_MAXCLASS && alignment <= PAGE) {
    const usable = sizeToUsable(Math.ceil(size / alignment) * alignment);
    if (usable < LARGE_MINCLASS) return usable;
  }
  if (alignment > LARGE_MAXCLASS) return 0;
  return size <= LARGE_MINCLASS ? LARGE_MINCLASS : sizeToUsable(size);
}

/** bin_infos[i].slab_size in pages. */
export const SLAB_PAGES: Uint8Array = Uint8Array.from({ length: NBINS }, (_, i) => {
  let pages = 1;
  while ((pages * PAGE) % INDEX_SIZE[i]! !== 0) pages++;
  return pages;
});

/** bin_infos[i].nregs: regions of a slab. */
export const SLAB_REGIONS: Uint16Array = Uint16Array.from(
  { length: NBINS },
  (_, i) => (SLAB_PAGES[i]! * PAGE) / INDEX_SIZE[i]!,
);

/** sz_pind2sz in pages. */
function computePageClass(index: number): number {
  const group = index >> LG_NGROUP;
  const step = (index & (NGROUP - 1)) + 1;
  return group === 0 ? step : 2 * 2 ** group + step * 2 ** (group - 1);
}

/** sz_pind2sz_tab in pages; the last entry stands for everything larger. */
export const PAGE_CLASS: Float64Array = Float64Array.from({ length: ESET_NPSIZES }, (_, i) =>
  i < NPSIZES ? computePageClass(i) : LARGE_MAXCLASS / PAGE + 1,
);

/** sz_psz2ind of whole pages: the smallest page size class that holds them. */
export function pagesToClass(pages: number): number {
  if (pages > LARGE_MAXCLASS / PAGE) return NPSIZES;
  const x = lgCeil(pages);
  const group = x < LG_NGROUP ? 0 : x - LG_NGROUP;
  const shift = group === 0 ? 0 : group - 1;
  return group * NGROUP + (Math.floor((pages - 1) / 2 ** shift) & (NGROUP - 1));
}

/** sz_psz_quantize_floor, in pages: the largest (class + one page of padding) that is not more than `pages`. */
export function quantizeFloor(pages: number): number {
  const index = pagesToClass(pages);
  return index === 0 ? pages : PAGE_CLASS[index - 1]! + 1;
}

/** sz_psz_quantize_ceil, in pages. */
export function quantizeCeil(pages: number): number {
  const floor = quantizeFloor(pages);
  return floor < pages ? PAGE_CLASS[pagesToClass(floor)]! + 1 : floor;
}

const TABLE_PAGES = 8192;

/** Where eset_insert puts an extent of so many pages; a table for the usual ones. */
const INSERT_CLASS = Uint8Array.from({ length: TABLE_PAGES }, (_, n) => (n === 0 ? 0 : pagesToClass(quantizeFloor(n))));
export function insertClass(pages: number): number {
  return pages < TABLE_PAGES ? INSERT_CLASS[pages]! : pagesToClass(quantizeFloor(pages));
}

/** Where eset_first_fit begins to look for so many pages. */
const SEARCH_CLASS = Uint8Array.from({ length: TABLE_PAGES }, (_, n) => (n === 0 ? 0 : pagesToClass(quantizeCeil(n))));
export function searchClass(pages: number): number {
  return pages < TABLE_PAGES ? SEARCH_CLASS[pages]! : pagesToClass(quantizeCeil(pages));
}

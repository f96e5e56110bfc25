/** What differs between versions of glibc. Everything else is the same code. */
export interface Features {
  readonly version: string;
  /** sizeof (heap_info): a page size was added to it in 2.35. */
  readonly heapInfoBytes: number;
  /** Reservations of arena heaps are made with MAP_NORESERVE (up to 2.40). */
  readonly reservesWithoutSwap: boolean;
  /** glibc.malloc.hugetlb exists (2.35); later it also sets the mmap threshold, unless that was set. */
  readonly hugetlb: 'none' | 'plain' | 'sets mmap_threshold';
  /**
   * sysmalloc() passes sysmalloc_mmap_fallback() its least size and its granule in each other's place (2.35 to 2.37): the
   * megabyte is then what a contiguous arena rounds up to, and no least size at all.
   */
  readonly fallbackArgumentsSwapped: boolean;
  /** mallopt() refuses a mmap threshold above 32 MiB (up to 2.32). */
  readonly limitsMmapThreshold: boolean;
  /** free() puts small chunks straight into their bin instead of the unsorted one (2.41). */
  readonly freesToSmallBins: boolean;
  /** calloc() takes from the thread cache (2.41). */
  readonly callocFromCache: boolean;
  /** memalign() takes from the thread cache, and never gives the rest of a chunk to it (2.38 and later). */
  readonly memalignFromCache: boolean;
  /** realloc() does nothing where the block has less than 16 bytes too many, or a mapped one up to a page (2.38 and later). */
  readonly reallocKeepsClose: boolean;
}

export const VERSIONS = ['2.36', '2.41', '2.31'] as const;

export function featuresOf(version: string): Features {
  const minor = Number(version.split('.')[1]);
  return {
    version,
    heapInfoBytes: minor >= 35 ? 0x30 : 0x20,
    reservesWithoutSwap: minor < 41,
    hugetlb: minor < 35 ? 'none' : minor < 41 ? 'plain' : 'sets mmap_threshold',
    fallbackArgumentsSwapped: minor >= 35 && minor <= 37,
    limitsMmapThreshold: minor < 33,
    freesToSmallBins: minor >= 41,
    callocFromCache: minor >= 41,
    memalignFromCache: minor >= 38,
    reallocKeepsClose: minor >= 38,
  };
}

import type { Memory } from '../../sim/contract/memory.ts';

// malloc_par and the few static variables of malloc.c and arena.c, in two regions: what may pass 2^31 is a double.

// Doubles. top_pad is kept as a signed number, since glibc adds it with wrap-around; thresholds are unsigned.
export const TRIM_THRESHOLD = 0;
export const TOP_PAD = 1;
export const MMAP_THRESHOLD = 2;
export const MMAPPED_MEM = 3;
export const MAX_MMAPPED_MEM = 4;
export const TCACHE_UNSORTED_LIMIT = 5;

// Integers.
export const N_MMAPS = 0;
export const N_MMAPS_MAX = 1;
export const MAX_N_MMAPS = 2;
export const NO_DYN_THRESHOLD = 3;
export const ARENA_TEST = 4;
export const ARENA_MAX = 5;
/** global_max_fast in units; 1 where glibc has its impossibly small value. */
export const MAX_FAST_UNITS = 6;
export const PERTURB = 7;
/** !SINGLE_THREAD_P: set by the first thread that is started, and never cleared. */
export const MULTI_THREADED = 8;
export const NARENAS = 9;
export const NARENAS_LIMIT = 10;
export const FREE_LIST = 11;
export const NEXT_TO_USE = 12;
/** __curbrk as a page, 0 while libc has not asked for it. */
export const CURRENT_BREAK = 13;
export const ALIGNED_HEAP_AREA = 14;
export const TCACHE_BINS = 16;
export const TCACHE_COUNT = 17;
/** thp_pagesize and hp_pagesize in pages. */
export const THP_PAGES = 18;
export const HP_PAGES = 19;
export const HP_FLAGS = 20;
/** First of the linked list of mapped chunks, the lock word that guards it, and their spare records (chunk.ts). */
export const MMAPPED_LIST = 21;
export const MMAPPED_GUARD = 22;
/** Pieces of the main arena, see sysmalloc.ts. */
export const SEGMENT_COUNT = 23;

/** NARENAS_FROM_NCORES */
export const ARENAS_PER_CPU = 8;
export const DEFAULT_MMAP_THRESHOLD = 131072;
export const DEFAULT_MMAP_THRESHOLD_MAX = 33554432;
export const DEFAULT_TRIM_THRESHOLD = 131072;
export const DEFAULT_TOP_PAD = 131072;
export const DEFAULT_MMAP_MAX = 65536;

/** Places in the two regions. */
export const DOUBLES = 8;
export const INTS = 32;

export type Parameters = ReturnType<typeof createParameters>;

export function createParameters(memory: Memory) {
  return { doubles: memory.float64('ptmalloc.doubles', DOUBLES), ints: memory.int32('ptmalloc.ints', INTS) };
}

/** A signed number as the size_t that the same 64 bits are. */
export function toUnsigned(value: number): number {
  return value < 0 ? value + 2 ** 64 : value;
}

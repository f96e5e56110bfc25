import { FAR_PAGES, FENCE_PAGE } from '../../sim/kernel/layout.ts';

/**
 * Sizes and places of jemalloc 5.3.0's own structures in bytes, as Debian 12's library has them (amd64, statistics and
 * profiling compiled in). They decide which page of a base block a structure lies on, hence what is resident, and two of
 * them are seeds: a decay's jitter starts from its own address.
 */

/** base_block_t, at the head of each block of a base; base_t, behind it in the first. */
export const BASE_BLOCK_BYTES = 144;
export const BASE_BYTES = 3912;
export const EDATA_BYTES = 128;
/** cache_bin_info_t of each bin of a thread cache. */
export const CACHE_BIN_INFO_BYTES = 2;
/** background_thread_info_t; DEFAULT_NUM_BACKGROUND_THREAD of them whether there are such threads or not. */
export const BACKGROUND_THREAD_INFO_BYTES = 208;

/** arena_t without its bins; bin_t. */
export const ARENA_BYTES = 78952;
export const BIN_BYTES = 224;
/** What arena_new leaves unwritten: counters of large classes (written as they count), and the huge page allocator. */
export const ARENA_LARGE_STATS = 24 + 952;
export const ARENA_LARGE_STATS_BYTES = 48;
const PA_SHARD = 10648;
const ARENA_STATS_DERIVED = 24 + 168;
const ARENA_TCACHE_QL = 10392;
/** [from, to) of the parts that arena_new writes. */
export const ARENA_WRITTEN: readonly (readonly [number, number])[] = [
  [0, ARENA_STATS_DERIVED],
  [ARENA_TCACHE_QL, PA_SHARD + 62264],
  [PA_SHARD + 68096, ARENA_BYTES],
];
/** decay_t of the dirty and of the muzzy extents. */
export const ARENA_DECAY_DIRTY = PA_SHARD + 24 + 58648;
export const ARENA_DECAY_MUZZY = PA_SHARD + 24 + 60432;

/** Elements of an rtree leaf are 8 bytes; a leaf maps 1 GiB. */
export const RTREE_LEAF_LG_PAGES = 18;
/** A leaf for each GiB of the mmap area and the far area; those of the brk heap, whose GiBs lie elsewhere, come behind them. */
export const RTREE_BRK_LEAF = (FENCE_PAGE + FAR_PAGES) / 2 ** RTREE_LEAF_LG_PAGES;
export const RTREE_LEAVES = RTREE_BRK_LEAF + 9;
export const RTREE_LEAF_BYTES = 8 * 2 ** RTREE_LEAF_LG_PAGES;

/** Tables of the first mallctl: ctl_arenas_t, ctl_stats_t, and for each arena ctl_arena_t with its ctl_arena_stats_t. */
export const CTL_ARENAS_BYTES = 32800;
export const CTL_STATS_BYTES = 720;
export const CTL_ARENA_BYTES = 88 + 37768;

/** A thread's data lies this far below its thread pointer; its address seeds the thread's random numbers. */
export const TSD_BELOW_THREAD_POINTER = 0xa48;

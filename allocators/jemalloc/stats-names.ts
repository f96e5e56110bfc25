import type { AllocatorStats } from '../../sim/contract/allocator.ts';

/** What jemalloc's statistics name: settings of the build, options, mutexes, and how they are found in `stats()`. */
export const JEMALLOC_VERSION = '5.3.0-0-g54eaed1d8b56b1aa528be3bdd1877e59c56fa90c';

export type Value = number | string | boolean;
export type Row = Readonly<Record<string, number>>;
export type Scalars = Record<string, Value>;

/** Build-time settings of Debian 12's library. */
export const CONFIG: Scalars = {
  cache_oblivious: true,
  debug: false,
  fill: true,
  lazy_lock: false,
  malloc_conf: '',
  opt_safety_checks: false,
  prof: true,
  prof_libgcc: true,
  prof_libunwind: false,
  stats: true,
  utrace: false,
  xmalloc: false,
};

/** Run-time settings in the order of the real one; null: what the model's option of that name says. */
export const OPT: readonly (readonly [string, Value | null])[] = [
  ['abort', false],
  ['abort_conf', false],
  ['cache_oblivious', true],
  ['confirm_conf', false],
  ['retain', null],
  ['dss', null],
  ['narenas', null],
  ['percpu_arena', null],
  ['oversize_threshold', null],
  ['hpa', null],
  ['hpa_slab_max_alloc', 65536],
  ['hpa_hugification_threshold', 1992294],
  ['hpa_hugify_delay_ms', 10000],
  ['hpa_min_purge_interval_ms', 5000],
  ['hpa_dirty_mult', '0.25'],
  ['hpa_sec_nshards', 4],
  ['hpa_sec_max_alloc', 32768],
  ['hpa_sec_max_bytes', 262144],
  ['hpa_sec_bytes_after_flush', 131072],
  ['hpa_sec_batch_fill_extra', 0],
  ['metadata_thp', null],
  ['mutex_max_spin', 600],
  ['background_thread', null],
  ['dirty_decay_ms', null],
  ['muzzy_decay_ms', null],
  ['lg_extent_max_active_fit', null],
  ['junk', null],
  ['zero', null],
  ['experimental_infallible_new', false],
  ['tcache', null],
  ['tcache_max', null],
  ['tcache_nslots_small_min', null],
  ['tcache_nslots_small_max', null],
  ['tcache_nslots_large', null],
  ['lg_tcache_nslots_mul', null],
  ['tcache_gc_incr_bytes', null],
  ['tcache_gc_delay_bytes', null],
  ['lg_tcache_flush_small_div', null],
  ['lg_tcache_flush_large_div', null],
  ['thp', null],
  ['prof', null],
  ['prof_prefix', 'jeprof'],
  ['prof_active', true],
  ['prof_thread_active_init', true],
  ['lg_prof_sample', 19],
  ['prof_accum', false],
  ['lg_prof_interval', -1],
  ['prof_gdump', false],
  ['prof_final', false],
  ['prof_leak', false],
  ['prof_leak_error', false],
  ['stats_print', false],
  ['stats_print_opts', ''],
  ['stats_print', false], // the real one prints these two twice
  ['stats_print_opts', ''],
  ['stats_interval', -1],
  ['stats_interval_opts', ''],
  ['zero_realloc', 'free'],
];

export const PROF: Scalars = { thread_active_init: false, active: false, gdump: false, interval: 0, lg_sample: 0 };

export const GLOBAL_MUTEXES = [
  'background_thread',
  'max_per_bg_thd',
  'ctl',
  'prof',
  'prof_thds_data',
  'prof_dump',
  'prof_recent_alloc',
  'prof_recent_dump',
  'prof_stats',
];
export const ARENA_MUTEXES = [
  'large',
  'extent_avail',
  'extents_dirty',
  'extents_muzzy',
  'extents_retained',
  'decay_dirty',
  'decay_muzzy',
  'base',
  'tcache_list',
  'hpa_shard',
  'hpa_shard_grow',
  'hpa_sec',
];
export const NO_MUTEX: Row = { num_ops: 0, num_owner_switch: 0 };
/** A bin that was never used. */
export const NO_BIN = { mutex: NO_MUTEX } as unknown as Row;

// ------------------------------------------------------------------------------------------------------ reading stats

export const numberOf = (stats: AllocatorStats, name: string): number => (stats[name] as number | undefined) ?? 0;
export const partOf = (stats: AllocatorStats, name: string): AllocatorStats => stats[name] as AllocatorStats;
export const rowsOf = (stats: AllocatorStats, name: string): readonly Row[] => stats[name] as unknown as readonly Row[];
export const optOf = (stats: AllocatorStats, name: string, fixed: Value | null): Value =>
  fixed ?? (partOf(stats, 'opt')[name] as Value);
export const mutexOf = (stats: AllocatorStats, name: string): Row =>
  ((stats['mutexes'] as AllocatorStats | undefined)?.[name] as Row | undefined) ?? NO_MUTEX;

/** Rows by index, with zeros where `stats()` left a row out. */
export function byIndex(rows: readonly Row[]): Map<number, Row> {
  return new Map(rows.map((row) => [row['ind']!, row]));
}

/** Merged statistics have the uptime of the arena that was merged last. */
export const mergedUptime = (arenas: readonly AllocatorStats[]): number => numberOf(arenas.at(-1)!, 'uptime');

// ---------------------------------------------------------------------------------------------------------------- text

export const HPA_TITLES = [
  ['npageslabs_huge', 16],
  ['nactive_huge', 16],
  ['ndirty_huge', 16],
  ['npageslabs_nonhuge', 20],
  ['nactive_nonhuge', 20],
  ['ndirty_nonhuge', 20],
  ['nretained_nonhuge', 20],
] as const;

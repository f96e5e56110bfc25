import type { OptionDescriptor, OptionValues } from '../model.ts';

type Kind = OptionDescriptor['kind'];

function option(
  name: string,
  kind: Kind,
  unit: string,
  defaultValue: OptionDescriptor['default'],
  about: string,
  limits: Partial<Pick<OptionDescriptor, 'min' | 'max' | 'choices'>> = {},
): OptionDescriptor {
  return { name, kind, unit, default: defaultValue, about, ...limits };
}

/** NSTIME_SEC_MAX in milliseconds: what a decay time may be at most. */
const DECAY_MS_MAX = 18446744072 * 1000;
const INT32_MAX = 2147483647;
/** 2^mmap_rnd_bits of Linux on x86-64, of which the kernel draws one at each exec. */
export const MMAP_RND_PAGES = 2 ** 28;

/** The options of MALLOC_CONF that decide placement, residency or time, and those of the simulated process. */
export const JEMALLOC_OPTIONS: readonly OptionDescriptor[] = [
  option('narenas', 'integer', '', 0, 'automatic arenas; 0: four for each processor, one on a single processor', {
    min: 0,
    max: 4094,
  }),
  option(
    'oversize_threshold',
    'bytes',
    'bytes',
    8388608,
    'requests from here on use an arena that purges at once; 0: off',
  ),
  option('tcache', 'boolean', '', true, 'thread caches'),
  option('tcache_max', 'bytes', 'bytes', 32768, 'largest size that thread caches hold', { min: 0, max: 8388608 }),
  option('lg_tcache_nslots_mul', 'integer', 'log2', 1, 'slots of a small bin as a multiple of the regions of a slab', {
    min: -16,
    max: 16,
  }),
  option('tcache_nslots_small_min', 'integer', 'slots', 20, 'fewest slots of a small bin', { min: 1, max: 2048 }),
  option('tcache_nslots_small_max', 'integer', 'slots', 200, 'most slots of a small bin', { min: 1, max: 2048 }),
  option('tcache_nslots_large', 'integer', 'slots', 20, 'slots of a large bin', { min: 1, max: 2048 }),
  option('tcache_gc_incr_bytes', 'bytes', 'bytes', 65536, 'allocated bytes between two looks of the cache collector', {
    min: 1024,
    max: INT32_MAX,
  }),
  option(
    'tcache_gc_delay_bytes',
    'bytes',
    'bytes',
    0,
    'bytes of a size that the collector lets pass before it flushes',
  ),
  option('lg_tcache_flush_small_div', 'integer', 'log2', 1, 'a full small bin keeps 1 / 2^n of its slots', {
    min: 1,
    max: 16,
  }),
  option('lg_tcache_flush_large_div', 'integer', 'log2', 1, 'a full large bin keeps 1 / 2^n of its slots', {
    min: 1,
    max: 16,
  }),
  option('dirty_decay_ms', 'integer', 'ms', 10000, 'time until freed pages are purged; 0: at once, -1: never', {
    min: -1,
    max: DECAY_MS_MAX,
  }),
  option('muzzy_decay_ms', 'integer', 'ms', 0, 'time from MADV_FREE to MADV_DONTNEED; 0: no such stage, -1: never', {
    min: -1,
    max: DECAY_MS_MAX,
  }),
  option('retain', 'boolean', '', true, 'keep unused address space instead of unmapping it'),
  option('thp', 'choice', '', 'default', 'huge pages for extents', { choices: ['default', 'always', 'never'] }),
  option('metadata_thp', 'choice', '', 'disabled', 'huge pages for metadata', {
    choices: ['disabled', 'auto', 'always'],
  }),
  option('dss', 'choice', '', 'secondary', 'whether sbrk serves extents before mmap, after it, or never', {
    choices: ['disabled', 'primary', 'secondary'],
  }),
  option('percpu_arena', 'choice', '', 'disabled', 'an arena for each processor instead of round-robin', {
    choices: ['disabled', 'percpu', 'phycpu'],
  }),
  option('background_thread', 'boolean', '', false, 'purge from threads of its own, also while the program is idle'),
  option('max_background_threads', 'integer', 'threads', 4, 'most background threads', { min: 1, max: 4 }),
  option(
    'lg_extent_max_active_fit',
    'integer',
    'log2',
    6,
    'how many times larger a dirty extent may be than the request',
    {
      min: 0,
      max: 64,
    },
  ),
  option('zero', 'boolean', '', false, 'clear every allocation'),
  option('junk', 'choice', '', 'false', 'fill allocations, freed blocks, or both', {
    choices: ['false', 'true', 'alloc', 'free'],
  }),
  option('hpa', 'boolean', '', false, 'the huge page allocator; not modelled'),
  option('prof', 'boolean', '', false, 'heap profiling; not modelled'),
  option('tp_main', 'integer', 'address', 0x7ffff7f92180, "the main thread's pointer: it seeds placement offsets"),
  option('tp_first', 'integer', 'address', 0x7f1ffffff6c0, 'thread pointer of the first thread stack'),
  option('tp_step', 'integer', 'bytes', 0x40000, 'distance down to the next thread pointer'),
  option('mmap_shift', 'integer', 'pages', 0, 'how far down the kernel has put all of that and the mappings (ASLR)', {
    min: 0,
    max: MMAP_RND_PAGES - 1,
  }),
  option(
    'system_thp',
    'choice',
    '',
    'auto',
    'what /sys/kernel/mm/transparent_hugepage/enabled says; auto: as the kernel',
    {
      choices: ['auto', 'madvise', 'always', 'never'],
    },
  ),
  option('mallctl', 'boolean', '', true, 'the process reads statistics, so their tables exist before its first event'),
];

/** What the first call alone looks at: arenas have it from there. */
const OF_BEGIN = ['dirty_decay_ms', 'muzzy_decay_ms', 'mmap_shift'] as const;

/** Of options that differ in no more than that. */
export const shapeOf = (options: OptionValues): string =>
  JSON.stringify(Object.entries(options).filter(([name]) => !OF_BEGIN.some((own) => own === name)));

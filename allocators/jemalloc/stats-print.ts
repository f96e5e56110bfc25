import type { AllocatorStats } from '../../sim/contract/allocator.ts';
import { INDEX_SIZE, NBINS, NPSIZES, NSIZES, PAGE, QUANTUM, SLAB_PAGES, SLAB_REGIONS } from './size-classes.ts';

/**
 * malloc_stats_print (stats.c): the statistics in jemalloc's own layout, as text and as JSON, made from `stats()`.
 *
 * The widths of the columns are those of the real one. Lock waiting is measured elsewhere, so those columns are 0 here.
 */
export const JEMALLOC_VERSION = '5.3.0-0-g54eaed1d8b56b1aa528be3bdd1877e59c56fa90c';

type Value = number | string | boolean;
type Row = Readonly<Record<string, number>>;
type Scalars = Record<string, Value>;

/** Build-time settings of Debian 12's library. */
const CONFIG: Scalars = {
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
const OPT: readonly (readonly [string, Value | null])[] = [
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

const PROF: Scalars = { thread_active_init: false, active: false, gdump: false, interval: 0, lg_sample: 0 };

const GLOBAL_MUTEXES = [
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
const ARENA_MUTEXES = [
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
const NO_MUTEX: Row = { num_ops: 0, num_owner_switch: 0 };
/** A bin that was never used. */
const NO_BIN = { mutex: NO_MUTEX } as unknown as Row;
const GAP = `${' '.repeat(21)}---\n`;
const NANOSECONDS = 1e9;

// ------------------------------------------------------------------------------------------------------ reading stats

const numberOf = (stats: AllocatorStats, name: string): number => (stats[name] as number | undefined) ?? 0;
const partOf = (stats: AllocatorStats, name: string): AllocatorStats => stats[name] as AllocatorStats;
const rowsOf = (stats: AllocatorStats, name: string): readonly Row[] => stats[name] as unknown as readonly Row[];
const optOf = (stats: AllocatorStats, name: string, fixed: Value | null): Value =>
  fixed ?? (partOf(stats, 'opt')[name] as Value);
const mutexOf = (stats: AllocatorStats, name: string): Row =>
  ((stats['mutexes'] as AllocatorStats | undefined)?.[name] as Row | undefined) ?? NO_MUTEX;

/** Rows by index, with zeros where `stats()` left a row out. */
function byIndex(rows: readonly Row[]): Map<number, Row> {
  return new Map(rows.map((row) => [row['ind']!, row]));
}

/** Merged statistics have the uptime of the arena that was merged last. */
const mergedUptime = (arenas: readonly AllocatorStats[]): number => numberOf(arenas.at(-1)!, 'uptime');

/** rate_per_second */
function perSecond(value: number, uptimeNs: number): number {
  if (uptimeNs === 0 || value === 0) return 0;
  return uptimeNs < NANOSECONDS ? value : Math.floor(value / Math.floor(uptimeNs / NANOSECONDS));
}

/** get_rate_str: x.yyy of a share up to 1. */
function utilization(used: number, available: number): string {
  if (available === 0) return '1';
  const thousandths = Math.floor((used * 1000) / available);
  return thousandths >= 1000 ? '1' : `0.${String(thousandths).padStart(3, '0')}`;
}

// ---------------------------------------------------------------------------------------------------------------- text

const quoted = (value: Value): string => (typeof value === 'string' ? `"${value}"` : String(value));
const right = (cells: readonly (readonly [Value, number])[]): string =>
  cells.map(([value, width]) => String(value).padStart(width)).join('');

/** Columns of a lock: total and rate, of each counter; the last two have no rate. */
const MUTEX_COLUMNS: readonly (readonly [string, string, number])[] = [
  ['n_lock_ops', 'num_ops', 16],
  ['(#/sec)', 'num_ops/s', 8],
  ['n_waiting', 'num_wait', 16],
  ['(#/sec)', 'num_wait/s', 8],
  ['n_spin_acq', 'num_spin_acq', 16],
  ['(#/sec)', 'num_spin_acq/s', 8],
  ['n_owner_switch', 'num_owner_switch', 16],
  ['(#/sec)', 'num_owner_switch/s', 8],
  ['total_wait_ns', 'total_wait_time', 16],
  ['(#/sec)', 'total_wait_time/s', 10],
  ['max_wait_ns', 'max_wait_time', 16],
  ['max_n_thds', 'max_num_thds', 12],
];

const mutexTitles = (): string => right(MUTEX_COLUMNS.map(([title, , width]) => [title, width]));

function mutexCells(mutex: Row, uptimeNs: number): string {
  return right(
    MUTEX_COLUMNS.map(([, field, width]) => [
      field.endsWith('/s') ? perSecond(mutex[field.slice(0, -2)] ?? 0, uptimeNs) : (mutex[field] ?? 0),
      width,
    ]),
  );
}

function mutexTable(names: readonly string[], stats: AllocatorStats, uptimeNs: number): string {
  const lines = names.map((name) => `${name.padEnd(21)}${mutexCells(mutexOf(stats, name), uptimeNs)}\n`);
  return `${' '.repeat(21)}${mutexTitles()}\n${lines.join('')}`;
}

/** A table of rows by index with `---` where rows are left out; `label` stands at the head of the title line. */
function gapTable(label: string, titles: string, count: number, line: (i: number) => string | undefined): string {
  let text = `${label}${titles.slice(label.length)}\n`;
  let inGap = false;
  for (let i = 0; i < count; i++) {
    const row = line(i);
    if (row !== undefined) text += (inGap ? GAP : '') + row;
    inGap = row === undefined;
  }
  return text + (inGap ? GAP : '');
}

function binTable(arena: AllocatorStats, uptimeNs: number): string {
  const rows = byIndex(rowsOf(arena, 'bins'));
  const rate = (name: string) => [name, 13, '(#/sec)', 8] as const;
  const titles = right([
    ['size', 20],
    ['ind', 4],
    ['allocated', 13],
    ['nmalloc', 13],
    ['(#/sec)', 8],
    ['ndalloc', 13],
    ['(#/sec)', 8],
    ['nrequests', 13],
    ['(#/sec)', 10],
    ['nshards', 9],
    ['curregs', 13],
    ['curslabs', 13],
    ['nonfull_slabs', 15],
    ['regs', 5],
    ['pgs', 4],
    [' ', 1],
    ['util', 6],
    ...['nfills', 'nflushes'].flatMap((name) => {
      const [title, width, unit, narrow] = rate(name);
      return [
        [title, width],
        [unit, narrow],
      ] as const;
    }),
    ['nslabs', 13],
    ['nreslabs', 13],
    ['(#/sec)', 8],
  ]);
  return gapTable('bins:', titles + mutexTitles(), NBINS, (i) => {
    const bin = rows.get(i);
    if (!bin || bin['nslabs'] === 0) return undefined;
    const get = (name: string) => bin[name]!;
    const cells = right([
      [get('size'), 20],
      [i, 4],
      [get('curregs') * get('size'), 13],
      [get('nmalloc'), 13],
      [perSecond(get('nmalloc'), uptimeNs), 8],
      [get('ndalloc'), 13],
      [perSecond(get('ndalloc'), uptimeNs), 8],
      [get('nrequests'), 13],
      [perSecond(get('nrequests'), uptimeNs), 10],
      [get('nshards'), 9],
      [get('curregs'), 13],
      [get('curslabs'), 13],
      [get('nonfull_slabs'), 15],
      [get('nregs'), 5],
      [get('slab_size') / PAGE, 4],
      [' ', 1],
      [utilization(get('curregs'), get('nregs') * get('curslabs')), 6],
      [get('nfills'), 13],
      [perSecond(get('nfills'), uptimeNs), 8],
      [get('nflushes'), 13],
      [perSecond(get('nflushes'), uptimeNs), 8],
      [get('nslabs'), 13],
      [get('nreslabs'), 13],
      [perSecond(get('nreslabs'), uptimeNs), 8],
    ]);
    return `${cells}${mutexCells(bin['mutex'] as unknown as Row, uptimeNs)}\n`;
  });
}

function largeTable(arena: AllocatorStats, uptimeNs: number): string {
  const rows = byIndex(rowsOf(arena, 'lextents'));
  const titles = right([
    ['size', 20],
    ['ind', 4],
    ['allocated', 13],
    ['nmalloc', 13],
    ['(#/sec)', 8],
    ['ndalloc', 13],
    ['(#/sec)', 8],
    ['nrequests', 13],
    ['(#/sec)', 8],
    ['curlextents', 13],
  ]);
  return gapTable('large:', titles, NSIZES - NBINS, (i) => {
    const row = rows.get(NBINS + i);
    if (!row || row['nrequests'] === 0) return undefined;
    const get = (name: string) => row[name]!;
    return `${right([
      [get('size'), 20],
      [NBINS + i, 4],
      [get('curlextents') * get('size'), 13],
      [get('nmalloc'), 13],
      [perSecond(get('nmalloc'), uptimeNs), 8],
      [get('ndalloc'), 13],
      [perSecond(get('ndalloc'), uptimeNs), 8],
      [get('nrequests'), 13],
      [perSecond(get('nrequests'), uptimeNs), 8],
      [get('curlextents'), 13],
    ])}\n`;
  });
}

function extentTable(arena: AllocatorStats): string {
  const rows = byIndex(rowsOf(arena, 'extents'));
  const names = ['ndirty', 'dirty', 'nmuzzy', 'muzzy', 'nretained', 'retained', 'ntotal', 'total'];
  const titles = right([['size', 20], ['ind', 4], ...names.map((name) => [name, 13] as const)]);
  return gapTable('extents:', titles, NPSIZES, (i) => {
    const row = rows.get(i);
    if (!row) return undefined;
    const counts = ['ndirty', 'nmuzzy', 'nretained'].map((name) => row[name]!);
    const bytes = ['dirty_bytes', 'muzzy_bytes', 'retained_bytes'].map((name) => row[name]!);
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    if (sum(counts) === 0) return undefined;
    const cells = [...counts.flatMap((n, j) => [n, bytes[j]!]), sum(counts), sum(bytes)];
    return `${right([[row['size']!, 20], [i, 4], ...cells.map((n) => [n, 13] as const)])}\n`;
  });
}

const HPA_TITLES = [
  ['npageslabs_huge', 16],
  ['nactive_huge', 16],
  ['ndirty_huge', 16],
  ['npageslabs_nonhuge', 20],
  ['nactive_nonhuge', 20],
  ['ndirty_nonhuge', 20],
  ['nretained_nonhuge', 20],
] as const;

/** The huge page allocator's section: it is off, and all zero. */
function hpaSection(): string {
  const slabs = [
    'npageslabs: 0 huge, 0 nonhuge',
    'nactive: 0 huge, 0 nonhuge ',
    'ndirty: 0 huge, 0 nonhuge ',
    'nretained: 0 huge, 0 nonhuge ',
  ]
    .map((line) => `      ${line}\n`)
    .join('');
  const rates = ['Purge passes', 'Purges', 'Hugeifies', 'Dehugifies']
    .map((name) => `  ${name}: 0 (0 / sec)\n`)
    .join('');
  return (
    `Bytes in small extent cache: 0\nHPA shard stats:\n${rates}\n` +
    `  In full slabs:\n${slabs}  In empty slabs:\n${slabs}\n${right([['size', 20], ['ind', 4], ...HPA_TITLES])}\n${GAP}`
  );
}

/** stats_arena_print; `dss` is N/A for the merged statistics, and so are its decay times. */
function arenaSection(title: string, arena: AllocatorStats, dss: string, uptimeNs: number, isMerged: boolean): string {
  const number = (name: string) => numberOf(arena, name);
  const decayTime = (ms: number) => (isMerged || ms < 0 ? 'N/A' : ms);
  const decay = (name: 'dirty' | 'muzzy') =>
    right([
      [`${name}:`, 9],
      [decayTime(number(`${name}_decay_ms`)), 6],
      [number(`p${name}`), 13],
      [number(`${name}_npurge`), 13],
      [number(`${name}_nmadvise`), 13],
      [number(`${name}_purged`), 13],
    ]);
  const counters = ['nmalloc', 'ndalloc', 'nrequests', 'nfills', 'nflushes'];
  const countTitles = right([
    ['allocated', 16],
    ...['nmalloc', 'ndalloc', 'nrequests', 'nfill', 'nflush'].flatMap((name) => [
      [name, 16] as const,
      ['(#/sec)', 10] as const,
    ]),
  ]);
  const countLine = (name: string, get: (field: string) => number) =>
    `${`${name}:`.padEnd(21)}${right([
      [get('allocated'), 16],
      ...counters.flatMap((field) => [[get(field), 16] as const, [perSecond(get(field), uptimeNs), 10] as const]),
    ])}\n`;
  const small = (field: string) => numberOf(partOf(arena, 'small'), field);
  const large = (field: string) => numberOf(partOf(arena, 'large'), field);
  const bytes: readonly (readonly [string, number])[] = [
    ['active', number('pactive') * PAGE],
    ...['mapped', 'retained', 'base', 'internal', 'metadata_thp', 'tcache_bytes', 'tcache_stashed_bytes'].map(
      (name) => [name, number(name)] as const,
    ),
    ...['resident', 'abandoned_vm', 'extent_avail'].map((name) => [name, number(name)] as const),
  ];
  return [
    `${title}\n`,
    `assigned threads: ${number('nthreads')}\nuptime: ${uptimeNs}\ndss allocation precedence: "${dss}"\n`,
    `${right([
      ['decaying:', 9],
      ['time', 6],
      ['npages', 13],
      ['sweeps', 13],
      ['madvises', 13],
      ['purged', 13],
    ])}\n`,
    `${decay('dirty')}\n${decay('muzzy')}\n`,
    `${' '.repeat(21)}${countTitles}\n`,
    countLine('small', small),
    countLine('large', large),
    countLine('total', (field) => small(field) + large(field)),
    `${' '.repeat(37)}\n`,
    ...bytes.map(([name, value]) => `${`${name}:`.padEnd(21)}${String(value).padStart(16)}\n`),
    mutexTable(ARENA_MUTEXES, arena, uptimeNs),
    binTable(arena, uptimeNs),
    largeTable(arena, uptimeNs),
    extentTable(arena),
    hpaSection(),
  ].join('');
}

/** What is told about an option beside its value. */
function optSuffix(stats: AllocatorStats, name: string): string {
  const opt = partOf(stats, 'opt');
  if (name === 'background_thread') return ` (background_thread: ${opt[name]})`;
  if (name === 'dirty_decay_ms' || name === 'muzzy_decay_ms') return ` (arenas.${name}: ${opt[name]})`;
  if (name === 'prof_active') return ' (prof.active: false)';
  if (name === 'prof_thread_active_init') return ' (prof.thread_active_init: false)';
  if (name === 'lg_prof_sample') return ' (prof.lg_sample: 0)';
  return '';
}

/** `stats_print:true`: everything as text. */
export function statsPrintText(stats: AllocatorStats): string {
  const number = (name: string) => numberOf(stats, name);
  const background = partOf(stats, 'background_thread');
  const arenas = stats['arena'] as readonly AllocatorStats[];
  const dss = String(partOf(stats, 'opt')['dss']);
  return [
    '___ Begin jemalloc statistics ___\n',
    `Version: "${JEMALLOC_VERSION}"\n`,
    'Build-time option settings\n',
    ...Object.entries(CONFIG).map(([name, value]) => `  config.${name}: ${quoted(value)}\n`),
    'Run-time option settings\n',
    ...OPT.map(([name, fixed]) => `  opt.${name}: ${quoted(optOf(stats, name, fixed))}${optSuffix(stats, name)}\n`),
    'Profiling settings\n',
    ...Object.entries(PROF).map(([name, value]) => `  prof.${name}: ${quoted(value)}\n`),
    `Arenas: ${number('narenas')}\nQuantum size: ${QUANTUM}\nPage size: ${PAGE}\n`,
    `Maximum thread-cached size class: ${number('tcache_max')}\n`,
    `Number of bin size classes: ${NBINS}\nNumber of thread-cache bin size classes: ${number('nhbins')}\n`,
    `Number of large size classes: ${NSIZES - NBINS}\n`,
    `Allocated: ${number('allocated')}, active: ${number('active')}, metadata: ${number('metadata')} `,
    `(n_thp ${number('metadata_thp')}), resident: ${number('resident')}, mapped: ${number('mapped')}, `,
    `retained: ${number('retained')}\n`,
    'Count of realloc(non-null-ptr, 0) calls: 0\n',
    `Background threads: ${numberOf(background, 'num_threads')}, num_runs: ${numberOf(background, 'num_runs')}, `,
    `run_interval: ${numberOf(background, 'run_interval')} ns\n`,
    mutexTable(GLOBAL_MUTEXES, stats, numberOf(arenas[0]!, 'uptime')),
    arenaSection('Merged arenas stats:', partOf(stats, 'arenas'), 'N/A', mergedUptime(arenas), true),
    ...arenas.map((arena) => arenaSection(`arenas[${arena['arena']}]:`, arena, dss, numberOf(arena, 'uptime'), false)),
    '--- End jemalloc statistics ---\n',
  ].join('');
}

// ---------------------------------------------------------------------------------------------------------------- JSON

/** JSON text of an object whose keys may occur twice, as the real one's do. */
const object = (entries: readonly (readonly [string, string])[]): string =>
  `{${entries.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
const array = (texts: readonly string[]): string => `[${texts.join(',')}]`;
const numbers = (row: AllocatorStats | Row, names: readonly string[]): (readonly [string, string])[] =>
  names.map((name) => [name, String(row[name] ?? 0)]);

const MUTEX_FIELDS = [
  'num_ops',
  'num_wait',
  'num_spin_acq',
  'num_owner_switch',
  'total_wait_time',
  'max_wait_time',
  'max_num_thds',
];
const mutexJson = (mutex: Row): string => object(numbers(mutex, MUTEX_FIELDS));
const mutexesJson = (names: readonly string[], stats: AllocatorStats): string =>
  object(names.map((name) => [name, mutexJson(mutexOf(stats, name))]));

const ZERO_HPA_SLABS = object(
  ['npageslabs_huge', 'nactive_huge', 'nactive_huge', 'npageslabs_nonhuge', 'nactive_nonhuge', 'ndirty_nonhuge'].map(
    (name) => [name, '0'],
  ),
);
const HPA_SLAB_FIELDS = HPA_TITLES.slice(0, 6).map(([name]) => name);
/** PSSET_NPSIZES */
const HPA_CLASSES = 64;

function hpaJson(): string {
  const nonfull = object(HPA_SLAB_FIELDS.map((name) => [name, '0']));
  return object([
    ['npurge_passes', '0'],
    ['npurges', '0'],
    ['nhugifies', '0'],
    ['ndehugifies', '0'],
    ['full_slabs', ZERO_HPA_SLABS],
    ['empty_slabs', ZERO_HPA_SLABS],
    ['nonfull_slabs', array(Array.from({ length: HPA_CLASSES }, () => nonfull))],
  ]);
}

function arenaJson(arena: AllocatorStats, dss: string, uptimeNs: number, isMerged: boolean): string {
  const decayMs = (name: string) => (isMerged ? '-1' : String(numberOf(arena, name)));
  const counts = ['allocated', 'nmalloc', 'ndalloc', 'nrequests', 'nfills', 'nflushes'];
  const bins = byIndex(rowsOf(arena, 'bins'));
  const large = byIndex(rowsOf(arena, 'lextents'));
  const extents = byIndex(rowsOf(arena, 'extents'));
  const binFields = [
    'nmalloc',
    'ndalloc',
    'curregs',
    'nrequests',
    'nfills',
    'nflushes',
    'nreslabs',
    'curslabs',
    'nonfull_slabs',
  ];
  const extentFields = ['ndirty', 'nmuzzy', 'nretained', 'dirty_bytes', 'muzzy_bytes', 'retained_bytes'];
  return object([
    ['nthreads', String(numberOf(arena, 'nthreads'))],
    ['uptime_ns', String(uptimeNs)],
    ['dss', JSON.stringify(dss)],
    ['dirty_decay_ms', decayMs('dirty_decay_ms')],
    ['muzzy_decay_ms', decayMs('muzzy_decay_ms')],
    ...numbers(arena, ['pactive', 'pdirty', 'pmuzzy', 'dirty_npurge', 'dirty_nmadvise', 'dirty_purged']),
    ...numbers(arena, ['muzzy_npurge', 'muzzy_nmadvise', 'muzzy_purged']),
    ['small', object(numbers(partOf(arena, 'small'), counts))],
    ['large', object(numbers(partOf(arena, 'large'), counts))],
    ...numbers(arena, ['mapped', 'retained', 'base', 'internal', 'metadata_thp', 'tcache_bytes']),
    ...numbers(arena, ['tcache_stashed_bytes', 'resident', 'abandoned_vm', 'extent_avail']),
    ['mutexes', mutexesJson(ARENA_MUTEXES, arena)],
    [
      'bins',
      array(
        Array.from({ length: NBINS }, (_, i) => bins.get(i) ?? NO_BIN).map((bin) =>
          object([...numbers(bin, binFields), ['mutex', mutexJson(bin['mutex'] as unknown as Row)]]),
        ),
      ),
    ],
    [
      'lextents',
      array(
        Array.from({ length: NSIZES - NBINS }, (_, i) => object(numbers(large.get(NBINS + i) ?? {}, ['curlextents']))),
      ),
    ],
    ['extents', array(Array.from({ length: NPSIZES }, (_, i) => object(numbers(extents.get(i) ?? {}, extentFields))))],
    ['sec_bytes', '0'],
    ['hpa_shard', hpaJson()],
  ]);
}

/** `stats_print_opts:J`: everything as one line of JSON. */
export function statsPrintJson(stats: AllocatorStats): string {
  const values = (scalars: Scalars) =>
    object(Object.entries(scalars).map(([name, value]) => [name, JSON.stringify(value)]));
  const arenas = stats['arena'] as readonly AllocatorStats[];
  const opt = partOf(stats, 'opt');
  const dss = String(opt['dss']);
  const bins = Array.from({ length: NBINS }, (_, i) =>
    object([
      ['size', String(INDEX_SIZE[i])],
      ['nregs', String(SLAB_REGIONS[i])],
      ['slab_size', String(SLAB_PAGES[i]! * PAGE)],
      ['nshards', '1'],
    ]),
  );
  const large = Array.from({ length: NSIZES - NBINS }, (_, i) =>
    object([['size', BigInt(INDEX_SIZE[NBINS + i]!).toString()]]),
  );
  return object([
    [
      'jemalloc',
      object([
        ['version', JSON.stringify(JEMALLOC_VERSION)],
        ['config', values(CONFIG)],
        ['opt', object(OPT.map(([name, fixed]) => [name, JSON.stringify(optOf(stats, name, fixed))]))],
        ['prof', values(PROF)],
        [
          'arenas',
          object([
            ['narenas', String(numberOf(stats, 'narenas'))],
            ['dirty_decay_ms', String(opt['dirty_decay_ms'])],
            ['muzzy_decay_ms', String(opt['muzzy_decay_ms'])],
            ['quantum', String(QUANTUM)],
            ['page', String(PAGE)],
            ['tcache_max', String(numberOf(stats, 'tcache_max'))],
            ['nbins', String(NBINS)],
            ['nhbins', String(numberOf(stats, 'nhbins'))],
            ['bin', array(bins)],
            ['nlextents', String(NSIZES - NBINS)],
            ['lextent', array(large)],
          ]),
        ],
        [
          'stats',
          object([
            ...numbers(stats, ['allocated', 'active', 'metadata', 'metadata_thp', 'resident', 'mapped', 'retained']),
            ['zero_reallocs', '0'],
            [
              'background_thread',
              object(numbers(partOf(stats, 'background_thread'), ['num_threads', 'num_runs', 'run_interval'])),
            ],
            ['mutexes', mutexesJson(GLOBAL_MUTEXES, stats)],
          ]),
        ],
        [
          'stats.arenas',
          object([
            ['merged', arenaJson(partOf(stats, 'arenas'), 'N/A', mergedUptime(arenas), true)],
            ...arenas.map(
              (arena) => [String(arena['arena']), arenaJson(arena, dss, numberOf(arena, 'uptime'), false)] as const,
            ),
          ]),
        ],
      ]),
    ],
  ]);
}

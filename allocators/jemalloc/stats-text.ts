import type { AllocatorStats } from '../../sim/contract/allocator.ts';
import { NBINS, NPSIZES, NSIZES, PAGE, QUANTUM } from './size-classes.ts';
import {
  ARENA_MUTEXES,
  byIndex,
  CONFIG,
  GLOBAL_MUTEXES,
  HPA_TITLES,
  JEMALLOC_VERSION,
  mergedUptime,
  mutexOf,
  numberOf,
  OPT,
  optOf,
  PROF,
  partOf,
  type Row,
  rowsOf,
  type Value,
} from './stats-names.ts';

const NANOSECONDS = 1e9;

const GAP = `${' '.repeat(21)}---\n`;

/** get_rate_str: x.yyy of a share up to 1. */
function utilization(used: number, available: number): string {
  if (available === 0) return '1';
  const thousandths = Math.floor((used * 1000) / available);
  return thousandths >= 1000 ? '1' : `0.${String(thousandths).padStart(3, '0')}`;
}

/** rate_per_second */
function perSecond(value: number, uptimeNs: number): number {
  if (uptimeNs === 0 || value === 0) return 0;
  return uptimeNs < NANOSECONDS ? value : Math.floor(value / Math.floor(uptimeNs / NANOSECONDS));
}

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

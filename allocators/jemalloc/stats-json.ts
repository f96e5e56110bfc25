import type { AllocatorStats } from '../../sim/contract/allocator.ts';
import { INDEX_SIZE, NBINS, NPSIZES, NSIZES, PAGE, QUANTUM, SLAB_PAGES, SLAB_REGIONS } from './size-classes.ts';
import {
  ARENA_MUTEXES,
  byIndex,
  CONFIG,
  GLOBAL_MUTEXES,
  HPA_TITLES,
  JEMALLOC_VERSION,
  mergedUptime,
  mutexOf,
  NO_BIN,
  numberOf,
  OPT,
  optOf,
  PROF,
  partOf,
  type Row,
  rowsOf,
  type Scalars,
} from './stats-names.ts';

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

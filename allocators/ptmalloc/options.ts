import { UserError } from '../../sim/contract/assert.ts';
import { MAP_HUGE_SHIFT, MAP_HUGETLB } from '../../sim/kernel/kernel.ts';
import type { OptionDescriptor, OptionValues, ProgramKind } from '../model.ts';
import { requestUnits } from './chunk.ts';
import {
  ARENA_MAX,
  ARENA_TEST,
  ARENAS_PER_CPU,
  DEFAULT_MMAP_MAX,
  DEFAULT_MMAP_THRESHOLD,
  DEFAULT_MMAP_THRESHOLD_MAX,
  DEFAULT_TOP_PAD,
  DEFAULT_TRIM_THRESHOLD,
  DOUBLES,
  HP_FLAGS,
  HP_PAGES,
  INTS,
  MAX_FAST_UNITS,
  MMAP_THRESHOLD,
  N_MMAPS_MAX,
  NO_DYN_THRESHOLD,
  type Parameters,
  PERTURB,
  TCACHE_BINS,
  TCACHE_COUNT,
  TCACHE_UNSORTED_LIMIT,
  THP_PAGES,
  TOP_PAD,
  TRIM_THRESHOLD,
  toUnsigned,
} from './parameters.ts';
import { MAX_TCACHE_BYTES } from './tcache.ts';
import type { Features } from './version.ts';

const INT_MAX = 2 ** 31 - 1;
const MAX_FAST_BYTES = 160;

/** The tunables of glibc.malloc, by their names without the prefix; MALLOC_ARENA_MAX and its like are the same ones. */
export const OPTIONS: readonly OptionDescriptor[] = [
  {
    name: 'arena_max',
    kind: 'integer',
    unit: 'arenas',
    default: 0,
    max: INT_MAX,
    about: 'most arenas there may be, the main arena included; 0: 8 for each processor',
  },
  {
    name: 'arena_test',
    kind: 'integer',
    unit: 'arenas',
    default: 8,
    min: 1,
    max: INT_MAX,
    about: 'arenas that are made before the number of processors is looked at',
  },
  {
    name: 'mmap_threshold',
    kind: 'bytes',
    unit: 'bytes',
    default: DEFAULT_MMAP_THRESHOLD,
    about: 'chunks from this size on are mappings of their own; grows with what is freed until it is set',
  },
  {
    name: 'mmap_max',
    kind: 'integer',
    unit: 'mappings',
    default: DEFAULT_MMAP_MAX,
    max: INT_MAX,
    about: 'most mapped chunks at once; setting it ends the dynamic threshold',
  },
  {
    name: 'trim_threshold',
    kind: 'bytes',
    unit: 'bytes',
    default: DEFAULT_TRIM_THRESHOLD,
    about: 'free space at the top that is given back; setting it ends the dynamic threshold',
  },
  {
    name: 'top_pad',
    kind: 'bytes',
    unit: 'bytes',
    default: DEFAULT_TOP_PAD,
    about: 'taken from the system beyond what is needed, and kept in a trim; setting it ends the dynamic threshold',
  },
  {
    name: 'mxfast',
    kind: 'bytes',
    unit: 'bytes',
    default: 128,
    max: MAX_FAST_BYTES,
    about: 'largest request that goes to a fastbin; 0: none',
  },
  {
    name: 'tcache_count',
    kind: 'integer',
    unit: 'chunks',
    default: 7,
    max: 65535,
    about: 'chunks of each size in a thread cache',
  },
  {
    name: 'tcache_max',
    kind: 'bytes',
    unit: 'bytes',
    default: MAX_TCACHE_BYTES,
    max: MAX_TCACHE_BYTES,
    about: 'largest request that a thread cache serves',
  },
  {
    name: 'tcache_unsorted_limit',
    kind: 'integer',
    unit: 'chunks',
    default: 0,
    about: 'chunks sorted into bins in one search once a chunk was cached; 0: no limit',
  },
  {
    name: 'perturb',
    kind: 'integer',
    unit: '',
    default: 0,
    max: 255,
    about: 'byte that fresh and freed blocks are filled with; 0: none',
  },
  {
    name: 'check',
    kind: 'integer',
    unit: '',
    default: 0,
    max: 3,
    about: 'without effect unless libc_malloc_debug.so is loaded, which is not modelled',
  },
  {
    name: 'hugetlb',
    versions: ['2.36', '2.41'],
    kind: 'bytes',
    unit: '',
    default: 0,
    about: '1: madvise for transparent huge pages; 2: huge pages of the default size; else: of this size in bytes',
  },
];

/** Those that are 0 unless an option says otherwise. */
const OF_OPTIONS = [NO_DYN_THRESHOLD, THP_PAGES, HP_PAGES, HP_FLAGS] as const;

const HUGE_PAGE_BYTES = 2 * 1024 * 1024;

/**
 * ptmalloc_init(): defaults, then the callback of each tunable that was given. Giving one with its default value is not the
 * same as not giving it: it ends the dynamic threshold.
 */
export function initParameters(parameters: Parameters, features: Features, given: OptionValues, thp: string): void {
  const { ints, doubles } = parameters;
  for (const place of OF_OPTIONS) ints[place] = 0;
  doubles[TRIM_THRESHOLD] = DEFAULT_TRIM_THRESHOLD;
  doubles[TOP_PAD] = DEFAULT_TOP_PAD;
  doubles[MMAP_THRESHOLD] = DEFAULT_MMAP_THRESHOLD;
  ints[N_MMAPS_MAX] = DEFAULT_MMAP_MAX;
  ints[ARENA_TEST] = 8;
  ints[TCACHE_BINS] = 64;
  ints[TCACHE_COUNT] = 7;
  setMaxFast(parameters, 128);

  const number = (name: string): number | undefined => {
    const value = given[name];
    if (value === undefined) return undefined;
    if (typeof value !== 'number')
      throw new UserError(`option '${name}' of glibc: found '${value}', expected a number`);
    return value;
  };
  const dynamic = ['top_pad', 'mmap_threshold', 'trim_threshold', 'mmap_max'] as const;
  const places = [TOP_PAD, MMAP_THRESHOLD, TRIM_THRESHOLD] as const;
  dynamic.forEach((name, i) => {
    const value = number(name);
    if (value === undefined) return;
    if (name === 'mmap_threshold' && !acceptsMmapThreshold(features, value)) return;
    if (name === 'mmap_max') ints[N_MMAPS_MAX] = value;
    else doubles[places[i]!] = value;
    ints[NO_DYN_THRESHOLD] = 1;
  });
  ints[PERTURB] = number('perturb') ?? 0;
  ints[ARENA_MAX] = number('arena_max') ?? 0;
  ints[ARENA_TEST] = number('arena_test') ?? 8;
  const tcacheMax = number('tcache_max');
  if (tcacheMax !== undefined) ints[TCACHE_BINS] = requestUnits(tcacheMax) - 1;
  ints[TCACHE_COUNT] = number('tcache_count') ?? 7;
  doubles[TCACHE_UNSORTED_LIMIT] = number('tcache_unsorted_limit') ?? 0;
  const maxFast = number('mxfast');
  if (maxFast !== undefined) setMaxFast(parameters, maxFast);

  const hugetlb = number('hugetlb') ?? 0;
  if (hugetlb !== 0 && features.hugetlb === 'none') {
    throw new UserError(`option 'hugetlb' of glibc: version ${features.version} has none`);
  }
  if (hugetlb === 1) {
    // glibc does it where the system's mode is madvise. `never` here is a process that has switched huge pages off for
    // itself, as the ground-truth replay does: the system's mode is still madvise.
    if (thp !== 'always') ints[THP_PAGES] = HUGE_PAGE_BYTES / 4096;
  } else if (hugetlb === 2 || hugetlb === HUGE_PAGE_BYTES) {
    ints[HP_PAGES] = HUGE_PAGE_BYTES / 4096;
    ints[HP_FLAGS] = MAP_HUGETLB | (Math.log2(HUGE_PAGE_BYTES) << MAP_HUGE_SHIFT);
    if (features.hugetlb === 'sets mmap_threshold' && given['mmap_threshold'] === undefined) {
      doubles[MMAP_THRESHOLD] = HUGE_PAGE_BYTES;
      ints[NO_DYN_THRESHOLD] = 1;
    }
  }
}

/**
 * malloc_par as it is after ptmalloc_init(). Each thread makes one arena, unless malloc fails in one (arena_get_retry()): a limit that
 * leaves room for all of them is no limit.
 */
export function startingState(features: Features, given: OptionValues, { thp, cpus, threads }: ProgramKind): string {
  const parameters = initialParameters(features, given, thp);
  const { ints } = parameters;
  if (threads <= (ints[ARENA_MAX] || cpus * ARENAS_PER_CPU)) ints[ARENA_MAX] = ints[ARENA_TEST] = 0;
  return `${parameters.doubles} ${parameters.ints}`;
}

const ARENA_SLOTS = 512;

/** Arenas that options and program let expect. */
export function expectedArenas(features: Features, given: OptionValues, { thp, cpus, threads }: ProgramKind): number {
  const { ints } = initialParameters(features, given, thp);
  return Math.min(
    ARENA_SLOTS,
    Math.max(cpus * ARENAS_PER_CPU, ints[ARENA_TEST]! + 1, ints[ARENA_MAX]!),
    threads + 1, // each thread makes one at most, the main thread when its own is exhausted
  );
}

/** What parts of the model take as constants, and arenas that are expected. */
export function shapeOf(features: Features, given: OptionValues, program: ProgramKind): string {
  const { ints, doubles } = initialParameters(features, given, program.thp);
  const constants = [ints[HP_PAGES], ints[THP_PAGES], doubles[TCACHE_UNSORTED_LIMIT]];
  return `${expectedArenas(features, given, program)} ${constants}`;
}

function initialParameters(features: Features, given: OptionValues, thp: string): Parameters {
  const parameters = { doubles: new Float64Array(DOUBLES), ints: new Int32Array(INTS) };
  initParameters(parameters, features, given, thp);
  return parameters;
}

/** Older versions leave the threshold as it was where the new one is above half a heap. */
function acceptsMmapThreshold(features: Features, value: number): boolean {
  return !features.limitsMmapThreshold || toUnsigned(value) <= DEFAULT_MMAP_THRESHOLD_MAX;
}

/** set_max_fast() */
export function setMaxFast(parameters: Parameters, bytes: number): void {
  parameters.ints[MAX_FAST_UNITS] = bytes <= 7 ? 1 : (bytes + 8) >>> 4;
}

/** mallopt() after the fastbins of the main arena were consolidated. Names are those of malloc.h. */
export function setParameter(parameters: Parameters, features: Features, name: string, value: number): void {
  const { ints, doubles } = parameters;
  switch (name) {
    case 'M_MXFAST':
      if (value >= 0 && value <= MAX_FAST_BYTES) setMaxFast(parameters, value);
      break;
    case 'M_TRIM_THRESHOLD':
      doubles[TRIM_THRESHOLD] = value;
      ints[NO_DYN_THRESHOLD] = 1;
      break;
    case 'M_TOP_PAD':
      doubles[TOP_PAD] = value;
      ints[NO_DYN_THRESHOLD] = 1;
      break;
    case 'M_MMAP_THRESHOLD':
      if (!acceptsMmapThreshold(features, value)) break;
      doubles[MMAP_THRESHOLD] = value;
      ints[NO_DYN_THRESHOLD] = 1;
      break;
    case 'M_MMAP_MAX':
      ints[N_MMAPS_MAX] = value;
      ints[NO_DYN_THRESHOLD] = 1;
      break;
    case 'M_PERTURB':
      ints[PERTURB] = value;
      break;
    case 'M_ARENA_TEST':
      if (value > 0) ints[ARENA_TEST] = value;
      break;
    case 'M_ARENA_MAX':
      if (value > 0) ints[ARENA_MAX] = value;
      break;
    default: // M_CHECK_ACTION and unknown names do nothing
  }
}

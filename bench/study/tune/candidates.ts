import type { OptionDescriptor, OptionValue } from '../../../allocators/model.ts';

/** Steps from the default, for what is counted or measured in bytes. */
const FACTORS = [1 / 16, 1 / 4, 1 / 2, 2, 4, 16];
/** Where the default is 0, which mostly stands for "no limit" or "off". */
const FROM_ZERO = [1, 2, 4, 8, 16, 64, 4096, 131072, 1048576];

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * What people set in production, by model, with values worth a try. Not here is what fills or checks blocks, what says
 * how the process was measured, what needs the administrator (huge pages set aside), and limits that let allocations fail.
 */
export const SETTINGS: Readonly<Record<string, Readonly<Record<string, readonly OptionValue[]>>>> = {
  glibc: {
    arena_max: [1, 2, 4, 8],
    mmap_threshold: [16 * KIB, 32 * KIB, 64 * KIB, 128 * KIB, 256 * KIB, 512 * KIB, MIB, 4 * MIB, 32 * MIB],
    trim_threshold: [64 * KIB, 128 * KIB, 256 * KIB, MIB, 16 * MIB, 64 * MIB, 256 * MIB],
    top_pad: [0, 16 * KIB, 64 * KIB, MIB, 16 * MIB, 64 * MIB],
    mxfast: [0, 64],
    tcache_count: [0, 1, 2, 16, 32, 127],
    tcache_max: [128, 256, 512],
    hugetlb: [1],
  },
  jemalloc: {
    narenas: [1, 2, 4, 8],
    dirty_decay_ms: [0, 100, 1000, 5000, 30000, -1],
    muzzy_decay_ms: [0, 1000, 10000],
    background_thread: [true],
    tcache: [false],
    tcache_max: [1024, 4096, 8192, 65536],
    lg_tcache_nslots_mul: [-2, 0, 2],
    retain: [false],
    thp: ['always', 'never'],
    percpu_arena: ['percpu'],
    lg_extent_max_active_fit: [0, 2, 4],
    oversize_threshold: [0, MIB],
  },
  zendmm: { USE_ZEND_ALLOC_HUGE_PAGES: [true], seg_size: [64 * KIB, MIB, 2 * MIB] },
};

/** For finding faults: they cost time, or change what the program sees. Never proposed, and refused where asked for. */
export const DEBUGGING: readonly string[] = ['perturb', 'check', 'junk', 'zero', 'debug', 'prof', 'USE_ZEND_ALLOC'];

/** How many arenas there are, which is nothing to a single thread. */
export const OF_THREADS: readonly string[] = ['arena_max', 'arena_test', 'narenas', 'percpu_arena'];

/** Values worth a try for an option, without the one that it has: all of a choice, steps up and down of a number. */
export function candidateValues(
  option: OptionDescriptor,
  context: { readonly version: string; readonly cpus: number },
): OptionValue[] {
  const initial = typeof option.default === 'function' ? option.default(context) : option.default;
  switch (option.kind) {
    case 'boolean':
      return [true, false].filter((v) => v !== initial);
    case 'choice':
      return option.choices!.filter((v) => v !== initial);
    case 'string':
      return [];
    default: {
      const { min = 0, max = Number.MAX_SAFE_INTEGER } = option;
      const from = Number(initial);
      const steps = from > 0 ? FACTORS.map((f) => Math.round(from * f)) : FROM_ZERO;
      // 0 is what many options take for "none".
      const values = [0, ...steps].map((v) => (option.unit === 'log2' && v > 40 ? 40 : v));
      return [...new Set(values)].filter((v) => v >= min && v <= max && v !== from);
    }
  }
}

/** Values to try by default: none for what nobody sets in production. */
export function settingValues(model: string, option: OptionDescriptor): readonly OptionValue[] {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = option;
  const values = SETTINGS[model]?.[option.name] ?? [];
  return values.filter((v) => typeof v !== 'number' || (v >= min && v <= max));
}

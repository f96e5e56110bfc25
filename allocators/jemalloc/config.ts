import { UserError } from '../../sim/contract/assert.ts';
import { PAGE_BYTES } from '../../sim/contract/units.ts';
import type { KernelOptions } from '../../sim/kernel/kernel.ts';
import type { OptionValues } from '../model.ts';
import {
  INDEX_SIZE,
  LARGE_MAXCLASS,
  LARGE_MINCLASS,
  NBINS,
  SLAB_REGIONS,
  sizeToIndex,
  sizeToUsable,
} from './size-classes.ts';

/** Everything that is settled before the first allocation: options as jemalloc resolves them. What is not `readonly` another run of a machine changes. */
export interface Config {
  readonly narenas: number;
  /** Index of the arena for oversize requests; 0 where there is none. */
  readonly hugeArena: number;
  /** Arenas that may ever exist. */
  readonly arenaSlots: number;
  readonly oversizeThreshold: number;
  readonly tcache: boolean;
  /** tcache_maxclass and the number of its bins. */
  readonly tcacheMax: number;
  readonly cacheBins: number;
  /** Bins that every thread reserves, also where fewer are used. */
  readonly reservedBins: number;
  /** ncached_max of each bin; 0 where the bin is disabled. */
  readonly slots: Uint16Array;
  readonly gcIncrementBytes: number;
  readonly gcDelayBytes: number;
  readonly flushSmallShift: number;
  readonly flushLargeShift: number;
  dirtyDecayMs: number;
  muzzyDecayMs: number;
  readonly retain: boolean;
  readonly thp: 'default' | 'always' | 'never';
  readonly systemThp: 'madvise' | 'always' | 'never';
  readonly metadataThp: 'disabled' | 'auto' | 'always';
  readonly dss: 'disabled' | 'primary' | 'secondary';
  readonly percpuArena: 'disabled' | 'percpu' | 'phycpu';
  readonly backgroundThread: boolean;
  readonly maxBackgroundThreads: number;
  readonly lgExtentMaxActiveFit: number;
  readonly zero: boolean;
  readonly junkAlloc: boolean;
  readonly junkFree: boolean;
  readonly mallctl: boolean;
  readonly tpMain: number;
  readonly tpFirst: number;
  readonly tpStep: number;
  mmapShiftBytes: number;
  readonly cpus: number;
  /** The options as given, for statistics. */
  options: OptionValues;
}

/** MALLOCX_ARENA_LIMIT */
const ARENA_LIMIT = 4095;
/** CACHE_BIN_NCACHED_MAX */
const NCACHED_MAX = 8191;

/** tcache_ncached_max_compute */
function ncachedMax(index: number, slotsMin: number, slotsMax: number, slotsLarge: number, lgMul: number): number {
  if (index >= NBINS) return slotsLarge;
  let max = Math.min(slotsMax, NCACHED_MAX);
  let min = slotsMin + (slotsMin & 1);
  max -= max & 1;
  min = Math.max(2, min);
  max = Math.max(2, max);
  min = Math.min(min, max);
  const regions = SLAB_REGIONS[index]!;
  let candidate = lgMul < 0 ? regions >> -lgMul : regions * 2 ** lgMul;
  candidate += candidate & 1;
  return Math.max(min, Math.min(candidate, max));
}

/** malloc_narenas_default. */
export const automaticArenas = (cpus: number): number => (cpus > 1 ? 4 * cpus : 1);

/** malloc_conf_init and the boot functions that follow it. */
export function resolveConfig(values: OptionValues, cpus: number, kernelThp: KernelOptions['thp']): Config {
  const number = (name: string) => values[name] as number;
  const flag = (name: string) => values[name] as boolean;
  for (const name of ['hpa', 'prof']) {
    if (flag(name)) throw new UserError(`option '${name}' of jemalloc is not modelled, expected false`);
  }

  const percpuArena = values['percpu_arena'] as Config['percpuArena'];
  let narenas = number('narenas');
  if (percpuArena !== 'disabled') {
    if (percpuArena === 'phycpu' && cpus > 1 && cpus % 2 !== 0) {
      throw new UserError(`option 'percpu_arena' of jemalloc: phycpu needs an even number of cpus, found ${cpus}`);
    }
    narenas = Math.max(narenas, percpuArena === 'phycpu' && cpus > 1 ? cpus / 2 : cpus);
  }
  if (narenas === 0) narenas = automaticArenas(cpus);
  narenas = Math.min(narenas, ARENA_LIMIT - 1);

  // arena_init_huge
  const wanted = number('oversize_threshold');
  const hugeEnabled = wanted >= LARGE_MINCLASS && wanted <= LARGE_MAXCLASS;

  const tcacheMax = sizeToUsable(number('tcache_max'));
  const cacheBins = sizeToIndex(tcacheMax) + 1;
  const slots = Uint16Array.from({ length: Math.max(cacheBins, NBINS) }, (_, i) =>
    i >= cacheBins
      ? 0
      : ncachedMax(
          i,
          number('tcache_nslots_small_min'),
          number('tcache_nslots_small_max'),
          number('tcache_nslots_large'),
          number('lg_tcache_nslots_mul'),
        ),
  );
  const junk = values['junk'] as string;
  return {
    narenas,
    hugeArena: hugeEnabled ? narenas : 0,
    arenaSlots: narenas + (hugeEnabled ? 1 : 0),
    oversizeThreshold: hugeEnabled ? wanted : Number.POSITIVE_INFINITY,
    tcache: flag('tcache'),
    tcacheMax,
    cacheBins,
    reservedBins: slots.length,
    slots,
    gcIncrementBytes: number('tcache_gc_incr_bytes'),
    gcDelayBytes: number('tcache_gc_delay_bytes'),
    flushSmallShift: number('lg_tcache_flush_small_div'),
    flushLargeShift: number('lg_tcache_flush_large_div'),
    dirtyDecayMs: number('dirty_decay_ms'),
    muzzyDecayMs: number('muzzy_decay_ms'),
    retain: flag('retain'),
    thp: values['thp'] as Config['thp'],
    systemThp: systemThpOf(values['system_thp'] as string, kernelThp),
    metadataThp: values['metadata_thp'] as Config['metadataThp'],
    dss: values['dss'] as Config['dss'],
    percpuArena,
    backgroundThread: flag('background_thread'),
    maxBackgroundThreads: number('max_background_threads'),
    lgExtentMaxActiveFit: number('lg_extent_max_active_fit'),
    zero: flag('zero'),
    junkAlloc: junk === 'true' || junk === 'alloc',
    junkFree: junk === 'true' || junk === 'free',
    mallctl: flag('mallctl'),
    tpMain: number('tp_main'),
    tpFirst: number('tp_first'),
    tpStep: number('tp_step'),
    mmapShiftBytes: shiftBytes(values),
    cpus,
    options: values,
  };
}

const shiftBytes = (options: OptionValues): number => (options['mmap_shift'] as number) * PAGE_BYTES;

/** The rest of them is of the same shape (options.ts). */
export function configure(config: Config, options: OptionValues): void {
  config.dirtyDecayMs = options['dirty_decay_ms'] as number;
  config.muzzyDecayMs = options['muzzy_decay_ms'] as number;
  config.mmapShiftBytes = shiftBytes(options);
  config.options = options;
}

/**
 * What the allocator reads of the system's huge pages. A process whose kernel gives it none (prctl) still reads what the
 * system is set to, which is madvise where nobody changed it.
 */
function systemThpOf(option: string, kernelThp: KernelOptions['thp']): Config['systemThp'] {
  if (option !== 'auto') return option as Config['systemThp'];
  return kernelThp === 'never' ? 'madvise' : kernelThp;
}

/** tcache_gc_item_delay_compute: what it returns is kept in 8 bits. */
export function gcItemDelay(config: Config, index: number): number {
  const delay = Math.floor(config.gcDelayBytes / INDEX_SIZE[index]!);
  return delay >= 256 ? 255 : delay;
}

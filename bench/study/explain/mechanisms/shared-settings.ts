import { bytes } from '../../../../sim/contract/format.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import type { Setting } from '../settings/setting.ts';

// Settings that a mechanism proposes, and that people reach for anyway or `tune` tries too.

const MIB = 1 << 20;

export const FIXED_MMAP_THRESHOLD: Setting = {
  allocator: 'glibc',
  options: { mmap_threshold: 131072 },
  about: 'fixes the threshold: every block from 128 KiB up is mapped on its own and unmapped by its free',
};
export const FIXED_TRIM_THRESHOLD: Setting = {
  allocator: 'glibc',
  options: { trim_threshold: 131072 },
  about: 'cuts the top of a heap from 128 KiB on, and fixes the mmap threshold too',
};
export const TWO_ARENAS: Setting = { allocator: 'glibc', options: { arena_max: 2 }, about: 'threads share two arenas' };
export const MAIN_ARENA_ONLY: Setting = {
  allocator: 'glibc',
  options: { arena_max: 1 },
  about: 'all threads share the main heap',
};
export const NO_TOP_PAD: Setting = {
  allocator: 'glibc',
  options: { top_pad: 0 },
  about: 'heaps grow by what is needed and no more',
};
export const BACKGROUND_THREAD: Setting = {
  allocator: 'jemalloc',
  options: { background_thread: true },
  about: 'free pages go back in time even where nobody allocates',
};
export const JEMALLOC_ONE_ARENA: Setting = {
  allocator: 'jemalloc',
  options: { narenas: 1 },
  about: 'all threads share one arena',
};

/** For jemalloc's idle pages, by more than one option. */
export const DECAY_OF_A_SECOND: Setting = {
  allocator: 'jemalloc',
  options: { background_thread: true, dirty_decay_ms: 1000, muzzy_decay_ms: 0 },
  about: 'a thread of its own returns free pages within two seconds',
};
export const PAGES_AT_ONCE: Setting = {
  allocator: 'jemalloc',
  options: { dirty_decay_ms: 0, muzzy_decay_ms: 0 },
  about: 'free pages go back at once',
};

const powerAbove = (value: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, value)));

/** What the end of a heap may hold, so that memory up to a peak never goes back. */
const keptAtEnd = (rssPeakBytes: Bytes): Bytes => Math.max(64 * MIB, 2 * powerAbove(rssPeakBytes));

/** For memory that goes back and forth: glibc's thresholds, fixed and high. */
export const highThresholds = (rssPeakBytes: Bytes): readonly Setting[] => {
  const keep = keptAtEnd(rssPeakBytes);
  return [
    {
      allocator: 'glibc',
      options: { trim_threshold: keep },
      about: `the free end of the heap stays up to ${bytes(keep)}, and blocks from 128 KiB on are mapped`,
    },
    {
      allocator: 'glibc',
      options: { mmap_threshold: 32 * MIB, trim_threshold: keep },
      about: `blocks below 32 MiB come from the heap, and its free end stays up to ${bytes(keep)}`,
    },
    {
      allocator: 'glibc',
      options: { mmap_threshold: 4 * MIB, trim_threshold: 64 * MIB },
      about: 'blocks below 4 MiB come from the heap, and its free end stays up to 64 MiB',
    },
  ];
};

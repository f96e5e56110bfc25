import type { Setting } from '../setting.ts';

// Settings that a mechanism proposes and people reach for anyway.

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

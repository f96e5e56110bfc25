import type { Setting } from '../setting.ts';

/** Settings that people reach for: tried whatever was found, none is recommended unmeasured. */
export const USUAL: readonly Setting[] = [
  {
    allocator: 'glibc',
    options: { mmap_threshold: 131072 },
    about: 'fixes the threshold: every block from 128 KiB up is mapped on its own and unmapped by its free',
  },
  {
    allocator: 'glibc',
    options: { trim_threshold: 131072 },
    about: 'cuts the top of a heap from 128 KiB on, and fixes the mmap threshold too',
  },
  { allocator: 'glibc', options: { arena_max: 2 }, about: 'threads share two arenas' },
  { allocator: 'glibc', options: { arena_max: 1 }, about: 'all threads share the main heap' },
  { allocator: 'glibc', options: { tcache_count: 0 }, about: 'no thread caches' },
  { allocator: 'glibc', options: { top_pad: 0 }, about: 'heaps grow by what is needed and no more' },
  { allocator: 'jemalloc', options: { dirty_decay_ms: 0 }, about: 'free pages go back at once' },
  {
    allocator: 'jemalloc',
    options: { background_thread: true },
    about: 'free pages go back in time even where nobody allocates',
  },
  { allocator: 'jemalloc', options: { narenas: 1 }, about: 'all threads share one arena' },
  { allocator: 'jemalloc', options: { tcache: false }, about: 'no thread caches' },
  { allocator: 'jemalloc', options: { retain: false }, about: 'extents that are not used are unmapped' },
];

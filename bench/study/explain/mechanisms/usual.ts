import type { Setting } from '../setting.ts';
import {
  BACKGROUND_THREAD,
  FIXED_MMAP_THRESHOLD,
  FIXED_TRIM_THRESHOLD,
  JEMALLOC_ONE_ARENA,
  MAIN_ARENA_ONLY,
  NO_TOP_PAD,
  TWO_ARENAS,
} from './shared-settings.ts';

/** Settings that people reach for: tried whatever was found, none is recommended unmeasured. */
export const USUAL: readonly Setting[] = [
  FIXED_MMAP_THRESHOLD,
  FIXED_TRIM_THRESHOLD,
  TWO_ARENAS,
  MAIN_ARENA_ONLY,
  { allocator: 'glibc', options: { tcache_count: 0 }, about: 'no thread caches' },
  NO_TOP_PAD,
  { allocator: 'jemalloc', options: { dirty_decay_ms: 0 }, about: 'free pages go back at once' },
  BACKGROUND_THREAD,
  JEMALLOC_ONE_ARENA,
  { allocator: 'jemalloc', options: { tcache: false }, about: 'no thread caches' },
  { allocator: 'jemalloc', options: { retain: false }, about: 'extents that are not used are unmapped' },
];

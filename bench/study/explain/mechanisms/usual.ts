import type { AllocatorSpec } from '../../../../allocators/spec.ts';
import type { Setting } from '../settings/setting.ts';
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

/** Options whose default no value stands for: to set one ends the dynamic threshold, or 0 is no number of arenas. */
const WITHOUT_VALUE: ReadonlySet<string> = new Set([
  'mmap_threshold',
  'mmap_max',
  'trim_threshold',
  'top_pad',
  'arena_max',
  'narenas',
]);

/** Each option that was given, at its default: what a program is set to may be what keeps its memory. */
export function defaultsOf({ model, options, given, below }: AllocatorSpec): Setting[] {
  const settings: Setting[] = [];
  for (const { name, default: value } of model.options) {
    if (given[name] === undefined || WITHOUT_VALUE.has(name) || typeof value === 'function') continue;
    if (value !== options[name]) {
      settings.push({
        allocator: model.name,
        options: { [name]: value },
        about: 'the default again',
      });
    }
  }
  return below ? [...settings, ...defaultsOf(below)] : settings;
}

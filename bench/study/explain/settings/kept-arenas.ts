import { automaticArenas } from '../../../../allocators/jemalloc/config.ts';
import { ARENAS_PER_CPU } from '../../../../allocators/ptmalloc/parameters.ts';
import { type AllocatorSpec, formatAllocator, parseAllocator } from '../../../../allocators/spec.ts';
import { withOption } from './setting.ts';

/**
 * The allocator of a run on `cpus` processors with as many arenas as it may have there, for a run in another order: a processor more or less changes who
 * runs beside whom, not the program's allocator.
 */
export function keepingArenas(allocator: string, cpus: number): string {
  const spec = parseAllocator(allocator, cpus);
  let kept = spec;
  for (let layer: AllocatorSpec | undefined = spec; layer; layer = layer.below) {
    const { model, options, given } = layer;
    if (model.name === 'jemalloc' && !options['narenas'] && options['percpu_arena'] === 'disabled')
      kept = withOption(kept, 'narenas', automaticArenas(cpus));
    if (model.name === 'glibc' && !options['arena_max'] && given['arena_test'] === undefined) {
      kept = withOption(kept, 'arena_max', cpus * ARENAS_PER_CPU);
    }
  }
  return formatAllocator(kept);
}

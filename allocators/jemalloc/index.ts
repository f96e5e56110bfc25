import { lazyCode } from '../lazy-code.ts';
import type { AllocatorModel } from '../model.ts';
import { JEMALLOC_OPTIONS, shapeOf } from './options.ts';

export const jemallocCode = lazyCode('jemalloc', () => import('./model.ts'));

/** jemalloc as Debian 12 ships it. */
export const jemalloc: AllocatorModel = {
  name: 'jemalloc',
  versions: ['5.3.0'],
  about: 'jemalloc with thread caches, arenas by round-robin, slabs and decay-based purging',
  options: JEMALLOC_OPTIONS,
  load: jemallocCode.load,
  create: (machine, version, options) => jemallocCode.get().createJemalloc(machine, version, options),
  shape: (_version, options) => shapeOf(options),
  layered: false,
  views: [
    {
      name: 'stats_print',
      about: 'malloc_stats_print(), as text',
      render: (allocator) => jemallocCode.get().statsPrintText(allocator.stats()),
    },
    {
      name: 'stats_print_json',
      about: 'malloc_stats_print() with the option J, as JSON',
      render: (allocator) => jemallocCode.get().statsPrintJson(allocator.stats()),
    },
    {
      name: 'overview',
      about: 'arenas, allocated beside active, cached bytes, madvise calls, and what to make of them',
      render: (allocator) => jemallocCode.get().overviewText(allocator.stats()),
    },
  ],
};

import type { Allocator, ThreadSlot } from '../../sim/contract/allocator.ts';
import { ARENAS_ALL } from '../../sim/contract/mallctl.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import type { OptionValues } from '../model.ts';
import { createThreadCaches } from './cache-state.ts';
import { checkHeap } from './check.ts';
import { configure, resolveConfig } from './config.ts';
import { createHeap } from './heap.ts';
import { createMalloc } from './malloc.ts';
import { heapStats } from './stats.ts';
import { walkAreas, walkFree, walkHeap } from './walk.ts';

/** jemalloc's calls over the parts; state lies in the machine's memory alone. */
export function createJemalloc(machine: Machine, version: string, options: OptionValues): Allocator {
  const config = resolveConfig(options, machine.cpus, machine.kernel.thp);
  const heap = createHeap(machine, config);
  const calls = createMalloc(heap);
  const { malloc, free, calloc, realloc, memalign, touchBlock, addressOf, usableSize } = calls;
  const { arenas, background, mallctl } = heap;
  return {
    name: `jemalloc-${version}`,
    malloc,
    free,
    calloc,
    realloc,
    memalign,
    touchBlock,
    ...(calls.mallocTouched && { mallocTouched: calls.mallocTouched }),
    mallocLocal: calls.mallocLocal,
    freeLocal: calls.freeLocal,
    mallocNotLocal: calls.mallocNotLocal,
    freeNotLocal: calls.freeNotLocal,
    addressOf,
    usableSize,
    configure: (next) => configure(config, next),
    threadStart: () => {}, // a thread's data is made at its first call
    threadExit: (t: ThreadSlot) => heap.threads.exit(t),
    forkChild: (t: ThreadSlot) => {
      arenas.postforkChild(t);
      background.postforkChild();
    },
    trim: () => false,
    mallopt: () => {},
    advance: (t: ThreadSlot) => background.advance(t),
    mallctl: mallctl.call,
    purge: (t: ThreadSlot) => mallctl.decay(t, ARENAS_ALL, true),
    flushCache: mallctl.flushCache,
    stats: () => heapStats(heap),
    refreshStats: () => mallctl.refresh(),
    walk: (visit) => walkHeap(heap, visit),
    walkFree: (visit) => walkFree(heap, visit, calls),
    areas: (visit) => walkAreas(heap, visit),
    ...(calls.isCached && { threadCaches: createThreadCaches(heap.state) }),
    check: () => checkHeap(heap),
    notModelled: () => [],
  };
}

export { overviewText } from './overview.ts';
export { statsPrintJson } from './stats-json.ts';
export { statsPrintText } from './stats-text.ts';

import type { Machine } from '../../sim/kernel/machine.ts';
import { createArenas } from './arena.ts';
import { type BackgroundThreads, createBackgroundThreads } from './background-thread.ts';
import { createBase } from './base.ts';
import { createBins } from './bin.ts';
import type { Config } from './config.ts';
import { createDecay } from './decay.ts';
import { createEdataCache } from './edata-cache.ts';
import { createEmap } from './emap.ts';
import { createEset } from './eset.ts';
import { createExtents } from './extent.ts';
import { createExtentHeap } from './extent-heap.ts';
import { createLarge } from './large.ts';
import { BACKGROUND_THREAD_INFO_BYTES, CACHE_BIN_INFO_BYTES } from './layout.ts';
import { createMallctl } from './mallctl.ts';
import { createPageAllocator } from './page-allocator.ts';
import { createPages } from './pages.ts';
import { createBlockPages } from './residency.ts';
import { CACHELINE } from './size-classes.ts';
import { createState, G_BACKGROUND_ENABLED, G_BOOTED, G_MAX_BACKGROUND, G_NARENAS_TOTAL } from './state.ts';
import { createTcache } from './tcache.ts';
import { createThreads } from './thread.ts';

export type Heap = ReturnType<typeof createHeap>;

/** One process's jemalloc, put together from below and initialised by the main thread, as it is before its first call. */
export function createHeap(machine: Machine, config: Config) {
  const state = createState(machine, config);
  const heap = createExtentHeap(state.extents, state.extentKeys, state.operations);
  const pages = createPages(state);
  const base = createBase(state, pages);
  const edataCache = createEdataCache(state, base, heap);
  const emap = createEmap(state, base);
  const eset = createEset(state, heap);
  const decay = createDecay(state.decayWords, state.decayJitter);
  const extents = createExtents(state, pages, edataCache, emap, eset, decay);
  const pa = createPageAllocator(state, extents, eset, decay);
  const background: BackgroundThreads = createBackgroundThreads(state, pa, decay);
  const arenas = createArenas(state, base, pa, background);
  const blockPages = createBlockPages(state);
  const bins = createBins(state, arenas, pa, heap, blockPages);
  const large = createLarge(state, arenas, pa);
  const tcache = createTcache(state, arenas, bins, large, blockPages);
  const threads = createThreads(state, arenas, bins, large, tcache);
  const mallctl = createMallctl(state, base, arenas, pa, background, {
    hasCache: threads.hasCache,
    flushAll: tcache.flushAll,
  });

  /** malloc_init_hard: false when out of memory; then no allocation ever succeeds. */
  function boot(): boolean {
    const { globals, decayDefaults } = state;
    globals[G_BACKGROUND_ENABLED] = config.backgroundThread ? 1 : 0;
    globals[G_MAX_BACKGROUND] = config.maxBackgroundThreads;
    decayDefaults[0] = config.dirtyDecayMs;
    decayDefaults[1] = config.muzzyDecayMs;
    if (!base.create(0, 0)) return false;
    const infoBytes = config.reservedBins * CACHE_BIN_INFO_BYTES;
    const info = base.alloc(0, 0, infoBytes, CACHELINE);
    base.touch(info, info + infoBytes);
    if (!arenas.create(0, 0)) return false;
    globals[G_BOOTED] = 1;
    if (!threads.boot(0)) return false;
    globals[G_NARENAS_TOTAL] = config.arenaSlots;
    const threadInfoBytes = config.maxBackgroundThreads * BACKGROUND_THREAD_INFO_BYTES;
    const threadInfo = base.alloc(0, 0, threadInfoBytes, CACHELINE);
    base.touch(threadInfo, threadInfo + threadInfoBytes);
    background.createFor(0, 0);
    return !config.mallctl || mallctl.init();
  }
  const { boots = (first) => first() } = machine;
  if (!machine.memory.attached) {
    boots(() => {
      if (!boot()) state.globals[G_BOOTED] = 0;
    });
  }

  return {
    state,
    heap,
    base,
    emap,
    eset,
    decay,
    extents,
    pa,
    background,
    blockPages,
    arenas,
    bins,
    large,
    tcache,
    threads,
    mallctl,
  };
}

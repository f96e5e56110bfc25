import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { assert } from '../../sim/contract/assert.ts';
import type { Arenas } from './arena.ts';
import type { Bins } from './bin.ts';
import type { Large } from './large.ts';
import * as structures from './layout.ts';
import * as random from './prng.ts';
import { seedPrng } from './prng.ts';
import * as classes from './size-classes.ts';
import { alignedUsable, sizeToIndex } from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';
import type { Tcache } from './tcache.ts';

/** Usable sizes for the event counters, which are 32-bit: what is larger ends any wait. */
const EVENT_BYTES: Int32Array = Int32Array.from(classes.INDEX_SIZE, (size) => Math.min(size, 2147483647));

export type Threads = ReturnType<typeof createThreads>;

/**
 * A thread's own data (tsd.c). It is made at the thread's first call: fully by an allocation; a thread that has only
 * freed so far has neither cache nor arena, and its frees go to the arenas directly.
 */
export function createThreads(state: State, arenas: Arenas, bins: Bins, large: Large, tcache: Tcache) {
  const { TSD_BELOW_THREAD_POINTER } = structures;
  const { DECAY_TICKS } = random;
  const { NBINS, PAGE, SMALL_MAXCLASS } = classes;
  const {
    E_START,
    G_BACKGROUND_ENABLED,
    G_BOOTED,
    G_THREADS,
    HANDLE_SHIFT,
    LG_EXTENT_WORDS,
    REGION_MASK,
    T_ALLOC_LEFT,
    T_ARENA,
    T_CACHE_ARENA,
    T_CACHE_BLOCK,
    T_DALLOC_LEFT,
    T_IARENA,
    T_PRNG,
    T_REENTRANT,
    T_STATE,
    T_TICKS,
    THREAD_MINIMAL,
    THREAD_NOMINAL,
    THREAD_UNINITIALIZED,
  } = tables;
  const { caches, config, extentClass, extents, globals, kernel, threadWords, slotTotal } = state;

  const threadPointer = (t: ThreadSlot) =>
    (t === 0 ? config.tpMain : config.tpFirst - (t - 1) * config.tpStep) - config.mmapShiftBytes;

  /** What tsd_data_init and tsd_data_init_nocleanup have in common: the random numbers and the event counters. */
  function reset(t: ThreadSlot): void {
    const h = t * threadWords;
    state.raise(G_THREADS, t + 1);
    if (caches[h + T_STATE] === THREAD_UNINITIALIZED) caches[h + T_TICKS] = DECAY_TICKS;
    seedPrng(caches, h + T_PRNG, threadPointer(t) - TSD_BELOW_THREAD_POINTER);
    caches[h + T_ALLOC_LEFT] = config.gcIncrementBytes;
    caches[h + T_DALLOC_LEFT] = config.gcIncrementBytes;
  }

  /** tsd_fetch for an allocating call: false when out of memory. `isBoot`: jemalloc is being initialised. */
  function fetchSlow(t: ThreadSlot, isBoot: boolean): boolean {
    if (globals[G_BOOTED] === 0) return false;
    const h = t * threadWords;
    reset(t);
    caches[h + T_STATE] = THREAD_NOMINAL;
    caches[h + T_REENTRANT] = 0;
    caches[h + T_ARENA] = 0;
    caches[h + T_IARENA] = 0;
    caches[h + T_CACHE_ARENA] = 0;
    if (!config.tcache) return true;
    // tsd_tcache_data_init: the cache's stacks are an internal block of arena 0, wherever the thread belongs.
    const usable = alignedUsable(slotTotal * 8, PAGE);
    const isSmall = usable <= SMALL_MAXCLASS;
    const sizeClass = sizeToIndex(usable);
    const block = isSmall ? bins.malloc(t, 0, sizeClass) : large.palloc(t, 0, sizeClass, PAGE, true);
    if (block === 0) {
      caches[h + T_STATE] = THREAD_UNINITIALIZED;
      return false;
    }
    arenas.addInternal(0, sizeClass, 1);
    const e = block >> HANDLE_SHIFT;
    const offset = isSmall ? ((block & REGION_MASK) * usable) / PAGE : 0;
    const page = extents[(e << LG_EXTENT_WORDS) + E_START]! + offset;
    if (isSmall) kernel.touchRange(page, page + usable / PAGE - 1);
    tcache.init(t, block, page);
    if (isBoot) arenas.associate(t, 0);
    else arenas.choose(t);
    return true;
  }

  /** Before every allocation that leaves the fast path. */
  function fetch(t: ThreadSlot): boolean {
    return caches[t * threadWords + T_STATE] === THREAD_NOMINAL || fetchSlow(t, false);
  }

  /** tsd_fetch_min: before every free that leaves the fast path. */
  function fetchMinimal(t: ThreadSlot): void {
    const h = t * threadWords;
    if (caches[h + T_STATE] !== THREAD_UNINITIALIZED) return;
    reset(t);
    caches[h + T_STATE] = THREAD_MINIMAL;
    caches[h + T_REENTRANT] = 1;
  }

  /** Whether the thread's frees and allocations go through a cache. */
  function hasCache(t: ThreadSlot): boolean {
    return config.tcache && caches[t * threadWords + T_STATE] === THREAD_NOMINAL;
  }

  /** tsd_cleanup: the thread leaves its arenas, and its cache goes; an arena without threads gives up its pages. */
  function exit(t: ThreadSlot): void {
    const h = t * threadWords;
    const a = caches[h + T_CACHE_ARENA]! - 1;
    assert(a >= 0 || !hasCache(t), 'a thread exits that a fork has left in the parent');
    arenas.unbind(t);
    if (hasCache(t)) {
      tcache.flushAll(t); // tcache_destroy
      arenas.dissociate(t, a);
      const block = caches[h + T_CACHE_BLOCK]!;
      const e = block >> HANDLE_SHIFT;
      arenas.addInternal(0, extentClass[e]!, -1);
      if (extentClass[e]! < NBINS) bins.dalloc(t, block);
      else large.dalloc(t, e);
      arenas.decayNow(t, 0, false, false);
      arenas.decayNow(t, a, false, arenas.nthreads(a) === 0 && globals[G_BACKGROUND_ENABLED] === 0);
    }
    caches.fill(0, h, h + threadWords);
  }

  /** thread_alloc_event and thread_dalloc_event: every so many bytes the cache's collector looks at one bin. */
  function event(t: ThreadSlot, counter: number, sizeClass: number): void {
    const p = t * threadWords + counter;
    const left = caches[p]! - EVENT_BYTES[sizeClass]!;
    if (left > 0) {
      caches[p] = left;
      return;
    }
    caches[p] = config.gcIncrementBytes;
    if (hasCache(t)) tcache.event(t);
  }

  return {
    boot: (t: ThreadSlot) => fetchSlow(t, true),
    fetch,
    fetchMinimal,
    hasCache,
    exit,
    allocEvent: (t: ThreadSlot, sizeClass: number): void => event(t, T_ALLOC_LEFT, sizeClass),
    dallocEvent: (t: ThreadSlot, sizeClass: number): void => event(t, T_DALLOC_LEFT, sizeClass),
    threadPointer,
  };
}

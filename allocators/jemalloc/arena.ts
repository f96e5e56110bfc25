import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { createArenaChoice } from './arena-choice.ts';
import type { BackgroundThreads } from './background-thread.ts';
import type { Base } from './base.ts';
import { GROW_FIRST } from './extent.ts';
import * as structures from './layout.ts';
import type { PageAllocator } from './page-allocator.ts';
import { geometricTicks } from './prng.ts';
import * as classes from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';

export type Arenas = ReturnType<typeof createArenas>;

/** Arenas (arena.c): their creation, when they look at decay, what they count; the choice lies in arena-choice.ts. */
export function createArenas(state: State, base: Base, pa: PageAllocator, background: BackgroundThreads) {
  const { ARENA_BYTES, ARENA_LARGE_STATS, ARENA_LARGE_STATS_BYTES, ARENA_WRITTEN, BIN_BYTES } = structures;
  const { CACHELINE, INDEX_SIZE, NBINS } = classes;
  const {
    AC_ADDRESS,
    AC_CREATED,
    ARENA_COUNTERS,
    ARENA_WORDS,
    A_GROW_NEXT,
    A_INITIALIZED,
    A_INTERNAL,
    A_NTHREADS,
    G_NARENAS_TOTAL,
    LARGE_CLASSES,
    LARGE_COUNTERS,
    LC_NDALLOC,
    LC_NFLUSHES,
    LC_NMALLOC,
    LC_NREQUESTS,
    STATE_DIRTY,
    STATE_MUZZY,
    T_PRNG,
    T_TICKS,
  } = tables;
  const {
    arenas,
    arenaCounters,
    caches,
    globals,
    kernel,
    largeCounters,
    lock,
    unlock,
    threadWords,
    arenasLock,
    fetchAdd,
    config,
  } = state;
  const { hugeArena } = config;

  const isInitialized = (a: number) => arenas[a * ARENA_WORDS + A_INITIALIZED] !== 0;

  /** arena_new: false when out of memory. */
  function create(t: ThreadSlot, a: number): boolean {
    if (a !== 0 && !base.create(t, a)) return false;
    const address = base.alloc(t, a, ARENA_BYTES + NBINS * BIN_BYTES, CACHELINE);
    if (address === 0) return false;
    for (const [from, to] of ARENA_WRITTEN) base.touch(address + from, address + to);
    base.touch(address + ARENA_BYTES, address + ARENA_BYTES + NBINS * BIN_BYTES);
    const w = a * ARENA_WORDS;
    const c = a * ARENA_COUNTERS;
    arenaCounters[c + AC_ADDRESS] = address;
    arenaCounters[c + AC_CREATED] = kernel.nowNs();
    arenas[w + A_GROW_NEXT] = GROW_FIRST;
    pa.init(a, kernel.nowNs());
    arenas[w + A_INITIALIZED] = 1;
    if (a >= globals[G_NARENAS_TOTAL]!) globals[G_NARENAS_TOTAL] = a + 1;
    return true;
  }

  /** arena_get with init_if_missing: whether arena `a` exists now. */
  function ensure(t: ThreadSlot, a: number): boolean {
    if (isInitialized(a)) return true;
    lock(t, arenasLock);
    const ok = isInitialized(a) || create(t, a);
    unlock(t, arenasLock);
    if (ok && a !== hugeArena) background.createFor(t, a);
    return ok;
  }

  // --------------------------------------------------------------------------------------------------------- decay

  /** arena_decay_impl: true where another thread is at it. */
  function decayOne(t: ThreadSlot, a: number, which: number, isBackground: boolean, all: boolean): boolean {
    if (all) {
      pa.decayAll(t, a, which);
      return false;
    }
    return background.maybeDecay(t, a, which, isBackground);
  }

  /** arena_decay: looks whether pages are due, or purges all of them. */
  function decayNow(t: ThreadSlot, a: number, isBackground: boolean, all: boolean): void {
    if (decayOne(t, a, STATE_DIRTY, isBackground, all)) return;
    if (!pa.dontDecayMuzzy(a)) decayOne(t, a, STATE_MUZZY, isBackground, all);
  }

  /** arena_decay_ticks: arena operations are counted, and every thousandth, in the mean, looks at decay. */
  function decayTicks(t: ThreadSlot, a: number, count: number): void {
    const h = t * threadWords;
    const left = caches[h + T_TICKS]! - count;
    caches[h + T_TICKS] = left;
    if (left < 0) {
      caches[h + T_TICKS] = geometricTicks(caches, h + T_PRNG);
      decayNow(t, a, false, false);
    }
  }

  /** arena_handle_deferred_work: after pages became dirty. */
  function handleDeferredWork(t: ThreadSlot, a: number): void {
    if (pa.decaysImmediately(a)) decayOne(t, a, STATE_DIRTY, false, true);
    background.inactivityCheck(t, a);
  }

  // ---------------------------------------------------------------------------------------------------- statistics

  /** arena_large_malloc_stats_update and its kin: a large class's counters lie in the arena, untouched until used. */
  function countLarge(a: number, sizeClass: number, counter: number): void {
    const index = sizeClass - NBINS;
    const p = (a * LARGE_CLASSES + index) * LARGE_COUNTERS + counter;
    if (fetchAdd(largeCounters, p, 1) !== 0) return;
    const address =
      arenaCounters[a * ARENA_COUNTERS + AC_ADDRESS]! + ARENA_LARGE_STATS + index * ARENA_LARGE_STATS_BYTES;
    base.touch(address, address + ARENA_LARGE_STATS_BYTES);
  }

  /** arena_stats_large_flush_nrequests_add */
  function addLargeRequests(a: number, sizeClass: number, requests: number): void {
    const p = (a * LARGE_CLASSES + sizeClass - NBINS) * LARGE_COUNTERS;
    fetchAdd(largeCounters, p + LC_NREQUESTS, requests);
    countLarge(a, sizeClass, LC_NFLUSHES);
  }

  const choice = createArenaChoice(state, pa, background, {
    isInitialized,
    create,
    ensure,
    decayNow,
    addLargeRequests,
  });

  return {
    create,
    ensure,
    isInitialized,
    ...choice,
    decayNow,
    decayTicks,
    handleDeferredWork,
    nthreads: (a: number) => arenas[a * ARENA_WORDS + A_NTHREADS]!,
    countLargeMalloc: (a: number, sizeClass: number): void => countLarge(a, sizeClass, LC_NMALLOC),
    countLargeDalloc: (a: number, sizeClass: number): void => countLarge(a, sizeClass, LC_NDALLOC),
    addLargeRequests,
    /** arena_internal_add, with a minus arena_internal_sub. */
    addInternal: (a: number, sizeClass: number, sign: number): void => {
      fetchAdd(arenas, a * ARENA_WORDS + A_INTERNAL, sign * INDEX_SIZE[sizeClass]!);
    },
  };
}

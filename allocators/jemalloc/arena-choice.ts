import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { AllocatorAbort } from '../../sim/contract/assert.ts';
import type { BackgroundThreads } from './background-thread.ts';
import type { PageAllocator } from './page-allocator.ts';
import * as classes from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';

/** What the choice of an arena needs of the arenas themselves. */
interface OwnArenas {
  isInitialized(a: number): boolean;
  create(t: ThreadSlot, a: number): boolean;
  ensure(t: ThreadSlot, a: number): boolean;
  decayNow(t: ThreadSlot, a: number, isBackground: boolean, all: boolean): void;
  addLargeRequests(a: number, sizeClass: number, requests: number): void;
}

/** Which thread uses which arena (arena_choose and its kin in jemalloc.c and jemalloc_internal_inlines_b.h). */
export function createArenaChoice(state: State, pa: PageAllocator, background: BackgroundThreads, own: OwnArenas) {
  const { NBINS } = classes;
  const {
    A_LAST_THREAD,
    A_NTHREADS,
    A_NTHREADS_INTERNAL,
    ARENA_LOCKS,
    ARENA_WORDS,
    BC_NREQUESTS,
    BIN_COUNTERS,
    C_REQUESTS,
    G_NARENAS_TOTAL,
    G_THREADS,
    LG_CACHE_BIN_WORDS,
    LOCK_BINS,
    LOCK_TCACHE_LIST,
    STATE_DIRTY,
    STATE_MUZZY,
    T_ARENA,
    T_CACHE_ARENA,
    T_IARENA,
    T_REENTRANT,
    T_STATE,
    THREAD_HEADER_WORDS,
    THREAD_NOMINAL,
  } = tables;
  const {
    arenas,
    caches,
    config,
    decayDefaults,
    globals,
    lock,
    unlock,
    threadWords,
    arenaLocks,
    arenasLock,
    binCounters,
    fetchAdd,
  } = state;
  const { narenas, hugeArena, percpuArena, cpus } = config;
  const { isInitialized, create, ensure, decayNow, addLargeRequests } = own;

  /** arena_bind */
  function bind(t: ThreadSlot, a: number, isInternal: boolean): void {
    fetchAdd(arenas, a * ARENA_WORDS + (isInternal ? A_NTHREADS_INTERNAL : A_NTHREADS), 1);
    caches[t * threadWords + (isInternal ? T_IARENA : T_ARENA)] = a + 1;
  }

  /** arena_unbind, as a thread's end does it for both of its arenas. */
  function unbind(t: ThreadSlot): void {
    const h = t * threadWords;
    const internal = caches[h + T_IARENA]! - 1;
    if (internal >= 0) fetchAdd(arenas, internal * ARENA_WORDS + A_NTHREADS_INTERNAL, -1);
    caches[h + T_IARENA] = 0;
    const a = caches[h + T_ARENA]! - 1;
    if (a >= 0) fetchAdd(arenas, a * ARENA_WORDS + A_NTHREADS, -1);
    caches[h + T_ARENA] = 0;
  }

  /** arena_postfork_child: of the threads `t` alone is left, and bound where it was; what the others cached stays there. */
  function postforkChild(t: ThreadSlot): void {
    for (let a = 0; a < globals[G_NARENAS_TOTAL]!; a++) {
      arenas[a * ARENA_WORDS + A_NTHREADS] = 0;
      arenas[a * ARENA_WORDS + A_NTHREADS_INTERNAL] = 0;
    }
    for (let other = 0; other < globals[G_THREADS]!; other++) {
      const h = other * threadWords;
      if (other !== t) for (const field of [T_ARENA, T_IARENA, T_CACHE_ARENA]) caches[h + field] = 0;
    }
    const chosen = caches[t * threadWords + T_ARENA]! - 1;
    const internal = caches[t * threadWords + T_IARENA]! - 1;
    if (chosen >= 0) arenas[chosen * ARENA_WORDS + A_NTHREADS] = 1;
    if (internal >= 0) arenas[internal * ARENA_WORDS + A_NTHREADS_INTERNAL] = 1;
  }

  /** percpu_arena_choose; the simulated thread runs on processor slot modulo number. */
  function percpuChoose(t: ThreadSlot): number {
    const cpu = t % cpus;
    if (percpuArena === 'phycpu' && cpu >= cpus / 2) return cpu - cpus / 2;
    return cpu;
  }

  /** arena_choose_hard: the first arena with fewest threads; a new one while all that exist are in use. */
  function chooseHard(t: ThreadSlot): number {
    if (percpuArena !== 'disabled') {
      const a = percpuChoose(t);
      if (!ensure(t, a)) return -1;
      bind(t, a, false);
      bind(t, a, true);
      return a;
    }
    if (narenas === 1) {
      bind(t, 0, false);
      bind(t, 0, true);
      return 0;
    }
    let firstNull = narenas;
    const choose = [0, 0]; // for the program, for internal use
    const isNew = [false, false];
    lock(t, arenasLock);
    for (let i = 1; i < narenas; i++) {
      if (isInitialized(i)) {
        for (let j = 0; j < 2; j++) {
          const field = j === 0 ? A_NTHREADS : A_NTHREADS_INTERNAL;
          if (arenas[i * ARENA_WORDS + field]! < arenas[choose[j]! * ARENA_WORDS + field]!) choose[j] = i;
        }
      } else if (firstNull === narenas) {
        firstNull = i;
      }
    }
    for (let j = 0; j < 2; j++) {
      const field = j === 0 ? A_NTHREADS : A_NTHREADS_INTERNAL;
      if (arenas[choose[j]! * ARENA_WORDS + field] !== 0 && firstNull !== narenas) {
        choose[j] = firstNull;
        if (!isInitialized(firstNull) && !create(t, firstNull)) {
          unlock(t, arenasLock);
          return -1;
        }
        isNew[j] = true;
      }
      bind(t, choose[j]!, j === 1);
    }
    unlock(t, arenasLock);
    for (let j = 0; j < 2; j++) if (isNew[j]) background.createFor(t, choose[j]!);
    return choose[0]!;
  }

  /**
   * arena_choose: the thread's arena, bound at its first need; -1 when out of memory. A cache that is filled from another
   * arena (arena 0, of the thread that initialised jemalloc) moves over.
   */
  function choose(t: ThreadSlot): number {
    const h = t * threadWords;
    if (caches[h + T_REENTRANT] !== 0) return 0;
    let a = caches[h + T_ARENA]! - 1;
    if (a < 0) {
      a = chooseHard(t);
      if (hasCache(t)) {
        // arena_choose_impl hands a NULL arena on to tcache_arena_associate, which locks a mutex in it.
        if (a < 0) throw new AllocatorAbort('Segmentation fault');
        associate(t, a);
      }
      if (a < 0) return -1;
    }
    if (percpuArena !== 'disabled' && arenas[a * ARENA_WORDS + A_LAST_THREAD] !== t + 1) {
      const wanted = percpuChoose(t);
      if (wanted !== a && ensure(t, wanted)) {
        migrate(t, a, wanted);
        a = wanted;
      }
      arenas[a * ARENA_WORDS + A_LAST_THREAD] = t + 1;
    }
    return a;
  }

  /** tcache_available */
  function hasCache(t: ThreadSlot): boolean {
    return config.tcache && caches[t * threadWords + T_STATE] === THREAD_NOMINAL;
  }

  /** percpu_arena_update with arena_migrate */
  function migrate(t: ThreadSlot, from: number, to: number): void {
    fetchAdd(arenas, from * ARENA_WORDS + A_NTHREADS, -1);
    fetchAdd(arenas, to * ARENA_WORDS + A_NTHREADS, 1);
    caches[t * threadWords + T_ARENA] = to + 1;
    if (arenas[from * ARENA_WORDS + A_NTHREADS] === 0) decayNow(t, from, false, true);
    if (hasCache(t)) associate(t, to);
  }

  /** tcache_arena_associate; the list of an arena's caches is the set of threads that name it. */
  function associate(t: ThreadSlot, a: number): void {
    const h = t * threadWords;
    const old = caches[h + T_CACHE_ARENA]! - 1;
    if (old === a) return;
    if (old >= 0) dissociate(t, old);
    const id = arenaLocks[a * ARENA_LOCKS + LOCK_TCACHE_LIST]!;
    lock(t, id);
    caches[h + T_CACHE_ARENA] = a + 1;
    unlock(t, id);
  }

  /** tcache_arena_dissociate with tcache_stats_merge */
  function dissociate(t: ThreadSlot, a: number): void {
    const h = t * threadWords;
    lock(t, arenaLocks[a * ARENA_LOCKS + LOCK_TCACHE_LIST]!);
    caches[h + T_CACHE_ARENA] = 0;
    for (let i = 0; i < config.cacheBins; i++) {
      const p = h + THREAD_HEADER_WORDS + (i << LG_CACHE_BIN_WORDS) + C_REQUESTS;
      if (i < NBINS) {
        lock(t, arenaLocks[a * ARENA_LOCKS + LOCK_BINS + i]!);
        binCounters[(a * NBINS + i) * BIN_COUNTERS + BC_NREQUESTS]! += caches[p]!;
        unlock(t, arenaLocks[a * ARENA_LOCKS + LOCK_BINS + i]!);
      } else {
        addLargeRequests(a, i, caches[p]!);
      }
      caches[p] = 0;
    }
    unlock(t, arenaLocks[a * ARENA_LOCKS + LOCK_TCACHE_LIST]!);
  }

  /** arena_choose_maybe_huge */
  function chooseMaybeHuge(t: ThreadSlot, size: number): number {
    return size >= config.oversizeThreshold ? chooseHuge(t) : choose(t);
  }

  /** arena_choose_huge: made on demand, and told to purge at once. */
  function chooseHuge(t: ThreadSlot): number {
    if (!isInitialized(hugeArena)) {
      if (!ensure(t, hugeArena)) return -1;
      const eagerness = background.eagerness();
      if (decayDefaults[0]! > 0) pa.setDecayMs(t, hugeArena, STATE_DIRTY, 0, eagerness);
      if (decayDefaults[1]! > 0) pa.setDecayMs(t, hugeArena, STATE_MUZZY, 0, eagerness);
    }
    return hugeArena;
  }

  return { choose, chooseMaybeHuge, unbind, postforkChild, associate, dissociate };
}

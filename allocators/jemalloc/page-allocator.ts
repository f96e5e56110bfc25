import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import * as counters from '../../sim/contract/operations.ts';
import type { Ns, Pages } from '../../sim/contract/units.ts';
import type { Decay } from './decay.ts';
import type { Eset } from './eset.ts';
import type { Extents } from './extent.ts';
import * as structures from './layout.ts';
import * as classes from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';

/** pac_purge_eagerness_t */
export const PURGE_ALWAYS = 0;
export const PURGE_NEVER = 1;
export const PURGE_ON_EPOCH_ADVANCE = 2;

export type PageAllocator = ReturnType<typeof createPageAllocator>;

/**
 * Pages for one arena (pa.c, pac.c): the order in which dirty, muzzy and retained extents are tried, and the purging of
 * what has been unused for long. Decay number 2 a is the dirty one of arena a, 2 a + 1 the muzzy one.
 */
export function createPageAllocator(state: State, ext: Extents, eset: Eset, decay: Decay) {
  const { OP_SLOW_CALLS } = counters;
  const { ARENA_DECAY_DIRTY, ARENA_DECAY_MUZZY } = structures;
  const { NSIZES } = classes;
  const {
    A_MAPPED,
    AC_ADDRESS,
    AC_DIRTY_NPURGE,
    AC_MUZZY_NPURGE,
    ARENA_COUNTERS,
    ARENA_LOCKS,
    ARENA_WORDS,
    E_FLAGS,
    E_OFFSET,
    E_PAGES,
    E_YOUNGER,
    FLAG_SLAB,
    LG_EXTENT_WORDS,
    LOCK_DECAY_DIRTY,
    STATE_DIRTY,
    STATE_MUZZY,
  } = tables;
  const {
    arenas,
    arenaCounters,
    config,
    extentClass,
    extents,
    freeClass,
    operations,
    tracksPages,
    lock,
    tryLock,
    unlock,
  } = state;
  const { arenaLocks, fetchAdd } = state;
  const { cacheBins } = config;

  /** pac_may_have_muzzy */
  const mayHaveMuzzy = (a: number) => decay.timeMs(a * 2 + 1) !== 0;

  /** No region of a new slab is in the program's hands; what it asks of a large block, it has yet to write. */
  function setClass(e: number, sizeClass: number, isSlab: boolean): void {
    extentClass[e] = sizeClass;
    if (tracksPages) freeClass[e] = isSlab && sizeClass < cacheBins ? sizeClass : NSIZES;
  }

  /** pa_alloc with pac_alloc_real: an active extent of `pages`, or 0. */
  function alloc(
    t: ThreadSlot,
    a: number,
    pages: Pages,
    alignment: Pages,
    isSlab: boolean,
    sizeClass: number,
    zeroed: boolean,
  ): number {
    operations[OP_SLOW_CALLS]!++;
    let e = ext.recycle(t, a, STATE_DIRTY, 0, pages, alignment, zeroed);
    if (e === 0 && mayHaveMuzzy(a)) e = ext.recycle(t, a, STATE_MUZZY, 0, pages, alignment, zeroed);
    if (e === 0) {
      e = ext.allocGrow(t, a, 0, pages, alignment, zeroed);
      if (e === 0) return 0;
      fetchAdd(arenas, a * ARENA_WORDS + A_MAPPED, pages);
    }
    setClass(e, sizeClass, isSlab);
    if (isSlab) extents[(e << LG_EXTENT_WORDS) + E_FLAGS]! |= FLAG_SLAB;
    return e;
  }

  /** pa_expand with pac_expand_impl: whether `e` has grown in place to `pages`. */
  function expand(t: ThreadSlot, a: number, e: number, pages: Pages, sizeClass: number, zeroed: boolean): boolean {
    const added = pages - extents[(e << LG_EXTENT_WORDS) + E_PAGES]!;
    let mapped = 0;
    let trail = ext.recycle(t, a, STATE_DIRTY, e, added, 1, zeroed);
    if (trail === 0) trail = ext.recycle(t, a, STATE_MUZZY, e, added, 1, zeroed);
    if (trail === 0) {
      trail = ext.allocGrow(t, a, e, added, 1, zeroed);
      mapped = added;
    }
    if (trail === 0) return false;
    if (!ext.merge(t, a, e, trail)) {
      ext.dallocWrapper(t, a, trail);
      return false;
    }
    fetchAdd(arenas, a * ARENA_WORDS + A_MAPPED, mapped);
    setClass(e, sizeClass, false);
    return true;
  }

  /** pa_shrink with pac_shrink_impl: whether `e` was cut to `pages`; the rest is dirty. */
  function shrink(t: ThreadSlot, a: number, e: number, pages: Pages, sizeClass: number): boolean {
    const trail = ext.split(t, a, e, pages);
    if (trail === 0) return false;
    ext.dalloc(t, a, trail, STATE_DIRTY);
    setClass(e, sizeClass, false);
    return true;
  }

  /** pa_dalloc with pac_dalloc_impl: the extent becomes dirty. */
  function dalloc(t: ThreadSlot, a: number, e: number): void {
    const p = e << LG_EXTENT_WORDS;
    extentClass[e] = NSIZES;
    extents[p + E_FLAGS]! &= ~FLAG_SLAB;
    extents[p + E_OFFSET] = 0;
    ext.dalloc(t, a, e, STATE_DIRTY);
  }

  // ------------------------------------------------------------------------------------------------------ purging

  /** pac_stash_decayed: takes old extents out, into a list through E_YOUNGER; its first, or 0. */
  let stashedPages = 0;
  function stashDecayed(t: ThreadSlot, a: number, which: number, keep: Pages, most: Pages): number {
    let first = 0;
    let last = 0;
    stashedPages = 0;
    while (stashedPages < most) {
      const e = ext.evict(t, a, which, keep);
      if (e === 0) break;
      extents[(e << LG_EXTENT_WORDS) + E_YOUNGER] = 0;
      if (last === 0) first = e;
      else extents[(last << LG_EXTENT_WORDS) + E_YOUNGER] = e;
      last = e;
      stashedPages += extents[(e << LG_EXTENT_WORDS) + E_PAGES]!;
    }
    return first;
  }

  /** pac_decay_stashed: one madvise an extent: dirty ones to muzzy where there is that state, else to retained. */
  function decayStashed(t: ThreadSlot, a: number, which: number, first: number, isFull: boolean): void {
    const toMuzzy = which === STATE_DIRTY && !isFull && mayHaveMuzzy(a);
    let calls = 0;
    let purged = 0;
    let unmapped = 0;
    for (let e = first; e !== 0; ) {
      const p = e << LG_EXTENT_WORDS;
      const next = extents[p + E_YOUNGER]!;
      const pages = extents[p + E_PAGES]!;
      calls++;
      purged += pages;
      if (toMuzzy && !ext.purgeLazy(t, e)) {
        ext.dalloc(t, a, e, STATE_MUZZY);
      } else {
        ext.dallocWrapper(t, a, e);
        unmapped += pages;
      }
      e = next;
    }
    const c = a * ARENA_COUNTERS;
    const stats = c + (which === STATE_DIRTY ? AC_DIRTY_NPURGE : AC_MUZZY_NPURGE);
    arenaCounters[stats]! += 1;
    arenaCounters[stats + 1]! += calls;
    arenaCounters[stats + 2]! += purged;
    fetchAdd(arenas, a * ARENA_WORDS + A_MAPPED, -unmapped);
  }

  const decayOf = (a: number, which: number) => a * 2 + which - STATE_DIRTY;
  const lockOf = (a: number, which: number) => arenaLocks[a * ARENA_LOCKS + LOCK_DECAY_DIRTY + which - STATE_DIRTY]!;
  const npages = (a: number, which: number) => eset.npages(which === STATE_DIRTY ? ext.dirtySet(a) : ext.muzzySet(a));

  /** pac_decay_to_limit: purges down to `keep` pages, at most `most` of them. Called with the decay's lock. */
  function decayToLimit(t: ThreadSlot, a: number, which: number, keep: Pages, most: Pages, isFull: boolean): void {
    const d = decayOf(a, which);
    if (most === 0 || decay.isPurging(d)) return;
    decay.setPurging(d, true);
    unlock(t, lockOf(a, which));
    const first = stashDecayed(t, a, which, keep, most);
    if (stashedPages !== 0) decayStashed(t, a, which, first, isFull);
    lock(t, lockOf(a, which));
    decay.setPurging(d, false);
  }

  /** pac_maybe_decay_purge: whether an epoch ended. Called with the decay's lock. */
  function maybeDecayPurge(t: ThreadSlot, a: number, which: number, eagerness: number): boolean {
    const d = decayOf(a, which);
    const timeMs = decay.timeMs(d);
    if (timeMs <= 0) {
      if (timeMs === 0) decayToLimit(t, a, which, 0, npages(a, which), false);
      return false;
    }
    const current = npages(a, which);
    const hasAdvanced = decay.maybeAdvanceEpoch(d, state.nowNs(), current);
    if (eagerness === PURGE_ALWAYS || (hasAdvanced && eagerness === PURGE_ON_EPOCH_ADVANCE)) {
      const limit = decay.limit(d);
      if (current > limit) decayToLimit(t, a, which, limit, current - limit, false);
    }
    return hasAdvanced;
  }

  /** decay_init of both, as pac_init does. */
  function init(a: number, now: Ns): void {
    const address = arenaCounters[a * ARENA_COUNTERS + AC_ADDRESS]!;
    decay.reinit(a * 2, now, state.decayDefaults[0]!, state.realAddress(address) + ARENA_DECAY_DIRTY);
    decay.reinit(a * 2 + 1, now, state.decayDefaults[1]!, state.realAddress(address) + ARENA_DECAY_MUZZY);
  }

  /** pac_decay_ms_set */
  function setDecayMs(t: ThreadSlot, a: number, which: number, timeMs: number, eagerness: number): void {
    const id = lockOf(a, which);
    const address = state.realAddress(arenaCounters[a * ARENA_COUNTERS + AC_ADDRESS]!);
    lock(t, id);
    const offset = which === STATE_DIRTY ? ARENA_DECAY_DIRTY : ARENA_DECAY_MUZZY;
    decay.reinit(decayOf(a, which), state.nowNs(), timeMs, address + offset);
    maybeDecayPurge(t, a, which, eagerness);
    unlock(t, id);
  }

  /** pac_decay_all, with its lock taken: everything goes. */
  function decayAll(t: ThreadSlot, a: number, which: number): void {
    const id = lockOf(a, which);
    lock(t, id);
    decayToLimit(t, a, which, 0, npages(a, which), true);
    unlock(t, id);
  }

  return {
    alloc,
    expand,
    shrink,
    dalloc,
    init,
    setDecayMs,
    decayAll,
    maybeDecayPurge,
    tryLockDecay: (t: ThreadSlot, a: number, which: number) => tryLock(t, lockOf(a, which)),
    unlockDecay: (t: ThreadSlot, a: number, which: number): void => unlock(t, lockOf(a, which)),
    decayOf,
    npages,
    /** decay_immediately, of dirty pages. */
    decaysImmediately: (a: number) => decay.timeMs(a * 2) === 0,
    /** pa_shard_dont_decay_muzzy */
    dontDecayMuzzy: (a: number) => npages(a, STATE_MUZZY) === 0 && decay.timeMs(a * 2 + 1) <= 0,
  };
}

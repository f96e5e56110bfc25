import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Pages } from '../../sim/contract/units.ts';
import * as places from '../../sim/kernel/layout.ts';
import type { Decay } from './decay.ts';
import type { EdataCache } from './edata-cache.ts';
import type { Emap } from './emap.ts';
import type { Eset } from './eset.ts';
import type { ExtentMerging } from './extent-merging.ts';
import type { PageCalls } from './pages.ts';
import * as classes from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';

const LARGE_MIN_PAGES = classes.LARGE_MINCLASS / classes.PAGE;
const OVERSIZE_THRESHOLD_DEFAULT = 8 * 2 ** 20;

export type ExtentRecycling = ReturnType<typeof createExtentRecycling>;

/**
 * Unused extents taken and given back (extent.c: extent_recycle, extent_record, extent_dalloc_wrapper; the ecache
 * functions over them). A function that returns an extent returns 0 when there is none.
 */
export function createExtentRecycling(
  state: State,
  pages: PageCalls,
  edataCache: EdataCache,
  emap: Emap,
  eset: Eset,
  decay: Decay,
  merging: ExtentMerging,
) {
  const { MMAP_BOTTOM_PAGE } = places;
  const { PAGE } = classes;
  const {
    A_MAPPED,
    AC_ABANDONED,
    AC_DIRTY_NPURGE,
    ARENA_COUNTERS,
    ARENA_LOCKS,
    ARENA_WORDS,
    E_FLAGS,
    E_OFFSET,
    E_PAGES,
    E_START,
    E_STATE,
    FLAG_HEAD,
    FLAG_ZEROED,
    LG_EXTENT_WORDS,
    LOCK_EXTENTS_DIRTY,
    STATE_ABANDONED,
    STATE_ACTIVE,
    STATE_DIRTY,
    STATE_RETAINED,
  } = tables;
  const { arenas, arenaCounters, arenaLocks, config, extents, fetchAdd, kernel, lock, unlock, nowNs } = state;
  const { setOf, delaysCoalescing, split, neighbor, tryCoalesce, hasCoalesced } = merging;
  const { retain } = config;

  const lockOf = (a: number, which: number) => arenaLocks[a * ARENA_LOCKS + LOCK_EXTENTS_DIRTY + which - STATE_DIRTY]!;

  /** extent_deactivate_locked */
  function deactivate(a: number, e: number, which: number): void {
    extents[(e << LG_EXTENT_WORDS) + E_STATE] = which;
    eset.insert(setOf(a, which), e);
  }

  /** extent_activate_locked */
  function activate(a: number, e: number, which: number): void {
    eset.remove(setOf(a, which), e);
    extents[(e << LG_EXTENT_WORDS) + E_STATE] = STATE_ACTIVE;
  }

  /** extent_recycle_extract: takes out the extent that follows `expand`, or one that has room. */
  function recycleExtract(a: number, which: number, expand: number, count: Pages, alignment: Pages): number {
    let e: number;
    if (expand !== 0) {
      e = neighbor(a, expand, which, true);
      if (e !== 0 && extents[(e << LG_EXTENT_WORDS) + E_PAGES]! < count) e = 0;
    } else {
      // A dirty extent is not broken for a much smaller request: with delayed coalescing it would not be whole again.
      e = eset.fit(setOf(a, which), count, alignment, delaysCoalescing(which));
    }
    if (e !== 0) activate(a, e, which);
    return e;
  }

  let lead = 0;
  let trail = 0;

  /**
   * extent_split_interior: cuts `e` down to `count` pages at a multiple of `alignment`; returns that part and leaves what
   * was before and behind it in `lead` and `trail`. 0 when out of memory: what could not be cut is then lost to the program (`which`: what
   * it was), and what was before it is in `lead`.
   */
  function splitInterior(
    t: ThreadSlot,
    a: number,
    whole: number,
    which: number,
    count: Pages,
    alignment: Pages,
  ): number {
    let e = whole;
    lead = 0;
    trail = 0;
    const start = extents[(e << LG_EXTENT_WORDS) + E_START]!;
    const leadPages = alignment === 1 ? 0 : Math.ceil(start / alignment) * alignment - start;
    const trailPages = extents[(e << LG_EXTENT_WORDS) + E_PAGES]! - leadPages - count;
    if (leadPages > 0) {
      lead = e;
      e = split(t, a, lead, leadPages);
      if (e === 0) {
        abandon(t, a, lead, which);
        lead = 0;
        return 0;
      }
    }
    if (trailPages > 0) {
      trail = split(t, a, e, count);
      if (trail === 0) {
        abandon(t, a, e, which);
        return 0;
      }
    }
    return e;
  }

  /** extents_abandon_vm: no record could be had for a part; address space is lost, and its pages are given back first. */
  function abandon(t: ThreadSlot, a: number, e: number, which: number): void {
    const p = e << LG_EXTENT_WORDS;
    forget(e);
    arenaCounters[a * ARENA_COUNTERS + AC_ABANDONED]! += extents[p + E_PAGES]! * PAGE;
    if (which !== STATE_DIRTY) return;
    if (pages.purgeLazy(t, extents[p + E_START]!, extents[p + E_PAGES]!))
      pages.purgeForced(t, extents[p + E_START]!, extents[p + E_PAGES]!);
  }

  /** Nothing finds the extent any more. Its record stays, so that the walk can say where the pages are. */
  function forget(e: number): void {
    emap.deregister(e);
    extents[(e << LG_EXTENT_WORDS) + E_STATE] = STATE_ABANDONED;
  }

  /** ehooks_zero: pages that the kernel clears on demand, unless huge pages are wanted. */
  function zero(t: ThreadSlot, e: number): void {
    const p = e << LG_EXTENT_WORDS;
    const start = extents[p + E_START]!;
    const count = extents[p + E_PAGES]!;
    if (config.thp === 'always' || pages.purgeForced(t, start, count)) kernel.touchRange(start, start + count - 1);
  }

  /** extent_recycle: an unused extent in state `which`, made active and cut to size. */
  function recycle(
    t: ThreadSlot,
    a: number,
    which: number,
    expand: number,
    count: Pages,
    alignment: Pages,
    zeroed: boolean,
  ): number {
    const id = lockOf(a, which);
    lock(t, id);
    let e = recycleExtract(a, which, expand, count, alignment);
    if (e !== 0) {
      e = splitInterior(t, a, e, which, count, alignment);
      if (lead !== 0 && e === 0) forget(lead);
      else if (lead !== 0) deactivate(a, lead, which);
      if (trail !== 0) deactivate(a, trail, which);
    }
    unlock(t, id);
    if (e !== 0 && zeroed && !(extents[(e << LG_EXTENT_WORDS) + E_FLAGS]! & FLAG_ZEROED)) zero(t, e);
    return e;
  }

  /** extent_record: gives an extent to the unused ones in state `which`, merged as that state is. */
  function record(t: ThreadSlot, a: number, given: number, which: number): void {
    let e = given;
    const id = lockOf(a, which);
    lock(t, id);
    if (!delaysCoalescing(which)) {
      e = tryCoalesce(t, a, e, which);
    } else if (extents[(e << LG_EXTENT_WORDS) + E_PAGES]! >= LARGE_MIN_PAGES) {
      do e = tryCoalesce(t, a, e, which);
      while (hasCoalesced());
      if (extents[(e << LG_EXTENT_WORDS) + E_PAGES]! * PAGE >= oversizeOf(a) && mayForceDecay(a)) {
        unlock(t, id);
        maximallyPurge(t, a, e);
        return;
      }
    }
    deactivate(a, e, which);
    unlock(t, id);
  }

  /** pac->oversize_threshold: arena 0 is made before the option is read, so it keeps the default. */
  const oversizeOf = (a: number) => (a === 0 ? OVERSIZE_THRESHOLD_DEFAULT : config.oversizeThreshold);

  /** extent_may_force_decay */
  function mayForceDecay(a: number): boolean {
    return decay.timeMs(a * 2) !== -1 && decay.timeMs(a * 2 + 1) !== -1;
  }

  /** extent_maximally_purge: an oversize extent is not kept dirty. */
  function maximallyPurge(t: ThreadSlot, a: number, e: number): void {
    const count = extents[(e << LG_EXTENT_WORDS) + E_PAGES]!;
    dallocWrapper(t, a, e);
    const c = a * ARENA_COUNTERS;
    arenaCounters[c + AC_DIRTY_NPURGE + 1]! += 1;
    arenaCounters[c + AC_DIRTY_NPURGE + 2]! += count;
    fetchAdd(arenas, a * ARENA_WORDS + A_MAPPED, -count);
  }

  /** extent_dalloc_wrapper: unmaps an extent, or purges it and keeps its address space. */
  function dallocWrapper(t: ThreadSlot, a: number, e: number): void {
    const p = e << LG_EXTENT_WORDS;
    const start = extents[p + E_START]!;
    const count = extents[p + E_PAGES]!;
    if (!retain && start >= MMAP_BOTTOM_PAGE) {
      emap.deregister(e);
      pages.unmap(t, start, count);
      edataCache.put(t, a, e);
      return;
    }
    let isZeroed = !pages.purgeForced(t, start, count);
    if (!isZeroed) {
      pages.purgeLazy(t, start, count);
      isZeroed = false;
    }
    extents[p + E_FLAGS] = (extents[p + E_FLAGS]! & FLAG_HEAD) | (isZeroed ? FLAG_ZEROED : 0);
    record(t, a, e, STATE_RETAINED);
  }

  /** ecache_dalloc */
  function dalloc(t: ThreadSlot, a: number, e: number, which: number): void {
    const p = e << LG_EXTENT_WORDS;
    extents[p + E_OFFSET] = 0;
    extents[p + E_FLAGS]! &= ~FLAG_ZEROED;
    decay.noteUnused(a * 2 + which - STATE_DIRTY, nowNs());
    record(t, a, e, which);
  }

  /** ecache_evict: the oldest unused extent, whole, made active; 0 where no more than `keep` pages are left. */
  function evict(t: ThreadSlot, a: number, which: number, keep: Pages): number {
    const id = lockOf(a, which);
    const set = setOf(a, which);
    lock(t, id);
    let e = 0;
    for (;;) {
      e = eset.oldest(set);
      if (e === 0) break;
      if (eset.npages(set) <= keep) {
        e = 0;
        break;
      }
      eset.remove(set, e);
      extents[(e << LG_EXTENT_WORDS) + E_STATE] = STATE_ACTIVE;
      if (!delaysCoalescing(which)) break;
      // extent_try_delayed_coalesce: what it grew into goes to the end of the list, and the next oldest is tried.
      e = tryCoalesce(t, a, e, which);
      if (!hasCoalesced()) break;
      deactivate(a, e, which);
    }
    unlock(t, id);
    return e;
  }

  return {
    recycle,
    record,
    dalloc,
    evict,
    dallocWrapper,
    splitInterior,
    /** What the last `splitInterior` cut off before and behind the part that it returned; 0 for nothing. */
    leadOf: () => lead,
    trailOf: () => trail,
    zero,
  };
}

import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import * as counters from '../../sim/contract/operations.ts';
import type { Page, Pages } from '../../sim/contract/units.ts';
import * as places from '../../sim/kernel/layout.ts';
import type { Decay } from './decay.ts';
import type { EdataCache } from './edata-cache.ts';
import type { Emap } from './emap.ts';
import type { Eset } from './eset.ts';
import type { PageCalls } from './pages.ts';
import * as classes from './size-classes.ts';
import { pagesToClass } from './size-classes.ts';
import * as tables from './state.ts';
import { heapKey, type State } from './state.ts';

const LARGE_MIN_PAGES = classes.LARGE_MINCLASS / classes.PAGE;
const OVERSIZE_THRESHOLD_DEFAULT = 8 * 2 ** 20;
/** exp_grow.limit */
const GROW_LIMIT = pagesToClass(classes.LARGE_MAXCLASS / classes.PAGE);
/** exp_grow_init */
export const GROW_FIRST = pagesToClass(classes.HUGEPAGE / classes.PAGE);

export type Extents = ReturnType<typeof createExtents>;

/**
 * Ranges of pages (extent.c): taken from the dirty, muzzy or retained ones, split, merged with their neighbours, mapped.
 * Lengths and alignments are in pages. A function that returns an extent returns 0 when there is none.
 */
export function createExtents(
  state: State,
  pages: PageCalls,
  edataCache: EdataCache,
  emap: Emap,
  eset: Eset,
  decay: Decay,
) {
  const { MMAP_BOTTOM_PAGE } = places;
  const { OP_BIN_SCAN_STEPS, OP_COALESCES, OP_SPLITS } = counters;
  const { NSIZES, PAGE, PAGE_CLASS } = classes;
  const {
    A_GROW_NEXT,
    A_MAPPED,
    A_SN_NEXT,
    AC_ABANDONED,
    AC_DIRTY_NPURGE,
    ARENA_COUNTERS,
    ARENA_LOCKS,
    ARENA_WORDS,
    E_ARENA,
    E_FLAGS,
    E_OFFSET,
    E_PAGES,
    E_SN,
    E_START,
    E_STATE,
    EXTENT_KEY,
    FLAG_HEAD,
    FLAG_ZEROED,
    G_DSS_EXHAUSTED,
    G_DSS_MAX,
    LG_EXTENT_KEYS,
    LG_EXTENT_WORDS,
    LOCK_EXTENTS_DIRTY,
    LOCK_GROW,
    STATE_ACTIVE,
    STATE_DIRTY,
    STATE_MUZZY,
    STATE_RETAINED,
  } = tables;
  const { arenas, arenaCounters, config, extentClass, extents, globals, kernel, operations, lock, unlock, nowNs } =
    state;
  const { arenaLocks, extentKeys, fetchAdd } = state;
  const { retain } = config;

  const setOf = (a: number, which: number) => a * 3 + which - 1;
  const lockOf = (a: number, which: number) => arenaLocks[a * ARENA_LOCKS + LOCK_EXTENTS_DIRTY + which - STATE_DIRTY]!;
  /** The dirty ones are merged only when they grow old (delay_coalesce). */
  const delaysCoalescing = (which: number) => which === STATE_DIRTY;

  /** extent_sn_next */
  function nextSerial(a: number): number {
    return fetchAdd(arenas, a * ARENA_WORDS + A_SN_NEXT, 1);
  }

  function setKey(e: number, sn: number, start: Page): void {
    extentKeys[(e << LG_EXTENT_KEYS) + EXTENT_KEY] = heapKey(sn, start);
  }

  /** edata_init */
  function init(e: number, a: number, start: Page, count: Pages, sn: number, which: number, flags: number): void {
    const p = e << LG_EXTENT_WORDS;
    extents[p + E_START] = start;
    extents[p + E_PAGES] = count;
    extents[p + E_SN] = sn;
    extents[p + E_STATE] = which;
    extents[p + E_ARENA] = a;
    extents[p + E_FLAGS] = flags;
    extents[p + E_OFFSET] = 0;
    setKey(e, sn, start);
    extentClass[e] = NSIZES;
  }

  // ---------------------------------------------------------------------------------------------- split and merge

  /** extent_split_impl: `e` keeps the first `keep` pages; the rest is returned, in the same state. */
  function split(t: ThreadSlot, a: number, e: number, keep: Pages): number {
    const trail = edataCache.get(t, a);
    if (trail === 0) return 0;
    operations[OP_SPLITS]!++;
    const p = e << LG_EXTENT_WORDS;
    const count = extents[p + E_PAGES]!;
    const flags = extents[p + E_FLAGS]! & FLAG_ZEROED;
    init(trail, a, extents[p + E_START]! + keep, count - keep, extents[p + E_SN]!, extents[p + E_STATE]!, flags);
    extents[p + E_PAGES] = keep;
    if (!emap.split(t, e, trail)) {
      extents[p + E_PAGES] = count;
      edataCache.put(t, a, trail);
      return 0;
    }
    return trail;
  }

  /** extent_dss_mergeable: what sbrk gave and what mmap gave stay apart. */
  function isMergeable(low: Page, high: Page): boolean {
    return low < MMAP_BOTTOM_PAGE === high < MMAP_BOTTOM_PAGE;
  }

  /** extent_merge_impl: `low` takes over the pages of its neighbour `high`; false where they stay apart. */
  function merge(t: ThreadSlot, a: number, low: number, high: number): boolean {
    const p = low << LG_EXTENT_WORDS;
    const q = high << LG_EXTENT_WORDS;
    if (!isMergeable(extents[p + E_START]!, extents[q + E_START]!)) return false;
    operations[OP_COALESCES]!++;
    emap.merge(low, high);
    extents[p + E_STATE] = STATE_ACTIVE;
    extents[p + E_PAGES]! += extents[q + E_PAGES]!;
    const sn = Math.min(extents[p + E_SN]!, extents[q + E_SN]!);
    extents[p + E_SN] = sn;
    setKey(low, sn, extents[p + E_START]!);
    if (!(extents[q + E_FLAGS]! & FLAG_ZEROED)) extents[p + E_FLAGS]! &= ~FLAG_ZEROED;
    edataCache.put(t, a, high);
    return true;
  }

  /** emap_try_acquire_edata_neighbor: the extent next to `e` in state `which` that may be merged with it. */
  function neighbor(a: number, e: number, which: number, isForward: boolean): number {
    const p = e << LG_EXTENT_WORDS;
    const page = isForward ? extents[p + E_START]! + extents[p + E_PAGES]! : extents[p + E_START]! - 1;
    const other = emap.lookup(page);
    if (other === 0) return 0;
    operations[OP_BIN_SCAN_STEPS]!++;
    const q = other << LG_EXTENT_WORDS;
    // The upper one of two must not be the first extent of a mapping.
    if (extents[(isForward ? q : p) + E_FLAGS]! & FLAG_HEAD) return 0;
    if (extents[q + E_STATE] !== which || extents[q + E_ARENA] !== a) return 0;
    return other;
  }

  /** extent_coalesce: whether `inner` (active) and its unused neighbour `outer` became one. */
  function coalesce(
    t: ThreadSlot,
    a: number,
    inner: number,
    outer: number,
    which: number,
    isForward: boolean,
  ): boolean {
    const set = setOf(a, which);
    eset.remove(set, outer);
    extents[(outer << LG_EXTENT_WORDS) + E_STATE] = STATE_ACTIVE;
    if (isForward ? merge(t, a, inner, outer) : merge(t, a, outer, inner)) return true;
    extents[(outer << LG_EXTENT_WORDS) + E_STATE] = which;
    eset.insert(set, outer);
    return false;
  }

  /**
   * extent_try_coalesce: merges `e` with its neighbours in state `which`; the extent that is left. Where coalescing is
   * delayed it does one step, and `coalesced` says whether it did.
   */
  let coalesced = false;
  function tryCoalesce(t: ThreadSlot, a: number, first: number, which: number): number {
    let e = first;
    let again = true;
    while (again) {
      again = false;
      const next = neighbor(a, e, which, true);
      if (next !== 0 && coalesce(t, a, e, next, which, true)) {
        if (delaysCoalescing(which)) {
          coalesced = true;
          return e;
        }
        again = true;
      }
      const previous = neighbor(a, e, which, false);
      if (previous !== 0 && coalesce(t, a, e, previous, which, false)) {
        e = previous;
        if (delaysCoalescing(which)) {
          coalesced = true;
          return e;
        }
        again = true;
      }
    }
    coalesced = false;
    return e;
  }

  // ------------------------------------------------------------------------------------------------- take and give

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

  /**
   * extent_split_interior: cuts `e` down to `count` pages at a multiple of `alignment`; returns that part and leaves what
   * was before and behind it in `lead` and `trail`. 0 when out of memory: the extent is then lost to the program.
   */
  let lead = 0;
  let trail = 0;
  function splitInterior(t: ThreadSlot, a: number, whole: number, count: Pages, alignment: Pages): number {
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
        abandon(a, lead);
        lead = 0;
        return 0;
      }
    }
    if (trailPages > 0) {
      trail = split(t, a, e, count);
      if (trail === 0) {
        abandon(a, e);
        return 0;
      }
    }
    return e;
  }

  /** extents_abandon_vm: no record could be had for a part; address space is lost. */
  function abandon(a: number, e: number): void {
    emap.deregister(e);
    arenaCounters[a * ARENA_COUNTERS + AC_ABANDONED]! += extents[(e << LG_EXTENT_WORDS) + E_PAGES]! * PAGE;
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
      e = splitInterior(t, a, e, count, alignment);
      if (lead !== 0) deactivate(a, lead, which);
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
      while (coalesced);
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

  // ------------------------------------------------------------------------------------------------- new mappings

  /** extent_alloc_dss: from the program break; the place, or -1. */
  function allocDss(t: ThreadSlot, a: number, at: Page, count: Pages, alignment: Pages): Page {
    const gap = edataCache.get(t, a);
    if (gap === 0) return -1;
    const end = kernel.brkEnd(); // sbrk(0) asks libc, which has known the break since extent_dss_boot()
    if (globals[G_DSS_EXHAUSTED] === 0 && (at === 0 || at === end)) {
      globals[G_DSS_MAX] = end;
      const start = Math.ceil(end / alignment) * alignment;
      if (kernel.brk(t, start + count) === start + count) {
        globals[G_DSS_MAX] = start + count;
        if (start > end) {
          init(gap, a, end, start - end, nextSerial(a), STATE_ACTIVE, retain ? FLAG_HEAD : 0);
          // extent_dalloc_gap
          if (emap.register(t, gap)) dallocWrapper(t, a, gap);
          else edataCache.put(t, a, gap);
        } else {
          edataCache.put(t, a, gap);
        }
        return start;
      }
      globals[G_DSS_EXHAUSTED] = 1;
    }
    edataCache.put(t, a, gap);
    return -1;
  }

  /** extent_alloc_core with pages_set_thp_state: a new range of pages, or -1. */
  function allocCore(t: ThreadSlot, a: number, at: Page, count: Pages, alignment: Pages): Page {
    let start = -1;
    if (config.dss === 'primary') start = allocDss(t, a, at, count, alignment);
    if (start < 0) start = pages.pagesMap(t, at, count, alignment);
    if (start < 0 && config.dss === 'secondary') start = allocDss(t, a, at, count, alignment);
    if (start >= 0) pages.setThpState(t, start, count);
    return start;
  }

  /** What is mapped is zero; what sbrk gives may have been used before. */
  const flagsOf = (start: Page) => (start >= MMAP_BOTTOM_PAGE ? FLAG_ZEROED : 0);

  /** extent_alloc_wrapper: a mapping of its own for one request, for `retain:false` and as the last resort. */
  function allocWrapper(t: ThreadSlot, a: number, at: Page, count: Pages, alignment: Pages, zeroed: boolean): number {
    const e = edataCache.get(t, a);
    if (e === 0) return 0;
    const start = allocCore(t, a, at, count, alignment);
    if (start < 0) {
      edataCache.put(t, a, e);
      return 0;
    }
    if (zeroed && flagsOf(start) === 0) pages.purgeForced(t, start, count);
    const flags = (zeroed ? FLAG_ZEROED : flagsOf(start)) | (retain ? FLAG_HEAD : 0);
    init(e, a, start, count, nextSerial(a), STATE_ACTIVE, flags);
    if (!emap.register(t, e)) {
      edataCache.put(t, a, e);
      return 0;
    }
    return e;
  }

  /**
   * extent_grow_retained: maps more than is asked for, each time a class more than the last time, and keeps the rest. The
   * caller holds the grow lock; it is released here.
   */
  function growRetained(t: ThreadSlot, a: number, count: Pages, alignment: Pages, zeroed: boolean): number {
    const w = a * ARENA_WORDS;
    const grow = arenaLocks[a * ARENA_LOCKS + LOCK_GROW]!;
    const least = count + alignment - 1;
    let index = arenas[w + A_GROW_NEXT]!; // exp_grow_size_prepare
    while (index < GROW_LIMIT && PAGE_CLASS[index]! < least) index++;
    if (PAGE_CLASS[index]! < least) {
      unlock(t, grow);
      return 0;
    }
    let e = edataCache.get(t, a);
    if (e === 0) {
      unlock(t, grow);
      return 0;
    }
    const start = allocCore(t, a, 0, PAGE_CLASS[index]!, 1);
    if (start < 0) {
      edataCache.put(t, a, e);
      unlock(t, grow);
      return 0;
    }
    init(e, a, start, PAGE_CLASS[index]!, nextSerial(a), STATE_ACTIVE, flagsOf(start) | FLAG_HEAD);
    if (!emap.register(t, e)) {
      edataCache.put(t, a, e);
      unlock(t, grow);
      return 0;
    }
    e = splitInterior(t, a, e, count, alignment);
    const before = lead;
    const behind = trail;
    if (before !== 0) record(t, a, before, STATE_RETAINED);
    if (behind !== 0) record(t, a, behind, STATE_RETAINED);
    if (e !== 0) arenas[w + A_GROW_NEXT] = Math.min(index + 1, GROW_LIMIT); // exp_grow_size_commit
    unlock(t, grow);
    if (e !== 0 && zeroed && !(extents[(e << LG_EXTENT_WORDS) + E_FLAGS]! & FLAG_ZEROED)) zero(t, e);
    return e;
  }

  /** extent_alloc_retained */
  function allocRetained(
    t: ThreadSlot,
    a: number,
    expand: number,
    count: Pages,
    alignment: Pages,
    zeroed: boolean,
  ): number {
    const grow = arenaLocks[a * ARENA_LOCKS + LOCK_GROW]!;
    lock(t, grow);
    const e = recycle(t, a, STATE_RETAINED, expand, count, alignment, zeroed);
    if (e === 0 && retain && expand === 0) return growRetained(t, a, count, alignment, zeroed);
    unlock(t, grow);
    return e;
  }

  // ------------------------------------------------------------------------------------ what the page allocator uses

  /** ecache_alloc_grow: from the retained ones, else newly mapped. */
  function allocGrow(
    t: ThreadSlot,
    a: number,
    expand: number,
    count: Pages,
    alignment: Pages,
    zeroed: boolean,
  ): number {
    const e = allocRetained(t, a, expand, count, alignment, zeroed);
    if (e !== 0 || (retain && expand !== 0)) return e;
    const p = expand << LG_EXTENT_WORDS;
    const at = expand === 0 ? 0 : extents[p + E_START]! + extents[p + E_PAGES]!;
    return allocWrapper(t, a, at, count, alignment, zeroed);
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
      if (!coalesced) break;
      deactivate(a, e, which);
    }
    unlock(t, id);
    return e;
  }

  return {
    recycle,
    allocGrow,
    dalloc,
    evict,
    dallocWrapper,
    split,
    merge,
    purgeLazy: (t: ThreadSlot, e: number): boolean => {
      const p = e << LG_EXTENT_WORDS;
      return pages.purgeLazy(t, extents[p + E_START]!, extents[p + E_PAGES]!);
    },
    dirtySet: (a: number) => setOf(a, STATE_DIRTY),
    muzzySet: (a: number) => setOf(a, STATE_MUZZY),
    retainedSet: (a: number) => setOf(a, STATE_RETAINED),
  };
}

import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Page, Pages } from '../../sim/contract/units.ts';
import * as places from '../../sim/kernel/layout.ts';
import type { Decay } from './decay.ts';
import type { EdataCache } from './edata-cache.ts';
import type { Emap } from './emap.ts';
import type { Eset } from './eset.ts';
import { createExtentMerging } from './extent-merging.ts';
import { createExtentRecycling } from './extent-recycling.ts';
import type { PageCalls } from './pages.ts';
import * as classes from './size-classes.ts';
import { pagesToClass } from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';

/** exp_grow.limit */
const GROW_LIMIT = pagesToClass(classes.LARGE_MAXCLASS / classes.PAGE);
/** exp_grow_init */
export const GROW_FIRST = pagesToClass(classes.HUGEPAGE / classes.PAGE);

export type Extents = ReturnType<typeof createExtents>;

/**
 * Ranges of pages (extent.c): taken from the dirty, muzzy or retained ones (extent-recycling.ts), split and merged with
 * their neighbours (extent-merging.ts), mapped (here). Lengths and alignments are in pages. A function that returns an
 * extent returns 0 when there is none.
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
  const { PAGE_CLASS } = classes;
  const {
    A_GROW_NEXT,
    ARENA_LOCKS,
    ARENA_WORDS,
    E_FLAGS,
    E_PAGES,
    E_START,
    FLAG_HEAD,
    FLAG_ZEROED,
    G_DSS_EXHAUSTED,
    G_DSS_MAX,
    LG_EXTENT_WORDS,
    LOCK_GROW,
    STATE_ACTIVE,
    STATE_DIRTY,
    STATE_MUZZY,
    STATE_RETAINED,
  } = tables;
  const { arenas, arenaLocks, config, extents, globals, kernel, lock, unlock } = state;
  const { retain } = config;
  const merging = createExtentMerging(state, edataCache, emap, eset);
  const recycling = createExtentRecycling(state, pages, edataCache, emap, eset, decay, merging);
  const { setOf, nextSerial, init, split, merge } = merging;
  const { recycle, record, dalloc, evict, dallocWrapper, splitInterior, leadOf, trailOf, zero } = recycling;

  /** extent_alloc_dss: from the program break; the place, or -1. */
  function allocDss(t: ThreadSlot, a: number, at: Page, count: Pages, alignment: Pages): Page {
    const gap = edataCache.get(t, a);
    if (gap === 0) return -1;
    for (;;) {
      const end = kernel.brkEnd(); // sbrk(0) asks libc, which has known the break since extent_dss_boot()
      if (globals[G_DSS_EXHAUSTED] !== 0 || (at !== 0 && at !== end)) break;
      globals[G_DSS_MAX] = end;
      const start = Math.ceil(end / alignment) * alignment;
      const got = kernel.brk(t, start + count, end);
      if (got < 0) continue; // another worker has moved it: extent_dss_extending_start() lets one in after the other
      if (got === start + count) {
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
    e = splitInterior(t, a, e, STATE_RETAINED, count, alignment);
    const before = leadOf();
    const behind = trailOf();
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

import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import * as counters from '../../sim/contract/operations.ts';
import type { Page, Pages } from '../../sim/contract/units.ts';
import * as places from '../../sim/kernel/layout.ts';
import type { EdataCache } from './edata-cache.ts';
import type { Emap } from './emap.ts';
import type { Eset } from './eset.ts';
import * as classes from './size-classes.ts';
import * as tables from './state.ts';
import { heapKey, type State } from './state.ts';

export type ExtentMerging = ReturnType<typeof createExtentMerging>;

/**
 * Extents made, split and merged with their neighbours (extent.c: extent_split_impl, extent_merge_impl and
 * extent_try_coalesce).
 */
export function createExtentMerging(state: State, edataCache: EdataCache, emap: Emap, eset: Eset) {
  const { MMAP_BOTTOM_PAGE } = places;
  const { OP_BIN_SCAN_STEPS, OP_COALESCES, OP_SPLITS } = counters;
  const { NSIZES } = classes;
  const {
    A_SN_NEXT,
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
    LG_EXTENT_KEYS,
    LG_EXTENT_WORDS,
    STATE_ACTIVE,
    STATE_DIRTY,
  } = tables;
  const { arenas, extentClass, extents, extentKeys, fetchAdd, operations } = state;

  /** The place in `eset` of arena `a`'s extents in state `which`. */
  const setOf = (a: number, which: number) => a * 3 + which - 1;
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

  let coalesced = false;

  /**
   * extent_try_coalesce: merges `e` with its neighbours in state `which`; the extent that is left. Where coalescing is
   * delayed it does one step, and `hasCoalesced` says whether it did.
   */
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

  return {
    setOf,
    delaysCoalescing,
    nextSerial,
    init,
    split,
    merge,
    neighbor,
    tryCoalesce,
    /** Whether the last `tryCoalesce` merged something. */
    hasCoalesced: () => coalesced,
  };
}

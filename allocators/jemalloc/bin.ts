import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import * as counters from '../../sim/contract/operations.ts';
import type { Arenas } from './arena.ts';
import type { ExtentHeap } from './extent-heap.ts';
import type { PageAllocator } from './page-allocator.ts';
import type { BlockPages } from './residency.ts';
import * as classes from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';

export type Bins = ReturnType<typeof createBins>;

/**
 * Bins of small classes (arena.c): a bin has a current slab, a heap of the slabs with free regions, oldest and lowest
 * first, and full slabs, of which it keeps no record. A slab's free regions are the set bits of its bitmap; the lowest is
 * taken first.
 */
export function createBins(
  state: State,
  arenas: Arenas,
  pa: PageAllocator,
  heap: ExtentHeap,
  { fileFresh }: BlockPages,
) {
  const { OP_BIN_SCAN_STEPS, OP_BITMAP_WORDS } = counters;
  const { NBINS, SLAB_PAGES, SLAB_REGIONS } = classes;
  const {
    ARENA_LOCKS,
    B_NONFULL,
    B_SLABCUR,
    BC_CURREGS,
    BC_CURSLABS,
    BC_NDALLOC,
    BC_NFILLS,
    BC_NMALLOC,
    BC_NONFULL_SLABS,
    BC_NREQUESTS,
    BC_NRESLABS,
    BC_NSLABS,
    BIN_COUNTERS,
    BIN_WORDS,
    E_ARENA,
    E_NFREE,
    HANDLE_SHIFT,
    LG_BITMAP_WORDS,
    LG_EXTENT_WORDS,
    LOCK_BINS,
    REGION_MASK,
  } = tables;
  const { bins, binCounters, bitmaps, extentClass, extents, operations, slots, lock, unlock } = state;
  const { arenaLocks } = state;

  // ---------------------------------------------------------------------------------------------------------- slabs

  /** arena_slab_alloc: a slab with all its regions free, or 0. */
  function slabAlloc(t: ThreadSlot, a: number, index: number): number {
    const e = pa.alloc(t, a, SLAB_PAGES[index]!, 1, true, index, false);
    if (e === 0) return 0;
    const regions = SLAB_REGIONS[index]!;
    extents[(e << LG_EXTENT_WORDS) + E_NFREE] = regions;
    const w = e << LG_BITMAP_WORDS;
    const words = (regions + 31) >> 5;
    for (let i = 0; i < words; i++) bitmaps[w + i] = -1;
    if (regions & 31) bitmaps[w + words - 1] = (1 << (regions & 31)) - 1;
    return e;
  }

  /** arena_slab_dalloc */
  function slabDalloc(t: ThreadSlot, e: number): void {
    const a = extents[(e << LG_EXTENT_WORDS) + E_ARENA]!;
    pa.dalloc(t, a, e);
    arenas.handleDeferredWork(t, a);
  }

  /** arena_slab_reg_alloc_batch: puts `count` regions of a slab that has as many into slots from `to` on. */
  function regAllocBatch(e: number, count: number, to: number): void {
    const first = e << HANDLE_SHIFT;
    let w = e << LG_BITMAP_WORDS;
    let region = first;
    let bits = bitmaps[w]!;
    let at = to;
    const end = to + count;
    let scanned = 1;
    while (at < end) {
      while (bits === 0) {
        bitmaps[w++] = 0;
        bits = bitmaps[w]!;
        region += 32;
        scanned++;
      }
      const lowest = bits & -bits;
      bits ^= lowest;
      slots[at++] = region + 31 - Math.clz32(lowest);
    }
    bitmaps[w] = bits;
    operations[OP_BITMAP_WORDS]! += scanned;
    extents[(e << LG_EXTENT_WORDS) + E_NFREE]! -= count;
  }

  /** arena_slab_reg_alloc */
  function regAlloc(e: number): Handle {
    const first = e << LG_BITMAP_WORDS;
    let w = first;
    let region = e << HANDLE_SHIFT;
    while (bitmaps[w] === 0) {
      w++;
      region += 32;
    }
    operations[OP_BITMAP_WORDS]! += w - first + 1;
    const bits = bitmaps[w]!;
    const lowest = bits & -bits;
    bitmaps[w] = bits ^ lowest;
    extents[(e << LG_EXTENT_WORDS) + E_NFREE]!--;
    return region + 31 - Math.clz32(lowest);
  }

  function nonfullInsert(w: number, c: number, e: number): void {
    heap.insert(bins, w + B_NONFULL, e);
    binCounters[c + BC_NONFULL_SLABS]!++;
  }

  /** arena_bin_refill_slabcur_no_fresh_slab: whether the bin has a current slab with room now. */
  function refillFromNonfull(w: number, c: number): boolean {
    const e = heap.removeFirst(bins, w + B_NONFULL);
    bins[w + B_SLABCUR] = e;
    if (e === 0) return false;
    binCounters[c + BC_NRESLABS]!++;
    binCounters[c + BC_NONFULL_SLABS]!--;
    return true;
  }

  /** arena_bin_refill_slabcur_with_fresh_slab */
  function refillFromFresh(w: number, c: number, e: number): void {
    binCounters[c + BC_NSLABS]!++;
    binCounters[c + BC_CURSLABS]!++;
    bins[w + B_SLABCUR] = e;
  }

  const nfree = (e: number) => extents[(e << LG_EXTENT_WORDS) + E_NFREE]!;

  // ------------------------------------------------------------------------------------------------------ allocation

  /**
   * arena_cache_bin_fill_small: puts `count` regions into slots from `to` on, the lowest first; returns how many it got.
   * The lock is dropped while a slab is made. `requests`: what the cache counted since the last time.
   */
  function fill(t: ThreadSlot, a: number, index: number, to: number, count: number, requests: number): number {
    const b = a * NBINS + index;
    const w = b * BIN_WORDS;
    const c = b * BIN_COUNTERS;
    const id = arenaLocks[a * ARENA_LOCKS + LOCK_BINS + index]!;
    let filled = 0;
    let fresh = 0;
    let hasProgress = true;
    for (;;) {
      let wantsSlab = false;
      lock(t, id);
      while (filled < count) {
        const current = bins[w + B_SLABCUR]!;
        if (current !== 0 && nfree(current) > 0) {
          const batch = Math.min(count - filled, nfree(current));
          regAllocBatch(current, batch, to + filled);
          fileFresh(current, to + filled, to + filled + batch);
          hasProgress = true;
          filled += batch;
        } else if (refillFromNonfull(w, c)) {
          // and try again
        } else if (fresh !== 0) {
          refillFromFresh(w, c, fresh);
          fresh = 0;
        } else {
          wantsSlab = hasProgress;
          break;
        }
      }
      if (!wantsSlab) {
        binCounters[c + BC_NMALLOC]! += filled;
        binCounters[c + BC_NREQUESTS]! += requests;
        binCounters[c + BC_CURREGS]! += filled;
        binCounters[c + BC_NFILLS]!++;
      }
      unlock(t, id);
      if (!wantsSlab) break;
      fresh = slabAlloc(t, a, index);
      hasProgress = false;
    }
    if (fresh !== 0) slabDalloc(t, fresh); // another thread freed regions meanwhile
    arenas.decayTicks(t, a, 1);
    return filled;
  }

  /** arena_bin_malloc_no_fresh_slab: 0 where no slab has room. */
  function mallocNoFreshSlab(w: number, c: number): Handle {
    const current = bins[w + B_SLABCUR]!;
    if ((current === 0 || nfree(current) === 0) && !refillFromNonfull(w, c)) return 0;
    return regAlloc(bins[w + B_SLABCUR]!);
  }

  /** arena_malloc_small: past the caches. */
  function malloc(t: ThreadSlot, a: number, index: number): Handle {
    const b = a * NBINS + index;
    const w = b * BIN_WORDS;
    const c = b * BIN_COUNTERS;
    const id = arenaLocks[a * ARENA_LOCKS + LOCK_BINS + index]!;
    let fresh = 0;
    lock(t, id);
    let h = mallocNoFreshSlab(w, c);
    if (h === 0) {
      unlock(t, id);
      fresh = slabAlloc(t, a, index);
      lock(t, id);
      h = mallocNoFreshSlab(w, c);
      if (h === 0) {
        if (fresh === 0) {
          unlock(t, id);
          return 0;
        }
        refillFromFresh(w, c, fresh);
        h = regAlloc(fresh);
        fresh = 0;
      }
    }
    binCounters[c + BC_NMALLOC]!++;
    binCounters[c + BC_NREQUESTS]!++;
    binCounters[c + BC_CURREGS]!++;
    unlock(t, id);
    if (fresh !== 0) slabDalloc(t, fresh);
    arenas.decayTicks(t, a, 1);
    return h;
  }

  // ---------------------------------------------------------------------------------------------------- deallocation

  /** arena_dalloc_bin_locked_step: frees a region; whether its slab is now empty and no longer the bin's. */
  function dallocStep(a: number, index: number, h: Handle): boolean {
    const e = h >> HANDLE_SHIFT;
    const region = h & REGION_MASK;
    bitmaps[(e << LG_BITMAP_WORDS) + (region >> 5)]! |= 1 << (region & 31);
    const free = ++extents[(e << LG_EXTENT_WORDS) + E_NFREE]!;
    if (free === SLAB_REGIONS[index]) {
      newlyEmpty(a, index, e);
      return true;
    }
    if (free === 1 && e !== bins[(a * NBINS + index) * BIN_WORDS + B_SLABCUR]) newlyNonempty(a, index, e);
    return false;
  }

  /** arena_dalloc_bin_locked_handle_newly_empty */
  function newlyEmpty(a: number, index: number, e: number): void {
    const w = (a * NBINS + index) * BIN_WORDS;
    const c = (a * NBINS + index) * BIN_COUNTERS;
    if (e === bins[w + B_SLABCUR]) {
      bins[w + B_SLABCUR] = 0;
    } else if (SLAB_REGIONS[index]! > 1) {
      heap.remove(bins, w + B_NONFULL, e);
      binCounters[c + BC_NONFULL_SLABS]!--;
    }
    binCounters[c + BC_CURSLABS]!--;
  }

  /** arena_dalloc_bin_locked_handle_newly_nonempty: the older of it and the current slab becomes the current one. */
  function newlyNonempty(a: number, index: number, e: number): void {
    const w = (a * NBINS + index) * BIN_WORDS;
    const c = (a * NBINS + index) * BIN_COUNTERS;
    const current = bins[w + B_SLABCUR]!;
    if (current !== 0 && heap.isLess(e, current)) {
      if (nfree(current) > 0) nonfullInsert(w, c, current);
      bins[w + B_SLABCUR] = e;
      binCounters[c + BC_NRESLABS]!++;
    } else {
      nonfullInsert(w, c, e);
    }
  }

  /** arena_dalloc_bin_locked_finish */
  function dallocFinish(a: number, index: number, count: number): void {
    const c = (a * NBINS + index) * BIN_COUNTERS;
    binCounters[c + BC_NDALLOC]! += count;
    binCounters[c + BC_CURREGS]! -= count;
  }

  /** arena_dalloc_small: past the caches. */
  function dalloc(t: ThreadSlot, h: Handle): void {
    const e = h >> HANDLE_SHIFT;
    const index = extentClass[e]!;
    const a = extents[(e << LG_EXTENT_WORDS) + E_ARENA]!;
    const id = arenaLocks[a * ARENA_LOCKS + LOCK_BINS + index]!;
    operations[OP_BIN_SCAN_STEPS]!++; // as a flush that looks at the block's slab
    lock(t, id);
    const isEmpty = dallocStep(a, index, h);
    dallocFinish(a, index, 1);
    unlock(t, id);
    if (isEmpty) slabDalloc(t, e);
    arenas.decayTicks(t, a, 1);
  }

  return { fill, malloc, dalloc, dallocStep, dallocFinish, slabDalloc };
}

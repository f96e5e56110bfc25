import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Arenas } from './arena.ts';
import type { PageAllocator } from './page-allocator.ts';
import { prngBits } from './prng.ts';
import * as classes from './size-classes.ts';
import { sizeToIndex } from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';

/** sz_large_pad: cache_oblivious gives every large block a page more, so that it may begin at any cache line. */
export const LARGE_PAD_PAGES = 1;

const LG_CACHELINE = 6;
/** Pages of an extent of each large class; as integers where they are, which is all that can be had. */
const PAGES_OF_CLASS: Float64Array = classes.INDEX_SIZE.map((size) => size / classes.PAGE + LARGE_PAD_PAGES);
const INT_PAGES_OF_CLASS: Int32Array = Int32Array.from(PAGES_OF_CLASS, (pages) => (pages < 2 ** 31 ? pages : 0));

export type Large = ReturnType<typeof createLarge>;

/** Blocks that are an extent of their own (large.c). A handle is the extent with region 0. */
export function createLarge(state: State, arenas: Arenas, pa: PageAllocator) {
  const { CACHELINE, INDEX_SIZE, LG_PAGE, PAGE } = classes;
  const { E_ARENA, E_OFFSET, HANDLE_SHIFT, LG_EXTENT_WORDS, T_PRNG } = tables;
  const { caches, extentClass, extents, threadWords } = state;

  /** arena_cache_oblivious_randomize: a random start within the first page, at a multiple of the alignment. */
  function randomize(t: ThreadSlot, e: number, alignment: number): void {
    const shift = alignment <= CACHELINE ? LG_CACHELINE : 31 - Math.clz32(alignment);
    const random = prngBits(caches, t * threadWords + T_PRNG, LG_PAGE - shift);
    extents[(e << LG_EXTENT_WORDS) + E_OFFSET] = random << shift;
  }

  /** arena_extent_alloc_large: a block of a large class at a multiple of `alignment`, or 0. */
  function extentAlloc(t: ThreadSlot, a: number, sizeClass: number, alignment: number, zeroed: boolean): Handle {
    const pages = INT_PAGES_OF_CLASS[sizeClass]! || PAGES_OF_CLASS[sizeClass]!;
    const e = pa.alloc(t, a, pages, alignment <= PAGE ? 1 : alignment / PAGE, false, sizeClass, zeroed);
    if (e === 0) return 0;
    arenas.countLargeMalloc(a, sizeClass);
    if (alignment < PAGE) randomize(t, e, alignment);
    arenas.decayTicks(t, a, 1);
    return e << HANDLE_SHIFT;
  }

  /** large_palloc, in arena `given` or, where that is -1, in the thread's. */
  function palloc(t: ThreadSlot, given: number, sizeClass: number, alignment: number, zeroed: boolean): Handle {
    const a = given >= 0 ? given : arenas.chooseMaybeHuge(t, INDEX_SIZE[sizeClass]!);
    return a < 0 ? 0 : extentAlloc(t, a, sizeClass, alignment, zeroed);
  }

  /** large_malloc */
  function malloc(t: ThreadSlot, a: number, sizeClass: number, zeroed: boolean): Handle {
    return extentAlloc(t, a, sizeClass, CACHELINE, zeroed);
  }

  /** large_dalloc_prep_locked: the statistics' part of a free. */
  function dallocPrepare(e: number): void {
    arenas.countLargeDalloc(extents[(e << LG_EXTENT_WORDS) + E_ARENA]!, extentClass[e]!);
  }

  /** large_dalloc_finish */
  function dallocFinish(t: ThreadSlot, e: number): void {
    const a = extents[(e << LG_EXTENT_WORDS) + E_ARENA]!;
    pa.dalloc(t, a, e);
    arenas.handleDeferredWork(t, a);
  }

  /** large_dalloc */
  function dalloc(t: ThreadSlot, e: number): void {
    dallocPrepare(e);
    dallocFinish(t, e);
    arenas.decayTicks(t, extents[(e << LG_EXTENT_WORDS) + E_ARENA]!, 1);
  }

  /** large_ralloc_no_move: whether the block has the usable size now, at the same place. */
  function rallocNoMove(t: ThreadSlot, e: number, usable: number, zeroed: boolean): boolean {
    const oldClass = extentClass[e]!;
    const oldUsable = INDEX_SIZE[oldClass]!;
    const a = extents[(e << LG_EXTENT_WORDS) + E_ARENA]!;
    const sizeClass = sizeToIndex(usable);
    const pages = PAGES_OF_CLASS[sizeClass]!;
    if (usable > oldUsable) {
      if (!pa.expand(t, a, e, pages, sizeClass, zeroed)) return false; // large_ralloc_no_move_expand
      if (zeroed) zeroPadding(e, oldUsable);
    } else if (usable < oldUsable) {
      if (!pa.shrink(t, a, e, pages, sizeClass)) return false; // large_ralloc_no_move_shrink
      arenas.handleDeferredWork(t, a);
    }
    if (usable !== oldUsable) {
      arenas.countLargeMalloc(a, sizeClass);
      arenas.countLargeDalloc(a, oldClass);
    }
    arenas.decayTicks(t, a, 1);
    return true;
  }

  /** What lay between the old block and the end of its last page is cleared, so written. */
  function zeroPadding(e: number, oldUsable: number): void {
    const p = e << LG_EXTENT_WORDS;
    const end = extents[p]! * PAGE + extents[p + E_OFFSET]! + oldUsable;
    state.kernel.touch(Math.floor(end / PAGE));
  }

  return { palloc, malloc, dallocPrepare, dallocFinish, dalloc, rallocNoMove };
}

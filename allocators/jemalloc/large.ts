import type { Handle, ThreadSlot } from '../../sim/allocator.ts';
import type { Arenas } from './arena.ts';
import type { PageAllocator } from './page-allocator.ts';
import { prngBits } from './prng.ts';
import { alignedUsable, CACHELINE, INDEX_SIZE, LG_PAGE, PAGE, sizeToIndex } from './size-classes.ts';
import { E_ARENA, E_OFFSET, HANDLE_SHIFT, LG_EXTENT_WORDS, type State, T_PRNG } from './state.ts';

/** sz_large_pad: cache_oblivious gives every large block a page more, so that it may begin at any cache line. */
export const LARGE_PAD_PAGES = 1;

export type Large = ReturnType<typeof createLarge>;

/** Blocks that are an extent of their own (large.c). A handle is the extent with region 0. */
export function createLarge(state: State, arenas: Arenas, pa: PageAllocator) {
  const { caches, extentClass, extents, threadWords } = state;

  /** arena_cache_oblivious_randomize: a random start within the first page, kept where a page is aligned for. */
  function randomize(t: ThreadSlot, e: number, alignment: number): void {
    if (alignment >= PAGE) return;
    const bits = LG_PAGE - (31 - Math.clz32(Math.ceil(alignment / CACHELINE) * CACHELINE));
    const random = prngBits(caches, t * threadWords + T_PRNG, bits);
    extents[(e << LG_EXTENT_WORDS) + E_OFFSET] = random * 2 ** (LG_PAGE - bits);
  }

  /**
   * large_palloc with arena_extent_alloc_large: a block of a large class at a multiple of `alignment`, in arena `given`
   * or, where that is -1, in the thread's. 0 when out of memory.
   */
  function palloc(t: ThreadSlot, given: number, usable: number, alignment: number, zeroed: boolean): Handle {
    if (alignedUsable(usable, alignment) === 0) return 0;
    const a = given >= 0 ? given : arenas.chooseMaybeHuge(t, usable);
    if (a < 0) return 0;
    const sizeClass = sizeToIndex(usable);
    const pages = usable / PAGE + LARGE_PAD_PAGES;
    const e = pa.alloc(t, a, pages, Math.ceil(alignment / PAGE), false, sizeClass, zeroed);
    if (e === 0) return 0;
    arenas.countLargeMalloc(a, sizeClass);
    randomize(t, e, alignment);
    arenas.decayTicks(t, a, 1);
    return e << HANDLE_SHIFT;
  }

  /** large_malloc */
  function malloc(t: ThreadSlot, a: number, usable: number, zeroed: boolean): Handle {
    return palloc(t, a, usable, CACHELINE, zeroed);
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
    const pages = usable / PAGE + LARGE_PAD_PAGES;
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

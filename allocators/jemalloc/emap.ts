import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Page } from '../../sim/contract/units.ts';
import * as places from '../../sim/kernel/layout.ts';
import type { Base } from './base.ts';
import * as structures from './layout.ts';
import * as classes from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';

const ELEMENT_BYTES = 8;
const LG_ELEMENTS_OF_PAGE = 9;
const LEAF_MASK = 2 ** structures.RTREE_LEAF_LG_PAGES - 1;
const BRK_SHIFT = places.BRK_SHIFT_PAGES % 2 ** structures.RTREE_LEAF_LG_PAGES;

export type Emap = ReturnType<typeof createEmap>;

/**
 * Which extent a page belongs to (emap.c, rtree.c), known for the first and last page of each. The model looks pages up
 * in a flat table; the real radix tree's leaves are allocated and touched all the same, as they are memory: 2 MiB of
 * arena 0's base for each GiB in use, of which the pages written become resident.
 */
export function createEmap(state: State, base: Base) {
  const { FENCE_PAGE, MMAP_BOTTOM_PAGE } = places;
  const { RTREE_BRK_LEAF, RTREE_LEAF_BYTES, RTREE_LEAF_LG_PAGES } = structures;
  const { CACHELINE, PAGE } = classes;
  const { E_PAGES, E_START, G_DEEPEST, LG_EXTENT_WORDS } = tables;
  const { pageMap, globals, extents, rtreeLeaves, rtreeLock, kernel, lock, unlock, raise } = state;
  const { pages } = kernel;

  /** rtree_leaf_init: notes the first page of a new leaf, and how many elements lie before it in that page. */
  function leafInit(t: ThreadSlot, leaf: number): boolean {
    lock(t, rtreeLock);
    if (rtreeLeaves[leaf] === 0) {
      const address = base.alloc(t, 0, RTREE_LEAF_BYTES, CACHELINE);
      rtreeLeaves[leaf + 1] = (address % PAGE) / ELEMENT_BYTES;
      rtreeLeaves[leaf] = Math.floor(address / PAGE);
    }
    unlock(t, rtreeLock);
    return rtreeLeaves[leaf] !== 0;
  }

  /** rtree_leaf_elm_lookup with init_missing, and the write that follows: false when out of memory. */
  function writeElement(t: ThreadSlot, page: Page): boolean {
    const isBrk = page < MMAP_BOTTOM_PAGE;
    // The page's place in its GiB is that of the real process.
    const place = isBrk ? page + BRK_SHIFT : page;
    const leaf = ((place >>> RTREE_LEAF_LG_PAGES) + (isBrk ? RTREE_BRK_LEAF : 0)) * 2;
    if (rtreeLeaves[leaf] === 0 && !leafInit(t, leaf)) return false;
    const touched = rtreeLeaves[leaf]! + ((rtreeLeaves[leaf + 1]! + (place & LEAF_MASK)) >> LG_ELEMENTS_OF_PAGE);
    if (pages[touched] !== 1) kernel.fault(touched);
    return true;
  }

  const fence = FENCE_PAGE; // a power of two, in a constant of its own: an imported one is loaded at every use
  /** Where the page map has a page: below the fence from there down, in the far area as it is numbered. Without a branch. */
  const placeOf = (page: Page): number => page ^ (((page - fence) >> 31) & (fence - 1));

  function set(page: Page, e: number): void {
    const place = placeOf(page);
    pageMap[place] = e;
    if (place >= globals[G_DEEPEST]!) raise(G_DEEPEST, place + 1);
  }

  const first = (e: number): Page => extents[(e << LG_EXTENT_WORDS) + E_START]!;
  const last = (e: number): Page =>
    extents[(e << LG_EXTENT_WORDS) + E_START]! + extents[(e << LG_EXTENT_WORDS) + E_PAGES]! - 1;

  /** emap_register_boundary: false when out of memory. */
  function register(t: ThreadSlot, e: number): boolean {
    if (!writeElement(t, first(e)) || !writeElement(t, last(e))) return false;
    set(first(e), e);
    set(last(e), e);
    return true;
  }

  /** emap_deregister_boundary */
  function deregister(e: number): void {
    pageMap[placeOf(first(e))] = 0;
    pageMap[placeOf(last(e))] = 0;
  }

  /** emap_split_prepare and emap_split_commit: `lead` and `trail` have their new bounds. */
  function split(t: ThreadSlot, lead: number, trail: number): boolean {
    const border = first(trail);
    if (!writeElement(t, border - 1) || !writeElement(t, border)) return false;
    // The outer borders are known already; that of `trail` as one of `lead`.
    pageMap[placeOf(border - 1)] = lead;
    pageMap[placeOf(border)] = trail;
    pageMap[placeOf(last(trail))] = trail;
    return true;
  }

  /** emap_merge_commit, before the bounds change: the inner borders are forgotten. */
  function merge(lead: number, trail: number): void {
    const border = first(trail);
    const end = last(trail);
    pageMap[placeOf(border - 1)] = 0;
    pageMap[placeOf(border)] = 0;
    pageMap[placeOf(first(lead))] = lead;
    pageMap[placeOf(end)] = lead;
  }

  /** The extent that begins or ends at `page`, or 0. */
  function lookup(page: Page): number {
    return page < 0 || page >= pageMap.length ? 0 : pageMap[placeOf(page)]!;
  }

  return { register, deregister, split, merge, lookup };
}

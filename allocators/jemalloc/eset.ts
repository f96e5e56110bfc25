import * as counters from '../../sim/contract/operations.ts';
import type { Pages } from '../../sim/contract/units.ts';
import type { ExtentHeap } from './extent-heap.ts';
import * as classes from './size-classes.ts';
import { insertClass, pagesToClass, quantizeCeil, searchClass } from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';

const FIT_TABLE_PAGES = 4096;

export type Eset = ReturnType<typeof createEset>;

/**
 * Unused extents of one arena in one state (eset.c): a heap for each page size class, a bitmap of the classes that have
 * any, and a list by age for purging. Set number `s` is arena × 3 + state - 1.
 */
export function createEset(state: State, heap: ExtentHeap) {
  const { OP_BIN_SCAN_STEPS } = counters;
  const { ESET_NPSIZES, PAGE, PAGE_CLASS } = classes;
  const {
    E_OLDER,
    E_PAGES,
    E_START,
    E_YOUNGER,
    EXTENT_KEY,
    ESET_BITMAP_WORDS,
    ESET_WORDS,
    LG_EXTENT_KEYS,
    LG_EXTENT_WORDS,
    S_LEAST,
    S_NPAGES,
    S_OLDEST,
    S_ROOTS,
    S_YOUNGEST,
  } = tables;
  const { config, esets, extentKeys, extents, operations } = state;
  const least = new Float64Array(esets.buffer);

  /** eset_insert */
  function insert(s: number, e: number): void {
    const w = s * ESET_WORDS;
    const p = e << LG_EXTENT_WORDS;
    const pages = extents[p + E_PAGES]!;
    const index = insertClass(pages);
    const at = w + S_ROOTS + 2 * index;
    const l = ((w + S_LEAST) >> 1) + index;
    const key = extentKeys[(e << LG_EXTENT_KEYS) + EXTENT_KEY]!;
    if (esets[at] === 0) {
      esets[w + (index >> 5)]! |= 1 << (index & 31);
      least[l] = key;
    } else if (key < least[l]!) {
      least[l] = key;
    }
    heap.insert(esets, at, e);
    const youngest = esets[w + S_YOUNGEST]!;
    extents[p + E_OLDER] = youngest;
    extents[p + E_YOUNGER] = 0;
    if (youngest === 0) esets[w + S_OLDEST] = e;
    else extents[(youngest << LG_EXTENT_WORDS) + E_YOUNGER] = e;
    esets[w + S_YOUNGEST] = e;
    esets[w + S_NPAGES]! += pages;
  }

  /** eset_remove */
  function remove(s: number, e: number): void {
    const w = s * ESET_WORDS;
    const p = e << LG_EXTENT_WORDS;
    const pages = extents[p + E_PAGES]!;
    const index = insertClass(pages);
    const at = w + S_ROOTS + 2 * index;
    const l = ((w + S_LEAST) >> 1) + index;
    heap.remove(esets, at, e);
    if (esets[at] === 0) {
      esets[w + (index >> 5)]! &= ~(1 << (index & 31));
    } else if (extentKeys[(e << LG_EXTENT_KEYS) + EXTENT_KEY] === least[l]) {
      least[l] = extentKeys[(heap.first(esets, at) << LG_EXTENT_KEYS) + EXTENT_KEY]!;
    }
    const older = extents[p + E_OLDER]!;
    const younger = extents[p + E_YOUNGER]!;
    if (older === 0) esets[w + S_OLDEST] = younger;
    else extents[(older << LG_EXTENT_WORDS) + E_YOUNGER] = younger;
    if (younger === 0) esets[w + S_YOUNGEST] = older;
    else extents[(younger << LG_EXTENT_WORDS) + E_OLDER] = older;
    esets[w + S_NPAGES]! -= pages;
  }

  /** fb_ffs: the first class from `index` on that has extents, or ESET_NPSIZES. */
  function nextClass(w: number, index: number): number {
    let word = index >> 5;
    if (word >= ESET_BITMAP_WORDS) return ESET_NPSIZES;
    let bits = esets[w + word]! & (-1 << (index & 31));
    while (bits === 0) {
      if (++word === ESET_BITMAP_WORDS) return ESET_NPSIZES;
      bits = esets[w + word]!;
    }
    return word * 32 + 31 - Math.clz32(bits & -bits);
  }

  /** eset_first_fit: the oldest, lowest of the first extents of the classes from `pages` on that are below `end`; or 0. */
  function firstFit(w: number, pages: Pages, end: number): number {
    const begin = searchClass(pages);
    const leastOf = (w + S_LEAST) >> 1;
    let found = 0;
    let foundKey = Infinity;
    let word = begin >> 5;
    let bits = esets[w + word]! & (-1 << (begin & 31));
    for (;;) {
      while (bits !== 0) {
        const i = (word << 5) + 31 - Math.clz32(bits & -bits);
        if (i >= end) return found;
        bits &= bits - 1;
        const key = least[leastOf + i]!;
        if (key < foundKey) {
          foundKey = key;
          found = heap.first(esets, w + S_ROOTS + 2 * i);
        }
      }
      if (++word === ESET_BITMAP_WORDS) return found;
      operations[OP_BIN_SCAN_STEPS]!++;
      bits = esets[w + word]!;
    }
  }

  /** eset_fit_alignment: where nothing is large enough for any position, the first of each class may happen to fit. */
  function fitAlignment(w: number, least: Pages, most: Pages, alignment: Pages): number {
    const end = pagesToClass(quantizeCeil(most));
    for (let i = nextClass(w, searchClass(least)); i < end; i = nextClass(w, i + 1)) {
      operations[OP_BIN_SCAN_STEPS]!++;
      const e = heap.first(esets, w + S_ROOTS + 2 * i);
      const p = e << LG_EXTENT_WORDS;
      const start = extents[p + E_START]!;
      const pages = extents[p + E_PAGES]!;
      const aligned = Math.ceil(start / alignment) * alignment;
      if (start + pages > aligned && pages - (aligned - start) >= least) return e;
    }
    return 0;
  }

  /** The first class, from class `i` on, that is too large to be broken for so many pages, by lg_extent_max_active_fit. */
  function fitEnd(pages: Pages, i = 0): number {
    while (i < ESET_NPSIZES && Math.floor((PAGE_CLASS[i]! * PAGE) / 2 ** config.lgExtentMaxActiveFit) <= pages * PAGE)
      i++;
    return i;
  }
  const FIT_END = new Uint8Array(FIT_TABLE_PAGES);
  for (let pages = 0, i = 0; pages < FIT_TABLE_PAGES; pages++) FIT_END[pages] = i = fitEnd(pages, i); // it only grows

  /**
   * eset_fit: an extent that has room for `pages` at a multiple of `alignment`, or 0. `isLimited`: none that is so much
   * larger that breaking it would be a waste.
   */
  function fit(s: number, pages: Pages, alignment: Pages, isLimited: boolean): number {
    const w = s * ESET_WORDS;
    const most = pages + alignment - 1;
    const end = !isLimited ? ESET_NPSIZES : most < FIT_TABLE_PAGES ? FIT_END[most]! : fitEnd(most);
    const found = firstFit(w, most, end);
    return found === 0 && alignment > 1 ? fitAlignment(w, pages, most, alignment) : found;
  }

  return {
    insert,
    remove,
    fit,
    oldest: (s: number) => esets[s * ESET_WORDS + S_OLDEST]!,
    npages: (s: number): Pages => esets[s * ESET_WORDS + S_NPAGES]!,
    /** Calls `visit` for every extent, oldest first. */
    forEach: (s: number, visit: (e: number) => void): void => {
      for (let e = esets[s * ESET_WORDS + S_OLDEST]!; e !== 0; e = extents[(e << LG_EXTENT_WORDS) + E_YOUNGER]!)
        visit(e);
    },
    rootOf: (s: number, index: number) => esets[s * ESET_WORDS + S_ROOTS + 2 * index]!,
  };
}

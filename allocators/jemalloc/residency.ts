import type { Handle } from '../../sim/contract/allocator.ts';
import type { Bytes, Page } from '../../sim/contract/units.ts';
import * as pageStates from '../../sim/kernel/residency.ts';
import * as classes from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';

/** Distance of two regions; 0 for large classes, whose region is always 0. */
const REGION_SIZE: Int32Array = Int32Array.from({ length: classes.NSIZES + 1 }, (_, i) =>
  i < classes.NBINS ? classes.INDEX_SIZE[i]! : 0,
);
/** Usable sizes of the classes that caches hold. */
const USABLE: Int32Array = Int32Array.from(classes.INDEX_SIZE, (size) => Math.min(size, 2147483647));
const LARGE_FOR_INT32 = 2 ** 30;

export type BlockPages = ReturnType<typeof createBlockPages>;

/**
 * Which pages a block lies on, and whether they are resident. A replay that writes every fresh block would have to look at
 * its pages each time; most come out of a thread cache and were written before. So where the trace's blocks are written
 * (`tracksPages`), a cache knows it of each of its blocks:
 *
 *   slot > 0   all pages of the block are resident, and stay so until its extent is unused again
 *   slot < 0   the block is -slot, and some of its pages may be absent
 *
 * A block is filed with a minus when a fill takes it from a slab that is not all resident, and when it is freed while an end
 * of it that nobody asked for lies on an absent page. So that other frees need not look, `freeClass` of an extent is its
 * `extentClass`, but NSIZES as long as the program may hold a block of it with such an end.
 */
export function createBlockPages(state: State) {
  const { RESIDENT } = pageStates;
  const { NBINS, NSIZES, PAGE, SLAB_PAGES } = classes;
  const { E_OFFSET, E_START, HANDLE_SHIFT, LG_EXTENT_WORDS, REGION_MASK } = tables;
  const { config, extentClass, extents, freeClass, kernel, slots, tracksPages } = state;
  const { cacheBins } = config;
  const { pages, fault } = kernel;
  // Four pages at a time, from any page on.
  const states = new DataView(pages.buffer);
  const FOUR_RESIDENT = RESIDENT * 0x01010101;

  /** Bytes from the start of an extent to a block in it. */
  const offsetOf = (h: Handle): Bytes => {
    const e = h >> HANDLE_SHIFT;
    return extents[(e << LG_EXTENT_WORDS) + E_OFFSET]! + (h & REGION_MASK) * REGION_SIZE[extentClass[e]!]!;
  };

  const startOf = (h: Handle): Page => extents[((h >> HANDLE_SHIFT) << LG_EXTENT_WORDS) + E_START]!;

  // -------------------------------------------------------------------------------------------------------- writing

  function touch(page: Page): void {
    if (pages[page] !== RESIDENT) fault(page);
  }

  /** Every page from `first` to `last`, inclusive. Mostly all of them are resident. */
  function touchPages(first: Page, last: Page): void {
    const lastFour = last - 3;
    if (first <= lastFour) {
      let page = first;
      while (page < lastFour && states.getInt32(page, true) === FOUR_RESIDENT) page += 4;
      if (page >= lastFour && states.getInt32(lastFour, true) === FOUR_RESIDENT) return;
    }
    kernel.touchRange(first, last);
  }

  /** Bytes [from, to) of a block are written. */
  function touchBlock(h: Handle, from: Bytes, to: Bytes): void {
    const start = startOf(h);
    const offset = offsetOf(h);
    if (to > LARGE_FOR_INT32) {
      kernel.touchRange(start + Math.floor((offset + from) / PAGE), start + Math.floor((offset + to - 1) / PAGE));
      return;
    }
    const first = start + ((offset + from) >> 12);
    const last = start + ((offset + to - 1) >> 12);
    if (first === last) touch(first);
    else touchPages(first, last);
  }

  // -------------------------------------------------------------------------------------------------- what is known

  function areResident(first: Page, last: Page): boolean {
    for (let page = first; page <= last; page++) if (pages[page] !== RESIDENT) return false;
    return true;
  }

  /** Whether bytes from `from` to the end of a block of a cached class lie on resident pages. */
  function isResidentFrom(h: Handle, from: Bytes): boolean {
    const start = startOf(h);
    const offset = offsetOf(h);
    const end = offset + USABLE[extentClass[h >> HANDLE_SHIFT]!]! - 1;
    return areResident(start + ((offset + from) >> 12), start + (end >> 12));
  }

  /** The last page is looked at first: it is the last that is written, mostly. */
  function isSlabResident(e: number): boolean {
    const start = extents[(e << LG_EXTENT_WORDS) + E_START]!;
    const last = start + SLAB_PAGES[extentClass[e]!]! - 1;
    return pages[last] === RESIDENT && areResident(start, last);
  }

  /** Regions of slab `e` were put into slots [from, to): those in front of its first absent page are known to be resident. */
  function fileFresh(e: number, from: number, to: number): void {
    if (!tracksPages) return;
    const start = extents[(e << LG_EXTENT_WORDS) + E_START]!;
    const sizeClass = extentClass[e]!;
    const slabPages = SLAB_PAGES[sizeClass]!;
    let resident = 0;
    while (resident < slabPages && pages[start + resident] === RESIDENT) resident++;
    if (resident === slabPages) return;
    const end = (e << HANDLE_SHIFT) + (((resident << 12) / REGION_SIZE[sizeClass]!) | 0);
    for (let i = from; i < to; i++) if (slots[i]! >= end) slots[i] = -slots[i]!;
  }

  /** What a cache holds for a block that is freed into it. */
  function filed(h: Handle): number {
    const e = h >> HANDLE_SHIFT;
    const sizeClass = extentClass[e]!;
    if (freeClass[e] === sizeClass) return h;
    const start = extents[(e << LG_EXTENT_WORDS) + E_START]!;
    const offset = offsetOf(h);
    const first = start + (offset >> 12);
    const last = start + ((offset + USABLE[sizeClass]! - 1) >> 12);
    if (first === last ? pages[first] !== RESIDENT : !areResident(first, last)) return -h;
    if (sizeClass >= NBINS || isSlabResident(e)) freeClass[e] = sizeClass;
    return h;
  }

  /** The block that a cache held, or a fresh one, for the program to do with as it likes. */
  function handOut(slot: number): Handle {
    if (slot >= 0) return slot;
    freeClass[-slot >> HANDLE_SHIFT] = NSIZES;
    return -slot;
  }

  /** The same for a program that writes its first `size` bytes at once. */
  function handOutWritten(slot: number, size: Bytes): Handle {
    const h = slot < 0 ? -slot : slot;
    const e = h >> HANDLE_SHIFT;
    if (slot > 0 && freeClass[e] !== NSIZES) return h;
    const sizeClass = extentClass[e]!;
    if (sizeClass >= cacheBins) {
      if (size > 0) touchBlock(h, 0, size);
      return h;
    }
    const start = extents[(e << LG_EXTENT_WORDS) + E_START]!;
    const offset = offsetOf(h);
    const first = start + (offset >> 12);
    const last = start + ((offset + USABLE[sizeClass]! - 1) >> 12);
    const lastWritten = size === 0 ? first - 1 : start + ((offset + size - 1) >> 12);
    if (first === lastWritten) touch(first);
    else touchPages(first, lastWritten);
    if (lastWritten < last && !areResident(lastWritten + 1, last)) freeClass[e] = NSIZES;
    else if (sizeClass >= NBINS) freeClass[e] = sizeClass;
    return h;
  }

  return { offsetOf, touchBlock, isResidentFrom, fileFresh, filed, handOut, handOutWritten };
}

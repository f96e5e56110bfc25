import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import { BIN_ELEMENTS, BIN_PAGES, BIN_SIZE } from './bins.ts';
import type { Large } from './large.ts';
import {
  CELL_MASK,
  FREE_SLOT,
  heapBase,
  nrun,
  PAGE_CELL_SHIFT,
  REFUSED_UNITS,
  srun,
  type ZendState,
} from './layout.ts';

export type Small = ReturnType<typeof createSmall>;

/** Elements of runs. The free list of a bin goes through the elements themselves: the word at an element is its link. */
export function createSmall(state: ZendState, large: Large) {
  const { heaps, sizes, map, cells, machine } = state;
  const { kernel } = machine;
  const units = Int32Array.from(BIN_SIZE, (size) => size / 8);

  /** zend_mm_alloc_small_slow: a new run; its first element is returned, the others become the free list, in order. */
  function allocSlow(t: ThreadSlot, bin: number): Handle {
    const pages = BIN_PAGES[bin]!;
    const first = large.allocPages(t, pages);
    if (first === 0) return 0;
    const page = (first & CELL_MASK) >>> PAGE_CELL_SHIFT;
    map[page] = srun(bin, 0);
    for (let i = 1; i < pages; i++) map[page + i] = nrun(bin, i);
    const step = units[bin]!;
    const end = first + step * (BIN_ELEMENTS[bin]! - 1);
    for (let element = first + step; element < end; element += step) cells[element & CELL_MASK] = element + step;
    cells[end & CELL_MASK] = 0;
    heaps[heapBase(t) + FREE_SLOT + bin] = first + step;
    // Every page of a run holds the beginning of an element, so the links touch them all.
    const start = state.startPageOf(first) + (page & 511);
    kernel.touchRange(start, start + pages - 1);
    return first;
  }

  /** zend_mm_alloc_small: the size counts even where no run can be had. */
  function allocSmall(t: ThreadSlot, bin: number): Handle {
    const heap = heapBase(t);
    large.grow(t, units[bin]!);
    const element = heaps[heap + FREE_SLOT + bin]!;
    if (element === 0) {
      const first = allocSlow(t, bin);
      if (first === 0) heaps[heap + REFUSED_UNITS]! += units[bin]!;
      return first;
    }
    heaps[heap + FREE_SLOT + bin] = cells[element & CELL_MASK]!;
    return element;
  }

  /** zend_mm_free_small. */
  function freeSmall(t: ThreadSlot, h: Handle, bin: number): void {
    const heap = heapBase(t);
    sizes[t]! -= units[bin]!;
    cells[h & CELL_MASK] = heaps[heap + FREE_SLOT + bin]!;
    heaps[heap + FREE_SLOT + bin] = h;
  }

  return { allocSmall, allocSlow, freeSmall, units };
}

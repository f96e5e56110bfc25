import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { AllocatorAbort } from '../../sim/contract/assert.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import { BIN_ELEMENTS, BIN_PAGES, BINS } from './bins.ts';
import { isSet } from './bitmap.ts';
import type { Chunks } from './chunk.ts';
import {
  BIN_MASK,
  CELL_MASK,
  CHUNK_PAGES,
  CHUNK_SLOTS,
  counterOf,
  FIRST_PAGE,
  FREE_MAP,
  FREE_PAGES,
  FREE_SLOT,
  FREE_TAIL,
  GC_RUNS,
  heapBase,
  IS_LRUN,
  IS_SRUN,
  LRUN_PAGES_MASK,
  MAIN_CHUNK,
  NEXT,
  PAGE_CELL_SHIFT,
  SLOT_SHIFT_WORDS,
  srun,
  type ZendState,
} from './layout.ts';

export type Gc = (t: ThreadSlot) => Bytes;

/** zend_mm_gc: takes the runs whose elements are all free out of the free lists; returns the bytes of those runs. */
export function createGc(state: ZendState, chunks: Chunks): Gc {
  const { heaps, slots, map, cells } = state;

  /** Index in `map` of the first page of the run that the element lies in. */
  function runOf(element: number): number {
    const page = (element & CELL_MASK) >>> PAGE_CELL_SHIFT;
    const info = map[page]!;
    return info & IS_LRUN ? page - counterOf(info) : page;
  }

  /** Counts the free elements of each run of the bin; whether any run is free as a whole. */
  function countFree(list: number, bin: number): boolean {
    let any = false;
    for (let element = heaps[list]!; element !== 0; element = cells[element & CELL_MASK]!) {
      const run = runOf(element);
      const counter = counterOf(map[run]!) + 1;
      if (counter === BIN_ELEMENTS[bin]) any = true;
      map[run] = srun(bin, counter);
    }
    return any;
  }

  /** Unlinks the elements of the runs that are free as a whole. */
  function unlinkFreeRuns(list: number, bin: number): void {
    let previous = 0;
    for (let element = heaps[list]!; element !== 0; ) {
      const next = cells[element & CELL_MASK]!;
      if (counterOf(map[runOf(element)]!) !== BIN_ELEMENTS[bin]) previous = element;
      else if (previous === 0) heaps[list] = next;
      else cells[previous & CELL_MASK] = next;
      element = next;
    }
  }

  /** Frees the whole runs of a chunk and clears the counters of the others; returns the pages freed. */
  function sweep(t: ThreadSlot, slot: number): number {
    const record = slot << SLOT_SHIFT_WORDS;
    let collected = 0;
    for (let page = FIRST_PAGE; page < slots[record + FREE_TAIL]!; ) {
      if (!isSet(slots, record + FREE_MAP, page)) {
        page++;
        continue;
      }
      const info = map[slot * CHUNK_PAGES + page]!;
      if (info & IS_SRUN) {
        const bin = info & BIN_MASK;
        const pages = BIN_PAGES[bin]!;
        if (counterOf(info) === BIN_ELEMENTS[bin]) {
          chunks.freePages(t, slot, page, pages, false);
          collected += pages;
        } else {
          map[slot * CHUNK_PAGES + page] = srun(bin, 0);
        }
        page += pages;
      } else {
        page += info & LRUN_PAGES_MASK;
      }
    }
    return collected;
  }

  /**
   * The first chunk is removed too when it is empty: it is then out of the ring in which it is waited for. The real one goes round for
   * ever, or reads the NULL behind the cached chunks.
   */
  return function gc(t: ThreadSlot): Bytes {
    const heap = heapBase(t);
    heaps[heap + GC_RUNS]!++;
    for (let bin = 0; bin < BINS; bin++) {
      const list = heap + FREE_SLOT + bin;
      if (countFree(list, bin)) unlinkFreeRuns(list, bin);
    }
    const main = heaps[heap + MAIN_CHUNK]!;
    let collected = 0;
    let slot = main;
    let steps = 0;
    do {
      collected += sweep(t, slot);
      const record = slot << SLOT_SHIFT_WORDS;
      const next = slots[record + NEXT]!;
      if (slots[record + FREE_PAGES] === CHUNK_PAGES - FIRST_PAGE) chunks.remove(t, slot);
      slot = next;
      if (slot === 0) throw new AllocatorAbort('Segmentation fault');
      if (++steps > CHUNK_SLOTS) throw new AllocatorAbort('zend_mm_gc never ends: the first chunk is out of its ring');
    } while (slot !== main);
    return collected * 4096;
  };
}

import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import { AllocatorAbort } from '../../sim/contract/assert.ts';
import { OP_BIN_SCAN_STEPS, OP_SLOW_CALLS } from '../../sim/contract/operations.ts';
import type { Bytes, Pages } from '../../sim/contract/units.ts';
import { findClear, findSet, setRange } from './bitmap.ts';
import type { Chunks } from './chunk.ts';
import type { Gc } from './gc.ts';
import {
  CACHED_CHUNKS,
  CACHED_CHUNKS_COUNT,
  CHUNK_BYTES,
  CHUNK_PAGES,
  CHUNKS_COUNT,
  FIRST_PAGE,
  FREE_MAP,
  FREE_PAGES,
  FREE_TAIL,
  handleOf,
  heapBase,
  lrun,
  MAIN_CHUNK,
  NEXT,
  PEAK_CHUNKS_COUNT,
  PREV,
  REAL_PEAK,
  REAL_SIZE,
  SLOT_SHIFT_WORDS,
  type ZendState,
} from './layout.ts';
import type { Limits, Refusals } from './limit.ts';
import type { Storage } from './storage.ts';

export type Large = ReturnType<typeof createLarge>;

/** Runs of pages in chunks. */
export function createLarge(
  state: ZendState,
  storage: Storage,
  chunks: Chunks,
  gc: Gc,
  refusals: Refusals,
  limits: Limits,
) {
  const { heaps, sizes, peaks, slots, map, machine } = state;
  const { operations } = machine;
  const reportsChunk = state.version !== '7.1';

  /**
   * The smallest gap of at least `pages` in the chunk, the first of several equal ones; 0 where there is none. The real
   * search goes by words of 64 bits and takes a gap for the chunk's tail as soon as it reaches a word at or behind
   * free_tail, without looking further; free_tail becomes exact there.
   */
  function bestFit(record: number, pages: Pages): number {
    const bitmap = record + FREE_MAP;
    let best = 0;
    let bestLength = CHUNK_PAGES;
    let from = 0;
    for (;;) {
      operations[OP_BIN_SCAN_STEPS]!++;
      const page = findClear(slots, bitmap, from, CHUNK_PAGES);
      if (page === CHUNK_PAGES) return best;
      const tail = Math.max((page | 63) + 1, (slots[record + FREE_TAIL]! + 63) & ~63);
      const end = findSet(slots, bitmap, page, tail);
      if (end === tail) {
        const length = CHUNK_PAGES - page;
        if (length >= pages && length < bestLength) {
          slots[record + FREE_TAIL] = page + pages;
          return page;
        }
        slots[record + FREE_TAIL] = page;
        return best;
      }
      const length = end - page;
      if (length === pages) return page;
      if (length > pages && length < bestLength) {
        bestLength = length;
        best = page;
      }
      from = end;
    }
  }

  /** A chunk from the cache or from the kernel, in the ring; 0 where the limit or the kernel refuses it. */
  function addChunk(t: ThreadSlot, pages: Pages): number {
    const heap = heapBase(t);
    let slot = takeCached(heap);
    while (slot === 0 && !limits.allows(t, heaps[heap + REAL_SIZE]! + CHUNK_PAGES)) {
      // The collection may fill the cache or lower the real size; without any result the request is over.
      if (gc(t) === 0) {
        if (!limits.refuses(heaps[heap + REAL_SIZE]! + CHUNK_PAGES)) break;
        refusals.overLimit(t, limits.bytes(t), reportsChunk ? CHUNK_BYTES : pages * 4096);
        return 0;
      }
      slot = takeCached(heap);
    }
    if (slot === 0) {
      slot = newChunk(t);
      if (slot === 0 && gc(t) > 0) slot = newChunk(t);
      if (slot === 0) {
        refusals.outOfMemory(t, heaps[heap + REAL_SIZE]! * 4096, pages * 4096);
        return 0;
      }
      const real = heaps[heap + REAL_SIZE]! + CHUNK_PAGES;
      heaps[heap + REAL_SIZE] = real;
      if (real > heaps[heap + REAL_PEAK]!) heaps[heap + REAL_PEAK] = real;
    }
    const count = ++heaps[heap + CHUNKS_COUNT]!;
    if (count > heaps[heap + PEAK_CHUNKS_COUNT]!) heaps[heap + PEAK_CHUNKS_COUNT] = count;
    chunks.init(t, slot);
    return slot;
  }

  function takeCached(heap: number): number {
    const slot = heaps[heap + CACHED_CHUNKS]!;
    if (slot !== 0) {
      heaps[heap + CACHED_CHUNKS_COUNT]!--;
      heaps[heap + CACHED_CHUNKS] = slots[(slot << SLOT_SHIFT_WORDS) + NEXT]!;
    }
    return slot;
  }

  function newChunk(t: ThreadSlot): number {
    const start = storage.allocate(t, CHUNK_PAGES);
    return start < 0 ? 0 : chunks.place(t, start);
  }

  /** zend_mm_alloc_pages: the first chunk of the ring that has a gap; 0 where none can be had. */
  function allocPages(t: ThreadSlot, pages: Pages): Handle {
    operations[OP_SLOW_CALLS]!++;
    const main = heaps[heapBase(t) + MAIN_CHUNK]!;
    let slot = main;
    let page = 0;
    let steps = 0;
    for (;;) {
      const record = slot << SLOT_SHIFT_WORDS;
      if (slots[record + FREE_PAGES]! >= pages) {
        page = bestFit(record, pages);
        if (page > 0) break;
      }
      const next = slots[record + NEXT]!;
      if (next === main) {
        slot = addChunk(t, pages);
        if (slot === 0) return 0;
        page = FIRST_PAGE;
        break;
      }
      if (next === 0) throw new AllocatorAbort('Segmentation fault'); // 7.1 took its own main chunk out of the ring
      slot = next;
      steps++;
    }
    const record = slot << SLOT_SHIFT_WORDS;
    if (steps > 2 && pages < 8) moveBehindMain(main, slot, record);
    slots[record + FREE_PAGES]! -= pages;
    setRange(slots, record + FREE_MAP, page, pages);
    map[slot * CHUNK_PAGES + page] = lrun(pages);
    if (page === slots[record + FREE_TAIL]) slots[record + FREE_TAIL] = page + pages;
    return handleOf(slot, page);
  }

  /** A chunk that was found late comes first from now on. */
  function moveBehindMain(main: number, slot: number, record: number): void {
    const mainRecord = main << SLOT_SHIFT_WORDS;
    const next = slots[record + NEXT]!;
    const prev = slots[record + PREV]!;
    slots[(prev << SLOT_SHIFT_WORDS) + NEXT] = next;
    slots[(next << SLOT_SHIFT_WORDS) + PREV] = prev;
    const second = slots[mainRecord + NEXT]!;
    slots[record + NEXT] = second;
    slots[record + PREV] = main;
    slots[mainRecord + NEXT] = slot;
    slots[(second << SLOT_SHIFT_WORDS) + PREV] = slot;
  }

  /** zend_mm_alloc_large. */
  function allocLarge(t: ThreadSlot, size: Bytes): Handle {
    const pages = Math.ceil(size / 4096);
    const h = allocPages(t, pages);
    if (h !== 0) grow(t, pages * 512);
    return h;
  }

  /** zend_mm_free_large. */
  function freeLarge(t: ThreadSlot, slot: number, page: number, pages: Pages): void {
    operations[OP_SLOW_CALLS]!++;
    sizes[t]! -= pages * 512;
    chunks.freePages(t, slot, page, pages, true);
  }

  /** heap->size and heap->peak, in units of 8 bytes. */
  function grow(t: ThreadSlot, units: number): void {
    const size = sizes[t]! + units;
    sizes[t] = size;
    if (size > peaks[t]!) peaks[t] = size;
  }

  return { allocPages, allocLarge, freeLarge, grow };
}

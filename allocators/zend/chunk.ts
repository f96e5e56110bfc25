import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { AllocatorAbort } from '../../sim/contract/assert.ts';
import type { Page } from '../../sim/contract/units.ts';
import { resetRange } from './bitmap.ts';
import {
  CACHED_CHUNKS,
  CACHED_CHUNKS_COUNT,
  CHUNK_PAGES,
  CHUNKS_COUNT,
  FIRST_PAGE,
  FREE_MAP,
  FREE_PAGES,
  FREE_TAIL,
  heapBase,
  LAST_CHUNKS_DELETE_BOUNDARY,
  LAST_CHUNKS_DELETE_COUNT,
  lrun,
  MAIN_CHUNK,
  MAIN_DELETED,
  NEXT,
  NUM,
  PREV,
  REAL_SIZE,
  SLOT_SHIFT_WORDS,
  START_PAGE,
  type ZendState,
} from './layout.ts';
import type { Storage } from './storage.ts';

export type Chunks = ReturnType<typeof createChunks>;

/** Chunks as wholes: how one begins, which are kept when they become empty, and how pages go back to one. */
export function createChunks(state: ZendState, storage: Storage) {
  const { heaps, averages, slots, map, machine } = state;
  const { kernel } = machine;
  const firstDeletesMain = state.version === '7.1';
  const countsDeletions = state.version !== '7.1';

  /** A slot for a fresh mapping that begins at `start`; 0, and the mapping is given back, where no slot is left. */
  function place(t: ThreadSlot, start: Page): number {
    const slot = state.takeChunkSlot(t);
    if (slot === 0) storage.release(t, start, CHUNK_PAGES);
    else slots[(slot << SLOT_SHIFT_WORDS) + START_PAGE] = start;
    return slot;
  }

  function unmap(t: ThreadSlot, slot: number): void {
    storage.release(t, slots[(slot << SLOT_SHIFT_WORDS) + START_PAGE]!, CHUNK_PAGES);
    state.giveSlot(t, slot);
  }

  /** The pages of an empty chunk: all free but the header. */
  function clearPages(slot: number): void {
    const record = slot << SLOT_SHIFT_WORDS;
    slots[record + FREE_PAGES] = CHUNK_PAGES - FIRST_PAGE;
    slots[record + FREE_TAIL] = FIRST_PAGE;
    slots[record + FREE_MAP] = (1 << FIRST_PAGE) - 1;
    map[slot * CHUNK_PAGES] = lrun(FIRST_PAGE);
  }

  /** zend_mm_chunk_init: the chunk becomes the last of the heap's ring, and the youngest. */
  function init(t: ThreadSlot, slot: number): void {
    const main = heaps[heapBase(t) + MAIN_CHUNK]!;
    const record = slot << SLOT_SHIFT_WORDS;
    const mainRecord = main << SLOT_SHIFT_WORDS;
    const last = slots[mainRecord + PREV]!;
    slots[record + NEXT] = main;
    slots[record + PREV] = last;
    slots[(last << SLOT_SHIFT_WORDS) + NEXT] = slot;
    slots[mainRecord + PREV] = slot;
    slots[record + NUM] = slots[(last << SLOT_SHIFT_WORDS) + NUM]! + 1;
    clearPages(slot);
    kernel.touch(slots[record + START_PAGE]!);
  }

  /** zend_mm_delete_chunk: an empty chunk is kept while there are fewer than the average request had, else unmapped. */
  function remove(t: ThreadSlot, slot: number): void {
    const heap = heapBase(t);
    const record = slot << SLOT_SHIFT_WORDS;
    const next = slots[record + NEXT]!;
    const prev = slots[record + PREV]!;
    slots[(next << SLOT_SHIFT_WORDS) + PREV] = prev;
    slots[(prev << SLOT_SHIFT_WORDS) + NEXT] = next;
    if (slot === heaps[heap + MAIN_CHUNK]!) heaps[heap + MAIN_DELETED] = 1;
    const count = --heaps[heap + CHUNKS_COUNT]!;
    const cached = heaps[heap + CACHED_CHUNKS]!;
    if (
      count + heaps[heap + CACHED_CHUNKS_COUNT]! < averages[t]! + 0.1 ||
      // A heap that drops to the same count again and again keeps the chunk instead of mapping it anew.
      (countsDeletions &&
        count === heaps[heap + LAST_CHUNKS_DELETE_BOUNDARY]! &&
        heaps[heap + LAST_CHUNKS_DELETE_COUNT]! >= 4)
    ) {
      heaps[heap + CACHED_CHUNKS_COUNT]!++;
      slots[record + NEXT] = cached;
      heaps[heap + CACHED_CHUNKS] = slot;
      return;
    }
    heaps[heap + REAL_SIZE]! -= CHUNK_PAGES;
    if (countsDeletions && cached === 0) {
      if (count !== heaps[heap + LAST_CHUNKS_DELETE_BOUNDARY]!) {
        heaps[heap + LAST_CHUNKS_DELETE_BOUNDARY] = count;
        heaps[heap + LAST_CHUNKS_DELETE_COUNT] = 0;
      } else {
        heaps[heap + LAST_CHUNKS_DELETE_COUNT]!++;
      }
    }
    const cachedRecord = cached << SLOT_SHIFT_WORDS;
    if (cached === 0 || slots[record + NUM]! > slots[cachedRecord + NUM]!) {
      unmap(t, slot);
      // The heap's own header lay in that chunk.
      if (slot === heaps[heap + MAIN_CHUNK]!) throw new AllocatorAbort('Segmentation fault');
    } else {
      slots[record + NEXT] = slots[cachedRecord + NEXT]!;
      unmap(t, cached);
      heaps[heap + CACHED_CHUNKS] = slot;
    }
  }

  /** zend_mm_free_pages_ex. */
  function freePages(t: ThreadSlot, slot: number, page: number, pages: number, mayRemove: boolean): void {
    const record = slot << SLOT_SHIFT_WORDS;
    const free = slots[record + FREE_PAGES]! + pages;
    slots[record + FREE_PAGES] = free;
    resetRange(slots, record + FREE_MAP, page, pages);
    map[slot * CHUNK_PAGES + page] = 0;
    if (slots[record + FREE_TAIL] === page + pages) slots[record + FREE_TAIL] = page;
    if (mayRemove && free === CHUNK_PAGES - FIRST_PAGE) {
      if (firstDeletesMain || slot !== heaps[heapBase(t) + MAIN_CHUNK]!) remove(t, slot);
    }
  }

  return { place, unmap, clearPages, init, remove, freePages };
}

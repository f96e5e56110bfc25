import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { AllocatorAbort } from '../../sim/contract/assert.ts';
import type { Pages } from '../../sim/contract/units.ts';
import { BINS } from './bins.ts';
import type { Chunks } from './chunk.ts';
import {
  CACHED_CHUNKS,
  CACHED_CHUNKS_COUNT,
  CELL_MASK,
  CHUNK_PAGES,
  CHUNK_SLOTS,
  CHUNKS_COUNT,
  FREE_MAP,
  FREE_MAP_WORDS,
  FREE_PAGES,
  FREE_SLOT,
  FREE_TAIL,
  HUGE_LIST,
  HUGE_PAGES_COUNT,
  heapBase,
  LAST_CHUNKS_DELETE_BOUNDARY,
  LAST_CHUNKS_DELETE_COUNT,
  MAIN_CHUNK,
  MAIN_DELETED,
  NEXT,
  NODE_BLOCK,
  NODE_NEXT,
  NUM,
  PEAK_CHUNKS_COUNT,
  PREV,
  REAL_PEAK,
  REAL_SIZE,
  REFUSED_UNITS,
  REQUESTS,
  SLOT_SHIFT_WORDS,
  SPARE_CHUNK_SLOTS,
  START_PAGE,
  slotOf,
  type ZendState,
} from './layout.ts';
import type { Limits } from './limit.ts';
import type { Storage } from './storage.ts';

/** The life of a heap: it begins with one chunk, is emptied at the end of each request, and ends with its thread. */
export function createRequests(state: ZendState, storage: Storage, chunks: Chunks, limits: Limits) {
  const { heaps, sizes, peaks, averages, slots, map, cells, machine } = state;
  const { kernel } = machine;
  const countsCachedAsReal = state.version !== '7.1';

  /** zend_mm_init; false where the kernel gives no first chunk ("Can't initialize heap"). */
  function start(t: ThreadSlot): boolean {
    const page = storage.allocate(t, CHUNK_PAGES);
    if (page < 0) return false;
    const slot = chunks.place(t, page);
    if (slot === 0) return false;
    const heap = heapBase(t);
    const record = slot << SLOT_SHIFT_WORDS;
    slots[record + NEXT] = slot;
    slots[record + PREV] = slot;
    chunks.clearPages(slot);
    heaps[heap + MAIN_CHUNK] = slot;
    heaps[heap + CHUNKS_COUNT] = 1;
    heaps[heap + PEAK_CHUNKS_COUNT] = 1;
    heaps[heap + REAL_SIZE] = CHUNK_PAGES;
    heaps[heap + REAL_PEAK] = CHUNK_PAGES;
    averages[t] = 1;
    kernel.touch(page);
    return true;
  }

  /** The list stays until its nodes' chunks are free: where the ring leads nowhere, the process ends in between. */
  function freeHugeBlocks(t: ThreadSlot, heap: number): void {
    for (let node = heaps[heap + HUGE_LIST]!; node !== 0; node = cells[(node & CELL_MASK) + NODE_NEXT]!) {
      const slot = slotOf(cells[(node & CELL_MASK) + NODE_BLOCK]!);
      const record = slot << SLOT_SHIFT_WORDS;
      storage.release(t, slots[record + START_PAGE]!, slots[record + HUGE_PAGES_COUNT]!);
      state.giveSlot(t, slot);
    }
  }

  /** Whether the ring of chunks closes at the first one. */
  function leadsBack(main: number): boolean {
    let slot = slots[(main << SLOT_SHIFT_WORDS) + NEXT]!;
    for (let steps = 0; slot !== 0 && slot !== main && steps < CHUNK_SLOTS; steps++) {
      slot = slots[(slot << SLOT_SHIFT_WORDS) + NEXT]!;
    }
    return slot === main;
  }

  /** All chunks but the first go into the cache, so that the youngest is its first. */
  function cacheAllChunks(heap: number): void {
    const main = heaps[heap + MAIN_CHUNK]!;
    // 7.1 may have put the first chunk itself into the cache when it became empty: the ring then ends in NULL.
    if (heaps[heap + MAIN_DELETED] === 1 && !leadsBack(main)) throw new AllocatorAbort('Segmentation fault');
    for (let slot = slots[(main << SLOT_SHIFT_WORDS) + NEXT]!; slot !== main; ) {
      const record = slot << SLOT_SHIFT_WORDS;
      const next = slots[record + NEXT]!;
      slots[record + NEXT] = heaps[heap + CACHED_CHUNKS]!;
      heaps[heap + CACHED_CHUNKS] = slot;
      slot = next;
      heaps[heap + CHUNKS_COUNT]!--;
      heaps[heap + CACHED_CHUNKS_COUNT]!++;
    }
  }

  function dropCachedChunk(t: ThreadSlot, heap: number): void {
    const slot = heaps[heap + CACHED_CHUNKS]!;
    heaps[heap + CACHED_CHUNKS] = slots[(slot << SLOT_SHIFT_WORDS) + NEXT]!;
    heaps[heap + CACHED_CHUNKS_COUNT]!--;
    chunks.unmap(t, slot);
    // The heap's own header lay in that chunk.
    if (slot === heaps[heap + MAIN_CHUNK]!) throw new AllocatorAbort('Segmentation fault');
  }

  /** memset of a cached chunk's header. */
  function clearHeader(slot: number): void {
    const record = slot << SLOT_SHIFT_WORDS;
    slots[record + PREV] = 0;
    slots[record + FREE_PAGES] = 0;
    slots[record + FREE_TAIL] = 0;
    slots[record + NUM] = 0;
    slots.fill(0, record + FREE_MAP, record + FREE_MAP + FREE_MAP_WORDS);
    map.fill(0, slot * CHUNK_PAGES, (slot + 1) * CHUNK_PAGES);
  }

  /** zend_mm_shutdown of a request: everything is released at once; chunks stay as the running average says. */
  function end(t: ThreadSlot): void {
    const heap = heapBase(t);
    const main = heaps[heap + MAIN_CHUNK]!;
    if (main === 0) return;
    freeHugeBlocks(t, heap);
    cacheAllChunks(heap);
    heaps[heap + HUGE_LIST] = 0;
    averages[t] = (averages[t]! + heaps[heap + PEAK_CHUNKS_COUNT]!) / 2;
    while (heaps[heap + CACHED_CHUNKS] !== 0 && heaps[heap + CACHED_CHUNKS_COUNT]! + 0.9 > averages[t]!) {
      dropCachedChunk(t, heap);
    }
    for (let slot = heaps[heap + CACHED_CHUNKS]!; slot !== 0; slot = slots[(slot << SLOT_SHIFT_WORDS) + NEXT]!) {
      clearHeader(slot);
    }
    clearHeader(main);
    const record = main << SLOT_SHIFT_WORDS;
    slots[record + NEXT] = main;
    slots[record + PREV] = main;
    chunks.clearPages(main);
    sizes[t] = 0;
    peaks[t] = 0;
    heaps[heap + REFUSED_UNITS] = 0;
    heaps.fill(0, heap + FREE_SLOT, heap + FREE_SLOT + BINS);
    // 7.1 forgets here that the cached chunks are still mapped.
    const kept = countsCachedAsReal ? heaps[heap + CACHED_CHUNKS_COUNT]! + 1 : 1;
    heaps[heap + REAL_SIZE] = kept * CHUNK_PAGES;
    heaps[heap + REAL_PEAK] = kept * CHUNK_PAGES;
    heaps[heap + CHUNKS_COUNT] = 1;
    heaps[heap + PEAK_CHUNKS_COUNT] = 1;
    heaps[heap + LAST_CHUNKS_DELETE_BOUNDARY] = 0;
    heaps[heap + LAST_CHUNKS_DELETE_COUNT] = 0;
    heaps[heap + REQUESTS]!++;
  }

  /** zend_mm_shutdown in full, of a thread or of the engine: everything goes back to the kernel, and the heap with it. */
  function destroy(t: ThreadSlot): void {
    const heap = heapBase(t);
    const main = heaps[heap + MAIN_CHUNK]!;
    if (main === 0) return;
    freeHugeBlocks(t, heap);
    cacheAllChunks(heap);
    while (heaps[heap + CACHED_CHUNKS] !== 0) dropCachedChunk(t, heap);
    chunks.unmap(t, main);
    // The lists of spare slots are ours, not the heap's; they outlive it.
    sizes[t] = 0;
    peaks[t] = 0;
    heaps.fill(0, heap, heap + SPARE_CHUNK_SLOTS);
    heaps.fill(0, heap + FREE_SLOT, heap + FREE_SLOT + BINS);
    averages[t] = 0;
  }

  /** zend_set_memory_limit: cached chunks go where that is enough; a limit below what is in use is not accepted. */
  function setMemoryLimit(t: ThreadSlot, limit: Pages): void {
    const heap = heapBase(t);
    if (limit >= 0 && countsCachedAsReal) {
      if (limit < heaps[heap + REAL_SIZE]! - heaps[heap + CACHED_CHUNKS_COUNT]! * CHUNK_PAGES) return;
      while (limit < heaps[heap + REAL_SIZE]!) {
        dropCachedChunk(t, heap);
        heaps[heap + REAL_SIZE]! -= CHUNK_PAGES;
      }
    }
    limits.set(t, limit);
  }

  return { start, end, destroy, setMemoryLimit };
}

import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import { OP_SLOW_CALLS } from '../../sim/contract/operations.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import {
  ADDRESS,
  BASELINE_HANDLE,
  BUCKETS,
  CACHE,
  CACHED,
  CACHED_SIZE,
  FORGOTTEN,
  HEAP_HANDLE,
  heapBase,
  LENGTH,
  PEAK,
  PREV_FREE,
  REAL_SIZE,
  RESERVE,
  SIZE,
  STARTED,
  STATE,
  STORAGE_HANDLE,
  UNIT,
  UNIT_PAGE_SHIFT,
  USED,
} from './layout.ts';
import type { Parts } from './parts.ts';

/** ZEND_MM_CACHE_SIZE: freed small blocks go into the cache while it holds less. */
const CACHE_UNITS = (BUCKETS * 4 * 1024) / UNIT;

/** sizeof(zend_mm_storage) and sizeof(zend_mm_heap). */
const STORAGE_BYTES = 16;
const HEAP_BYTES = 2224;

export type Alloc = ReturnType<typeof createAlloc>;

const BEING_MADE = -1;

/** Blocks given and taken back (_zend_mm_alloc_int, _zend_mm_free_int), with the cache in front and the memory limit. */
export function createAlloc(parts: Parts) {
  const { machine, below, options, geometry, state, lists, segments, refusals, trueUnits } = parts;
  const { heaps, blocks } = state;
  const { kernel, operations } = machine;
  const { pages: pageStates, fault } = kernel;
  const { split, joinNext, joinPrevious, list } = parts.blocks;
  const { minimum } = geometry;
  const segmentUnits = options.segmentSize / UNIT;
  const segmentOverhead = geometry.segment + geometry.header;
  // zend_set_memory_limit: a segment is always allowed.
  const limit = Math.max(options.memoryLimit, options.segmentSize);

  function grow(heap: number, units: number): void {
    const size = heaps[heap + SIZE]! + units;
    heaps[heap + SIZE] = size;
    if (size > heaps[heap + PEAK]!) heaps[heap + PEAK] = size;
  }

  /** zend_mm_free_cache: near the memory limit the cached blocks become free blocks. */
  function freeCache(t: ThreadSlot, heap: number): void {
    for (let index = 0; index < BUCKETS; index++) {
      for (let block = heaps[heap + CACHE + index]!; block !== 0; ) {
        const next = blocks[block + PREV_FREE]!;
        const units = blocks[block + LENGTH]!;
        heaps[heap + CACHED_SIZE]! -= units;
        // Cached blocks count in heap->size, and the real one does not take them out of it here.
        heaps[heap + FORGOTTEN]! += units;
        list(t, heap, joinNext(heap, joinPrevious(heap, block)));
        block = next;
      }
      heaps[heap + CACHE + index] = 0;
    }
  }

  /** zend_mm_safe_error: the reserve is freed, and the request would end here. */
  function refuse(t: ThreadSlot, heap: number, size: Bytes, outOfMemory: boolean): 0 {
    freeCache(t, heap);
    const reserve = heaps[heap + RESERVE]!;
    if (reserve !== 0) {
      heaps[heap + RESERVE] = 0;
      release(t, reserve);
    }
    if (outOfMemory) refusals.outOfMemory(t, heaps[heap + REAL_SIZE]! * UNIT, size);
    else refusals.overLimit(t, limit, size);
    return 0;
  }

  function overLimit(heap: number, moreUnits: number): boolean {
    return (heaps[heap + REAL_SIZE]! + moreUnits) * UNIT > limit;
  }

  function segmentLength(units: number): number {
    if (units <= segmentUnits - segmentOverhead) return segmentUnits;
    return Math.ceil((units + segmentOverhead) / segmentUnits) * segmentUnits;
  }

  /** _zend_mm_alloc_int behind the cache; 0 where it is refused. */
  function allocBlock(t: ThreadSlot, heap: number, size: Bytes, units: number): number {
    operations[OP_SLOW_CALLS]!++;
    let block = units < minimum + BUCKETS ? lists.takeableSmall(heap, units - minimum) : 0;
    if (block === 0) block = lists.searchLarge(heap, units);
    if (block === 0 && heaps[heap + REAL_SIZE]! * UNIT >= limit - options.segmentSize) {
      block = lists.searchRest(heap, units);
    }
    let ownSegment = false;
    if (block !== 0) {
      lists.remove(heap, block);
    } else {
      const length = segmentLength(units);
      ownSegment = units > segmentUnits - segmentOverhead;
      if (overLimit(heap, length)) return refuse(t, heap, size, false);
      block = segments.add(t, heap, length);
      if (block === 0) return refuse(t, heap, size, true);
    }
    const tail = split(heap, block, units);
    blocks[block + STATE] = USED;
    if (tail !== 0) {
      // What a block of more than a segment leaves over is kept for that block's growth.
      if (ownSegment) lists.addRest(heap, tail);
      else lists.add(heap, tail);
    }
    grow(heap, blocks[block + LENGTH]!);
    return block;
  }

  /** _zend_mm_alloc_int. */
  function allocate(t: ThreadSlot, size: Bytes): number {
    const heap = heapBase(t);
    const units = trueUnits(size);
    const index = units - minimum;
    if (index < BUCKETS) {
      const cached = heaps[heap + CACHE + index]!;
      if (cached !== 0) {
        heaps[heap + CACHE + index] = blocks[cached + PREV_FREE]!;
        heaps[heap + CACHED_SIZE]! -= units;
        blocks[cached + STATE] = USED;
        return cached;
      }
    }
    if (heaps[heap + STARTED] === 0) start(t);
    return allocBlock(t, heap, size, units);
  }

  /** _zend_mm_free_int. */
  function release(t: ThreadSlot, block: number): void {
    const heap = heapBase(t);
    const units = blocks[block + LENGTH]!;
    const index = units - minimum;
    if (index < BUCKETS && heaps[heap + CACHED_SIZE]! < CACHE_UNITS) {
      pushCache(heap, block, index);
      heaps[heap + CACHED_SIZE]! += units;
      return;
    }
    operations[OP_SLOW_CALLS]!++;
    heaps[heap + SIZE]! -= units;
    list(t, heap, joinPrevious(heap, joinNext(heap, block)));
  }

  const linkPage = (block: number) => ((blocks[block + ADDRESS]! >>> 0) + geometry.links) >>> UNIT_PAGE_SHIFT;

  function pushCache(heap: number, block: number, index: number): void {
    blocks[block + PREV_FREE] = heaps[heap + CACHE + index]!;
    blocks[block + STATE] = CACHED;
    heaps[heap + CACHE + index] = block;
    const page = linkPage(block);
    if (pageStates[page] !== 1) fault(page);
  }

  /** A structure of the real heap's own, by malloc of the layer below. */
  function structure(t: ThreadSlot, size: Bytes): Handle {
    const handle = below.malloc(t, size);
    if (handle !== 0) below.touchBlock(handle, 0, size);
    return handle;
  }

  /** zend_mm_startup: two structures by malloc, and the reserve in a first segment. */
  function start(t: ThreadSlot): void {
    const heap = heapBase(t);
    // One thread's business, of however many start at once.
    if (options.libcBaseline > 0 && Atomics.compareExchange(heaps, BASELINE_HANDLE, 0, BEING_MADE) === 0) {
      heaps[BASELINE_HANDLE] = structure(t, options.libcBaseline);
    }
    heaps[heap + STORAGE_HANDLE] = structure(t, STORAGE_BYTES);
    heaps[heap + HEAP_HANDLE] = structure(t, HEAP_BYTES);
    heaps[heap + STARTED] = 1;
    lists.clear(heap);
    takeReserve(t, heap);
  }

  function takeReserve(t: ThreadSlot, heap: number): void {
    const { reserve } = options;
    if (reserve > 0) heaps[heap + RESERVE] = allocBlock(t, heap, reserve, trueUnits(reserve));
  }

  /** Whether nothing but the thread's own cache is touched when a block of `size` bytes is taken. */
  function isCached(t: ThreadSlot, size: Bytes): boolean {
    const index = trueUnits(size) - minimum;
    return index < BUCKETS && heaps[heapBase(t) + CACHE + index] !== 0;
  }

  /** The same of giving a block back. */
  function isCacheable(t: ThreadSlot, block: number): boolean {
    const index = blocks[block + LENGTH]! - minimum;
    if (index >= BUCKETS || heaps[heapBase(t) + CACHED_SIZE]! >= CACHE_UNITS) return false;
    return pageStates[linkPage(block)] === 1;
  }

  return {
    grow,
    refuse,
    overLimit,
    segmentLength,
    allocate,
    release,
    pushCache,
    start,
    takeReserve,
    isCached,
    isCacheable,
  };
}

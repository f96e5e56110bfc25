import type { Allocator, Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import { AllocatorAbort } from '../../sim/contract/assert.ts';
import {
  OP_BYTES_CLEARED,
  OP_BYTES_COPIED,
  OP_COALESCES,
  OP_SLOW_CALLS,
  OP_SPLITS,
} from '../../sim/contract/operations.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import { CELL_MASK, LAYER_BIT } from '../zend/layout.ts';
import { createRefusals } from '../zend/limit.ts';
import { createFreeLists } from './free-lists.ts';
import {
  ADDRESS,
  AFTER,
  addressOfUnit,
  BASELINE_HANDLE,
  BEFORE,
  BUCKETS,
  CACHE,
  CACHED,
  CACHED_SIZE,
  createState,
  DEBUG,
  FORGOTTEN,
  FREE,
  HEAP_HANDLE,
  heapBase,
  LARGE_BUCKETS,
  LARGEST_BLOCK,
  LENGTH,
  PEAK,
  PREV_FREE,
  REAL_PEAK,
  REAL_SIZE,
  RELEASE,
  REQUESTED,
  REQUESTS,
  RESERVE,
  SEGMENT,
  SEGMENT_FIRST,
  SEGMENT_LENGTH,
  SENTINELS,
  SIZE,
  STARTED,
  STATE,
  STORAGE_HANDLE,
  segmentAt,
  TREE_OF_BLOCK,
  UNIT,
  UNIT_PAGE_SHIFT,
  USED,
} from './layout.ts';
import { createSegments } from './segment.ts';
import { createStorage, type StorageType } from './storage.ts';

export interface Heap5Options {
  readonly memType: StorageType;
  /** Bytes, a power of two. */
  readonly segmentSize: Bytes;
  readonly reserve: Bytes;
  /** What the process holds in the allocator below before its first heap begins. */
  readonly libcBaseline: Bytes;
  /** Bytes; Infinity for none. */
  readonly memoryLimit: Bytes;
  readonly debug: boolean;
}

/** ZEND_MM_CACHE_SIZE: freed small blocks go into the cache while it holds less. */
const CACHE_UNITS = (BUCKETS * 4 * 1024) / UNIT;

/** sizeof(zend_mm_storage) and sizeof(zend_mm_heap). */
const STORAGE_BYTES = 16;
const HEAP_BYTES = 2224;

/** The blocks of PHP 5's heaps: allocation, release, change of size. */
export function createHeaps(machine: Machine, below: Allocator, options: Heap5Options) {
  const geometry = options.debug ? DEBUG : RELEASE;
  const state = createState(machine, geometry);
  const { heaps, blocks, trees, segments: segmentRecords, touchUnit, touchUnits, ownerOf } = state;
  const { kernel, operations } = machine;
  const { pages: pageStates, fault, touchRange } = kernel;
  const storage = createStorage(options.memType, below, kernel);
  const lists = createFreeLists(state);
  const segments = createSegments(state, storage);
  const refusals = createRefusals(machine, '');
  const { header, minimum, endMagic } = geometry;
  const headerBytes = header * UNIT;
  const overhead = headerBytes + endMagic;
  const leastBytes = Math.max(0, minimum * UNIT - overhead);
  const segmentUnits = options.segmentSize / UNIT;
  const segmentOverhead = geometry.segment + header;
  // zend_set_memory_limit: a segment is always allowed.
  const limit = Math.max(options.memoryLimit, options.segmentSize);
  const { debug } = options;

  /** ZEND_MM_TRUE_SIZE, in units. */
  function trueUnits(size: Bytes): number {
    return size < leastBytes ? minimum : Math.ceil((size + overhead) / UNIT);
  }

  /** Cuts `block` to `units` if a block can be made of the rest, which is returned: free, on no list. 0: it stays whole. */
  function split(heap: number, block: number, units: number): number {
    const rest = blocks[block + LENGTH]! - units;
    // A block's _size and _prev have been written when the block was made; the rest of a debug build's header has not.
    if (debug) touchUnit((blocks[block + ADDRESS]! >>> 0) + header - 1);
    if (rest < minimum) return 0;
    operations[OP_SPLITS]!++;
    const tail = state.takeRecord(heap);
    const after = blocks[block + AFTER]!;
    blocks[block + LENGTH] = units;
    blocks[block + AFTER] = tail;
    blocks[tail + LENGTH] = rest;
    blocks[tail + ADDRESS] = blocks[block + ADDRESS]! + units;
    blocks[tail + STATE] = FREE;
    blocks[tail + BEFORE] = block;
    blocks[tail + AFTER] = after;
    blocks[tail + SEGMENT] = 0;
    if (after !== 0) blocks[after + BEFORE] = tail;
    touchUnits(blocks[tail + ADDRESS]! >>> 0, 2);
    return tail;
  }

  /** `block` swallows the one behind it, which is on no list. */
  function absorb(heap: number, block: number, behind: number): void {
    operations[OP_COALESCES]!++;
    const after = blocks[behind + AFTER]!;
    blocks[block + LENGTH]! += blocks[behind + LENGTH]!;
    blocks[block + AFTER] = after;
    if (after !== 0) blocks[after + BEFORE] = block;
    state.giveRecord(heap, behind);
  }

  function grow(heap: number, units: number): void {
    const size = heaps[heap + SIZE]! + units;
    heaps[heap + SIZE] = size;
    if (size > heaps[heap + PEAK]!) heaps[heap + PEAK] = size;
  }

  function isFree(block: number): boolean {
    return blocks[block + STATE] === FREE;
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

  /** The block with a free one behind it, which leaves its list. */
  function joinNext(heap: number, block: number): number {
    const after = blocks[block + AFTER]!;
    if (isFree(after)) {
      lists.remove(heap, after);
      absorb(heap, block, after);
    }
    return block;
  }

  function joinPrevious(heap: number, block: number): number {
    const before = blocks[block + BEFORE]!;
    if (!isFree(before)) return block;
    lists.remove(heap, before);
    absorb(heap, before, block);
    return before;
  }

  /** A joined block becomes free; a segment that is free as a whole goes back to where it came from. */
  function list(t: ThreadSlot, heap: number, block: number): void {
    if (blocks[block + SEGMENT] !== 0 && blocks[block + AFTER] === 0) {
      segments.remove(t, heap, block);
      return;
    }
    blocks[block + STATE] = FREE;
    lists.add(heap, block);
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

  /** memcpy of the old data. */
  function copy(from: number, to: number, bytes: Bytes): void {
    if (bytes <= 0) return;
    operations[OP_BYTES_COPIED]! += bytes;
    const source = dataOf(from);
    const target = dataOf(to);
    kernel.readRange(Math.floor(source / 4096), Math.floor((source + bytes - 1) / 4096));
    touchRange(Math.floor(target / 4096), Math.floor((target + bytes - 1) / 4096));
  }

  const dataOf = (block: number) => addressOfUnit(blocks[block + ADDRESS]!) + headerBytes;

  /** The block gives its end away: a free block, joined with a free one behind it. */
  function shrink(heap: number, block: number, units: number): void {
    const old = blocks[block + LENGTH]!;
    if (old - units < minimum) return;
    joinNext(heap, block);
    lists.add(heap, split(heap, block, units));
    heaps[heap + SIZE]! += units - old;
  }

  /** A cached block of the wanted length takes the data; the old block takes its place in the cache. */
  function swapWithCache(heap: number, block: number, units: number): number {
    const index = units - minimum;
    const cached = heaps[heap + CACHE + index]!;
    if (cached === 0) return 0;
    const old = blocks[block + LENGTH]!;
    heaps[heap + CACHE + index] = blocks[cached + PREV_FREE]!;
    blocks[cached + STATE] = USED;
    copy(block, cached, old * UNIT - overhead);
    heaps[heap + CACHED_SIZE]! -= units - old;
    pushCache(heap, block, old - minimum);
    return cached;
  }

  /** The block takes as much of the free one behind it as it needs. */
  function growIntoNext(heap: number, block: number, after: number, units: number): void {
    const old = blocks[block + LENGTH]!;
    lists.remove(heap, after);
    absorb(heap, block, after);
    const tail = split(heap, block, units);
    if (tail !== 0) {
      // The end of a segment that holds this block alone is kept for its growth.
      if (blocks[block + SEGMENT] !== 0 && blocks[tail + AFTER] === 0) lists.addRest(heap, tail);
      else lists.add(heap, tail);
    }
    grow(heap, blocks[block + LENGTH]! - old);
  }

  /** The block has its segment for itself: the segment grows. 0 where it is refused. */
  function growSegment(t: ThreadSlot, heap: number, block: number, size: Bytes, units: number): number {
    const old = blocks[block + LENGTH]!;
    const length = segmentLength(units);
    const after = blocks[block + AFTER]!;
    if (after !== 0) lists.remove(heap, after);
    if (overLimit(heap, length - segmentRecords[segmentAt(blocks[block + SEGMENT]!) + SEGMENT_LENGTH]!)) {
      if (after !== 0) lists.add(heap, after);
      return refuse(t, heap, size, false);
    }
    if (!segments.resize(t, heap, block, length)) {
      // The real one forgets the free block here: the request is over.
      if (after !== 0) lists.add(heap, after);
      return refuse(t, heap, size, true);
    }
    if (after !== 0) state.giveRecord(heap, after);
    blocks[block + STATE] = USED;
    const tail = split(heap, block, units);
    if (tail !== 0) lists.addRest(heap, tail);
    grow(heap, blocks[block + LENGTH]! - old);
    return block;
  }

  /** _zend_mm_realloc_int; 0 where it is refused. */
  function resize(t: ThreadSlot, block: number, size: Bytes): number {
    const heap = heapBase(t);
    const units = trueUnits(size);
    const old = blocks[block + LENGTH]!;
    if (units <= old) {
      shrink(heap, block, units);
      return block;
    }
    if (units < minimum + BUCKETS) {
      const swapped = swapWithCache(heap, block, units);
      if (swapped !== 0) return swapped;
    }
    const after = blocks[block + AFTER]!;
    const first = blocks[block + SEGMENT] !== 0;
    if (isFree(after)) {
      if (old + blocks[after + LENGTH]! >= units) {
        growIntoNext(heap, block, after, units);
        return block;
      }
      if (first && blocks[after + AFTER] === 0) return growSegment(t, heap, block, size, units);
    } else if (first && after === 0) {
      return growSegment(t, heap, block, size, units);
    }
    const moved = allocate(t, size);
    if (moved === 0) return 0;
    copy(block, moved, old * UNIT - overhead);
    release(t, block);
    return moved;
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
    if (options.libcBaseline > 0 && heaps[BASELINE_HANDLE] === 0) {
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

  function begin(t: ThreadSlot): void {
    if (heaps[heapBase(t) + STARTED] === 0) start(t);
  }

  /** zend_mm_shutdown of a request: the oldest segment stays, as one free block with a new reserve. */
  function end(t: ThreadSlot): void {
    const heap = heapBase(t);
    if (heaps[heap + STARTED] === 0) return;
    heaps[heap + RESERVE] = 0;
    const kept = segments.forgetBlocks(t, heap, options.reserve > 0);
    lists.clear(heap);
    heaps.fill(0, heap + CACHE, heap + CACHE + BUCKETS);
    heaps[heap + CACHED_SIZE] = 0;
    heaps[heap + FORGOTTEN] = 0;
    heaps[heap + SIZE] = 0;
    heaps[heap + PEAK] = 0;
    const real = kept === 0 ? 0 : segmentRecords[segmentAt(kept) + SEGMENT_LENGTH]!;
    heaps[heap + REAL_SIZE] = real;
    heaps[heap + REAL_PEAK] = real;
    if (kept !== 0) {
      segments.becomeWhole(kept);
      lists.add(heap, segmentRecords[segmentAt(kept) + SEGMENT_FIRST]!);
    }
    takeReserve(t, heap);
    heaps[heap + REQUESTS]!++;
  }

  /** zend_mm_shutdown of a thread (full). */
  function destroy(t: ThreadSlot): void {
    const heap = heapBase(t);
    if (heaps[heap + STARTED] === 0) return;
    segments.forgetBlocks(t, heap, false);
    below.free(t, heaps[heap + STORAGE_HANDLE]!);
    below.free(t, heaps[heap + HEAP_HANDLE]!);
    heaps.fill(0, heap, heap + SENTINELS);
    heaps.fill(0, heap + STORAGE_HANDLE, heap + BASELINE_HANDLE);
    heaps.fill(0, heap + CACHE, heap + LARGE_BUCKETS + 32);
  }

  const handleOf = (block: number): Handle => (block === 0 ? 0 : block | LAYER_BIT);

  /** The debug build keeps the requested size, and writes a magic number behind the data. */
  function note(block: number, size: Bytes): void {
    trees[(block >> TREE_OF_BLOCK) + REQUESTED] = size | 0;
    touchUnit(Math.floor((dataOf(block) + size) / UNIT));
  }

  function malloc(t: ThreadSlot, size: Bytes): Handle {
    if (size > LARGEST_BLOCK) return 0;
    const block = allocate(t, size);
    if (debug && block !== 0) note(block, size);
    return handleOf(block);
  }

  function free(t: ThreadSlot, h: Handle): void {
    const block = h & CELL_MASK;
    if (ownerOf(block) !== t) foreign(t, block);
    if (debug) touchBlock(h, 0, trees[(block >> TREE_OF_BLOCK) + REQUESTED]! >>> 0);
    release(t, block);
  }

  function realloc(t: ThreadSlot, h: Handle, size: Bytes): Handle {
    const block = h & CELL_MASK;
    if (ownerOf(block) !== t) foreign(t, block);
    if (size > LARGEST_BLOCK) return 0;
    const result = resize(t, block, size);
    if (debug && result !== 0) note(result, size);
    return handleOf(result);
  }

  /**
   * A block in the hands of another thread's heap. The real one has no such check without debugging: both heaps would be
   * damaged.
   */
  function foreign(t: ThreadSlot, block: number): never {
    throw new AllocatorAbort(
      `zend_mm_heap corrupted (thread slot ${t} gives back a block of thread slot ${ownerOf(block)}’s heap)`,
    );
  }

  /** _ecalloc: the requested bytes are cleared. */
  function calloc(t: ThreadSlot, count: number, size: Bytes): Handle {
    const bytes = count * size;
    if (bytes >= 2 ** 64) {
      refusals.overflow(t, count, size);
      return 0;
    }
    const h = malloc(t, bytes);
    if (h !== 0 && bytes > 0) {
      operations[OP_BYTES_CLEARED]! += bytes;
      touchBlock(h, 0, bytes);
    }
    return h;
  }

  function touchBlock(h: Handle, from: Bytes, to: Bytes): void {
    if (to <= from) return;
    const unit = (blocks[(h & CELL_MASK) + ADDRESS]! >>> 0) + header;
    const first = (unit + Math.floor(from / UNIT)) >>> UNIT_PAGE_SHIFT;
    const last = (unit + Math.floor((to - 1) / UNIT)) >>> UNIT_PAGE_SHIFT;
    if (first === last) {
      if (pageStates[first] !== 1) fault(first);
    } else {
      touchRange(first, last);
    }
  }

  /** Where the cache has such a block: nothing but the thread's own heap is touched. */
  function mallocLocal(t: ThreadSlot, size: Bytes): Handle {
    const index = trueUnits(size) - minimum;
    return debug || index >= BUCKETS || heaps[heapBase(t) + CACHE + index] === 0 ? 0 : malloc(t, size);
  }

  function freeLocal(t: ThreadSlot, h: Handle): boolean {
    const block = h & CELL_MASK;
    const index = blocks[block + LENGTH]! - minimum;
    if (debug || index >= BUCKETS || heaps[heapBase(t) + CACHED_SIZE]! >= CACHE_UNITS) return false;
    if (pageStates[linkPage(block)] !== 1 || ownerOf(block) !== t) return false;
    free(t, h);
    return true;
  }

  /** _zend_mm_block_size: with the header, but for a debug build, where it is what was asked for. */
  function usableSize(h: Handle): Bytes {
    if (debug) return trees[((h & CELL_MASK) >> TREE_OF_BLOCK) + REQUESTED]! >>> 0;
    return blocks[(h & CELL_MASK) + LENGTH]! * UNIT;
  }

  return {
    state,
    refusals,
    malloc,
    calloc,
    realloc,
    free,
    touchBlock,
    mallocLocal,
    freeLocal,
    usableSize,
    addressOf: (h: Handle) => dataOf(h & CELL_MASK),
    begin,
    end,
    destroy,
    ownStructures: (t: ThreadSlot): Handle[] => [
      heaps[heapBase(t) + STORAGE_HANDLE]!,
      heaps[heapBase(t) + HEAP_HANDLE]!,
    ],
  };
}

import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { OP_BYTES_COPIED } from '../../sim/contract/operations.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { Alloc } from './alloc.ts';
import {
  AFTER,
  BUCKETS,
  CACHE,
  CACHED_SIZE,
  heapBase,
  LENGTH,
  PREV_FREE,
  SEGMENT,
  SEGMENT_LENGTH,
  SIZE,
  STATE,
  segmentAt,
  UNIT,
  USED,
} from './layout.ts';
import type { Parts } from './parts.ts';

/** Blocks that change their size (_zend_mm_realloc_int). */
export function createRealloc(parts: Parts, alloc: Alloc) {
  const { machine, geometry, state, lists, segments, trueUnits, dataOf, overhead } = parts;
  const { heaps, blocks, segments: segmentRecords } = state;
  const { kernel, operations } = machine;
  const { touchRange } = kernel;
  const { split, absorb, isFree, joinNext } = parts.blocks;
  const { grow, refuse, overLimit, segmentLength, allocate, release, pushCache } = alloc;
  const { minimum } = geometry;

  /** memcpy of the old data. */
  function copy(from: number, to: number, bytes: Bytes): void {
    if (bytes <= 0) return;
    operations[OP_BYTES_COPIED]! += bytes;
    const source = dataOf(from);
    const target = dataOf(to);
    kernel.readRange(Math.floor(source / 4096), Math.floor((source + bytes - 1) / 4096));
    touchRange(Math.floor(target / 4096), Math.floor((target + bytes - 1) / 4096));
  }

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

  return { resize };
}

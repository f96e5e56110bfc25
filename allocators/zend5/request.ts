import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Alloc } from './alloc.ts';
import {
  BASELINE_HANDLE,
  BUCKETS,
  CACHE,
  CACHED_SIZE,
  FORGOTTEN,
  HEAP_HANDLE,
  heapBase,
  LARGE_BUCKETS,
  PEAK,
  REAL_PEAK,
  REAL_SIZE,
  REQUESTS,
  RESERVE,
  SEGMENT_FIRST,
  SEGMENT_LENGTH,
  SENTINELS,
  SIZE,
  STARTED,
  STORAGE_HANDLE,
  segmentAt,
} from './layout.ts';
import type { Parts } from './parts.ts';

/** A heap's life: a thread's first block, the end of a request, the end of the thread. */
export function createRequests(parts: Parts, alloc: Alloc) {
  const { below, options, lists, segments, state } = parts;
  const { heaps, segments: segmentRecords } = state;
  const { start, takeReserve } = alloc;

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
    // The heap of a thread that found no memory for them has neither.
    for (const handle of [STORAGE_HANDLE, HEAP_HANDLE])
      if (heaps[heap + handle] !== 0) below.free(t, heaps[heap + handle]!);
    heaps.fill(0, heap, heap + SENTINELS);
    heaps.fill(0, heap + STORAGE_HANDLE, heap + BASELINE_HANDLE);
    heaps.fill(0, heap + CACHE, heap + LARGE_BUCKETS + 32);
  }

  return { begin, end, destroy };
}

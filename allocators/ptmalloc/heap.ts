import { assert } from '../../sim/contract/assert.ts';
import { MADV_DONTNEED, MAP_NORESERVE, PROT_NONE, PROT_READ, PROT_WRITE } from '../../sim/kernel/kernel.ts';
import { PAGE_LIMIT } from '../../sim/kernel/layout.ts';
import { SPARE_RECORDS, SYSTEM_PAGES, TOP } from './arena-layout.ts';
import type { Bins } from './bins.ts';
import { ADDR, INUSE, MIN_UNITS, NEXT, PAGE_UNIT_SHIFT, PREV, SIZE, UNIT_SHIFT } from './chunk.ts';
import type { Context } from './context.ts';
import { madviseThp } from './huge-pages.ts';
import {
  ALIGNED_HEAP_AREA,
  DEFAULT_MMAP_THRESHOLD_MAX,
  HP_FLAGS,
  HP_PAGES,
  TOP_PAD,
  TRIM_THRESHOLD,
  toUnsigned,
} from './parameters.ts';

// heap_info, six words for each place where a heap can start: a multiple of the largest size of a heap.
export const HEAP_ARENA = 0; // ar_ptr; 0 where there is no heap
export const HEAP_PREV = 1; // number of the previous heap of the arena, 0 for the first
export const HEAP_PAGES = 2; // size
export const HEAP_MPROTECT_PAGES = 3; // mprotect_size
export const HEAP_PAGE_PAGES = 4; // pagesize, in pages
/** The first chunk: behind heap_info, or behind malloc_state in the first heap of an arena. */
export const HEAP_FIRST = 5;
/** The fencepost at the end of a heap that is not its arena's last; 0 in the last. */
export const HEAP_FENCEPOST = 6;
const HEAP_WORDS = 8;

const HEAP_MIN_PAGES = 8;
const HEAP_MAX_PAGES = (2 * DEFAULT_MMAP_THRESHOLD_MAX) / 4096;

export type Heaps = ReturnType<typeof createHeaps>;

/** The mapped heaps that all arenas but the main one consist of. */
export function createHeaps(context: Context, bins: Bins) {
  const { words, chunks, machine, parameters, writes } = context;
  const { kernel, memory } = machine;
  const { ints, doubles } = parameters;
  const { heapInfoBytes, reservesWithoutSwap } = context.features;
  const { unlinkChunk, absorb } = bins;
  const { touchUnit } = writes;
  const hugePages = ints[HP_PAGES]!;
  /** heap_max_size(), a power of two. */
  const maxPages = hugePages === 0 ? HEAP_MAX_PAGES : hugePages * 4;
  const minPages = hugePages === 0 ? HEAP_MIN_PAGES : hugePages;
  const pageShift = Math.log2(maxPages);
  const unitShift = pageShift + PAGE_UNIT_SHIFT;
  const heaps = memory.int32('ptmalloc.heaps', (PAGE_LIMIT / maxPages) * HEAP_WORDS);

  /** heap_for_ptr(): the heap's place in the table. */
  const heapOf = (chunk: number): number => (words[chunk + ADDR]! >> unitShift) * HEAP_WORDS;
  const pageOf = (heap: number): number => (heap / HEAP_WORDS) << pageShift;
  const unitOf = (heap: number): number => pageOf(heap) << PAGE_UNIT_SHIFT;
  const endUnit = (heap: number): number => unitOf(heap) + (heaps[heap + HEAP_PAGES]! << PAGE_UNIT_SHIFT);

  /** alloc_new_heap(): the heap, or 0. `size` in bytes. */
  function allocNewHeap(t: number, size: number, pad: number, pagePages: number, flags: number): number {
    const padded = toUnsigned(pad) >= 2 ** 63 ? size + pad : size + toUnsigned(pad);
    const max = maxPages * 4096;
    let bytes: number;
    if (padded >= 0 && padded < minPages * 4096) bytes = minPages * 4096;
    else if (padded >= 0 && padded <= max) bytes = padded;
    else if (size > max) return 0;
    else bytes = max;
    const pages = Math.ceil(bytes / (4096 * pagePages)) * pagePages;

    let start = -1;
    const wished = ints[ALIGNED_HEAP_AREA]!;
    if (wished !== 0) {
      start = kernel.mmap(t, wished, maxPages, PROT_NONE, flags);
      ints[ALIGNED_HEAP_AREA] = 0;
      if (start >= 0 && start % maxPages !== 0) {
        kernel.munmap(t, start, maxPages);
        start = -1;
      }
    }
    if (start < 0) {
      const double = kernel.mmap(t, 0, 2 * maxPages, PROT_NONE, flags);
      if (double >= 0) {
        start = Math.ceil(double / maxPages) * maxPages;
        const below = start - double;
        if (below > 0) kernel.munmap(t, double, below);
        else ints[ALIGNED_HEAP_AREA] = start + maxPages;
        kernel.munmap(t, start + maxPages, maxPages - below);
      } else {
        // A mapping of the single length may be aligned by chance.
        start = kernel.mmap(t, 0, maxPages, PROT_NONE, flags);
        if (start < 0) return 0;
        if (start % maxPages !== 0) {
          kernel.munmap(t, start, maxPages);
          return 0;
        }
      }
    }
    if (kernel.mprotect(t, start, pages, PROT_READ | PROT_WRITE) !== 0) {
      kernel.munmap(t, start, maxPages);
      return 0;
    }
    madviseThp(context, t, start, pages);
    const heap = (start >> pageShift) * HEAP_WORDS;
    heaps[heap + HEAP_PREV] = 0;
    heaps[heap + HEAP_PAGES] = pages;
    heaps[heap + HEAP_MPROTECT_PAGES] = pages;
    heaps[heap + HEAP_PAGE_PAGES] = pagePages;
    heaps[heap + HEAP_FENCEPOST] = 0;
    touchUnit(unitOf(heap));
    return heap;
  }

  /** new_heap() */
  function newHeap(t: number, size: number): number {
    const pad = doubles[TOP_PAD]!;
    if (hugePages !== 0) {
      const heap = allocNewHeap(t, size, pad, hugePages, ints[HP_FLAGS]!);
      if (heap !== 0) return heap;
    }
    return allocNewHeap(t, size, pad, 1, reservesWithoutSwap ? MAP_NORESERVE : 0);
  }

  /** grow_heap(): whether the heap is now `bytes` larger, rounded up to pages. */
  function growHeap(t: number, heap: number, bytes: number): boolean {
    const pagePages = heaps[heap + HEAP_PAGE_PAGES]!;
    const pages = heaps[heap + HEAP_PAGES]! + Math.ceil(bytes / (4096 * pagePages)) * pagePages;
    if (pages > maxPages) return false;
    const writable = heaps[heap + HEAP_MPROTECT_PAGES]!;
    if (pages > writable) {
      if (kernel.mprotect(t, pageOf(heap) + writable, pages - writable, PROT_READ | PROT_WRITE) !== 0) return false;
      heaps[heap + HEAP_MPROTECT_PAGES] = pages;
    }
    heaps[heap + HEAP_PAGES] = pages;
    return true;
  }

  /** shrink_heap(): glibc maps the pages afresh only where the system commits strictly. */
  function shrinkHeap(t: number, heap: number, pages: number): void {
    const left = heaps[heap + HEAP_PAGES]! - pages;
    kernel.madvise(t, pageOf(heap) + left, pages, MADV_DONTNEED);
    heaps[heap + HEAP_PAGES] = left;
  }

  /** heap_trim(): deletes heaps that hold nothing but the top chunk, then shrinks the last one. */
  function heapTrim(t: number, arena: number, lastHeap: number): boolean {
    const pad = toUnsigned(doubles[TOP_PAD]!);
    let heap = lastHeap;
    let top = words[arena + TOP]!;
    while (words[top + ADDR] === unitOf(heap) + heapInfoBytes / 16) {
      const prevHeap = heaps[heap + HEAP_PREV]!;
      const fencepost = heaps[prevHeap + HEAP_FENCEPOST]!;
      const below = words[fencepost + PREV]!;
      const joins = below !== 0 && (words[below + SIZE]! & INUSE) === 0;
      let units = words[fencepost + SIZE]! >>> UNIT_SHIFT;
      if (joins) units += words[below + SIZE]! >>> UNIT_SHIFT;
      const room = units * 16 + (maxPages - heaps[prevHeap + HEAP_PAGES]!) * 4096;
      if (room < pad + MIN_UNITS * 16 + heaps[heap + HEAP_PAGE_PAGES]! * 4096) break;
      words[arena + SYSTEM_PAGES]! -= heaps[heap + HEAP_PAGES]!;
      if (pageOf(heap) + maxPages === ints[ALIGNED_HEAP_AREA]) ints[ALIGNED_HEAP_AREA] = 0;
      kernel.munmap(t, pageOf(heap), maxPages);
      heaps[heap + HEAP_ARENA] = 0;
      chunks.dropRecord(arena + SPARE_RECORDS, top);
      heap = prevHeap;
      heaps[heap + HEAP_FENCEPOST] = 0;
      top = fencepost;
      if (joins) {
        unlinkChunk(below);
        absorb(arena, below, fencepost);
        top = below;
      }
      words[top + SIZE] = units << UNIT_SHIFT;
      words[arena + TOP] = top;
      assert(words[top + ADDR]! + units === endUnit(heap), 'a heap does not end with its fencepost');
    }

    const topBytes = (words[top + SIZE]! >>> UNIT_SHIFT) * 16;
    if (topBytes < toUnsigned(doubles[TRIM_THRESHOLD]!)) return false;
    const area = topBytes - MIN_UNITS * 16 - 1;
    if (area < 0 || area <= pad) return false;
    const pagePages = heaps[heap + HEAP_PAGE_PAGES]!;
    const extra = Math.floor((area - pad) / (4096 * pagePages)) * pagePages;
    if (extra === 0) return false;
    shrinkHeap(t, heap, extra);
    words[arena + SYSTEM_PAGES]! -= extra;
    words[top + SIZE] = (topBytes / 16 - (extra << PAGE_UNIT_SHIFT)) << UNIT_SHIFT;
    return true;
  }

  /** Registers `heap` with its arena and makes its free space one chunk from `firstUnit` on: the new top. */
  function setTop(arena: number, heap: number, firstUnit: number): void {
    const top = chunks.newRecord(arena + SPARE_RECORDS);
    heaps[heap + HEAP_ARENA] = arena;
    heaps[heap + HEAP_FIRST] = top;
    words[top + ADDR] = unitOf(heap) + firstUnit;
    words[top + SIZE] = (endUnit(heap) - words[top + ADDR]!) << UNIT_SHIFT;
    words[top + PREV] = 0;
    words[top + NEXT] = 0;
    words[arena + TOP] = top;
    touchUnit(words[top + ADDR]!);
  }

  return {
    heaps,
    maxPages,
    heapOf,
    pageOf,
    unitOf,
    endUnit,
    newHeap,
    growHeap,
    heapTrim,
    setTop,
    heapWords: HEAP_WORDS,
  };
}

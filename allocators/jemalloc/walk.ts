import {
  type Allocator,
  type AreaVisitor,
  RANGE_CACHED,
  RANGE_FREE,
  RANGE_FREE_WITHIN,
  RANGE_LIVE,
  RANGE_METADATA,
  type RangeVisitor,
} from '../../sim/contract/allocator.ts';
import type { Heap } from './heap.ts';
import { INDEX_SIZE, NBINS, PAGE, SLAB_REGIONS } from './size-classes.ts';
import {
  A_BLOCKS,
  ARENA_WORDS,
  BASE_BLOCK_WORDS,
  BB_ADDRESS,
  BB_SIZE,
  BB_START,
  E_ARENA,
  E_FLAGS,
  E_NFREE,
  E_OFFSET,
  E_PAGES,
  E_START,
  E_STATE,
  FLAG_SLAB,
  G_EXTENTS,
  G_THREADS,
  HANDLE_SHIFT,
  LG_BITMAP_WORDS,
  LG_EXTENT_WORDS,
  MAX_BASE_BLOCKS,
  STATE_ACTIVE,
  STATE_UNUSED,
  T_CACHE_BLOCK,
} from './state.ts';

/** By state; those of records that are unused are nowhere. */
const STATE_NAMES = ['active', 'dirty', 'muzzy', 'retained', '', 'abandoned'];

/** Base blocks: what is used up is metadata, the rest nobody has touched. */
function forEachBlock(heap: Heap, visit: (a: number, start: number, used: number, size: number) => void): void {
  const { arenas, baseBlocks, config } = heap.state;
  for (let a = 0; a < config.arenaSlots; a++) {
    for (let i = 0; i < arenas[a * ARENA_WORDS + A_BLOCKS]!; i++) {
      const p = (a * MAX_BASE_BLOCKS + i) * BASE_BLOCK_WORDS;
      const start = baseBlocks[p + BB_START]!;
      visit(a, start, baseBlocks[p + BB_ADDRESS]! - start, baseBlocks[p + BB_SIZE]!);
    }
  }
}

function forEachExtent(heap: Heap, visit: (e: number, p: number) => void): void {
  const { extents, globals } = heap.state;
  for (let e = 1; e <= globals[G_EXTENTS]!; e++) {
    const p = e << LG_EXTENT_WORDS;
    if (extents[p + E_STATE] !== STATE_UNUSED && extents[p + E_PAGES]! > 0) visit(e, p);
  }
}

/** Every range that jemalloc holds: base blocks, blocks, cached blocks, free regions, padding, unused extents. */
export function walkHeap(heap: Heap, visit: RangeVisitor): void {
  const { bitmaps, caches, extentClass, extents, globals, threadWords } = heap.state;
  forEachBlock(heap, (_a, start, used, size) => {
    visit(start, used, RANGE_METADATA, 0);
    if (size > used) visit(start + used, size - used, RANGE_FREE_WITHIN, 0);
  });

  const cached = new Set<number>();
  const internal = new Set<number>();
  for (let t = 0; t < globals[G_THREADS]!; t++) {
    if (!heap.threads.hasCache(t)) continue;
    heap.tcache.forEachCached(t, (h) => cached.add(h));
    internal.add(caches[t * threadWords + T_CACHE_BLOCK]!);
  }
  const kindOf = (h: number) => (cached.has(h) ? RANGE_CACHED : internal.has(h) ? RANGE_METADATA : RANGE_LIVE);

  forEachExtent(heap, (e, p) => {
    const start = extents[p + E_START]! * PAGE;
    const length = extents[p + E_PAGES]! * PAGE;
    if (extents[p + E_STATE] !== STATE_ACTIVE) {
      visit(start, length, RANGE_FREE, 0);
    } else if (extents[p + E_FLAGS]! & FLAG_SLAB) {
      const index = extentClass[e]!;
      const size = INDEX_SIZE[index]!;
      for (let r = 0; r < SLAB_REGIONS[index]!; r++) {
        const isFree = (bitmaps[(e << LG_BITMAP_WORDS) + (r >> 5)]! >>> (r & 31)) & 1;
        const h = (e << HANDLE_SHIFT) | r;
        if (isFree) visit(start + r * size, size, RANGE_FREE_WITHIN, 0);
        else visit(start + r * size, size, kindOf(h), h);
      }
    } else {
      const h = e << HANDLE_SHIFT;
      const before = extents[p + E_OFFSET]!;
      const usable = INDEX_SIZE[extentClass[e]!]!;
      if (before > 0) visit(start, before, RANGE_FREE, 0);
      visit(start + before, usable, kindOf(h), h);
      if (before + usable < length) visit(start + before + usable, length - before - usable, RANGE_FREE, 0);
    }
  });
}

/** Of these, what is cached and what is free. */
export function walkFree(heap: Heap, visit: RangeVisitor, blocks: Pick<Allocator, 'addressOf' | 'usableSize'>): void {
  const { bitmaps, extentClass, extents, globals } = heap.state;
  forEachBlock(heap, (_a, start, used, size) => {
    if (size > used) visit(start + used, size - used, RANGE_FREE_WITHIN, 0);
  });
  for (let t = 0; t < globals[G_THREADS]!; t++) {
    if (!heap.threads.hasCache(t)) continue;
    heap.tcache.forEachCached(t, (h) => visit(blocks.addressOf(h), blocks.usableSize(h), RANGE_CACHED, h));
  }
  forEachExtent(heap, (e, p) => {
    const start = extents[p + E_START]! * PAGE;
    const length = extents[p + E_PAGES]! * PAGE;
    if (extents[p + E_STATE] !== STATE_ACTIVE) {
      visit(start, length, RANGE_FREE, 0);
    } else if (extents[p + E_FLAGS]! & FLAG_SLAB) {
      if (extents[p + E_NFREE] === 0) return;
      const index = extentClass[e]!;
      const size = INDEX_SIZE[index]!;
      for (let r = 0; r < SLAB_REGIONS[index]!; r++) {
        const isFree = (bitmaps[(e << LG_BITMAP_WORDS) + (r >> 5)]! >>> (r & 31)) & 1;
        if (isFree) visit(start + r * size, size, RANGE_FREE_WITHIN, 0);
      }
    } else {
      const before = extents[p + E_OFFSET]!;
      const end = before + INDEX_SIZE[extentClass[e]!]!;
      if (before > 0) visit(start, before, RANGE_FREE, 0);
      if (end < length) visit(start + end, length - end, RANGE_FREE, 0);
    }
  });
}

/** The pieces that jemalloc's users know: base blocks, slabs, large blocks, unused extents. */
export function walkAreas(heap: Heap, visit: AreaVisitor): void {
  const { extentClass, extents } = heap.state;
  forEachBlock(heap, (a, start, _used, size) => visit(start, size, `base of arena ${a}`, 'metadata'));
  forEachExtent(heap, (e, p) => {
    const start = extents[p + E_START]! * PAGE;
    const length = extents[p + E_PAGES]! * PAGE;
    const a = extents[p + E_ARENA]!;
    const which = extents[p + E_STATE]!;
    if (which !== STATE_ACTIVE) visit(start, length, `${STATE_NAMES[which]} extent of arena ${a}`, 'extent');
    else if (extentClass[e]! < NBINS)
      visit(start, length, `slab of ${INDEX_SIZE[extentClass[e]!]}, arena ${a}`, 'slab');
    else visit(start, length, `large block of ${INDEX_SIZE[extentClass[e]!]}, arena ${a}`, 'extent');
  });
}

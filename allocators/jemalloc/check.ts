import { assert } from '../../sim/contract/assert.ts';
import type { Heap } from './heap.ts';
import { ESET_NPSIZES, INDEX_SIZE, insertClass, NBINS, PAGE, SLAB_PAGES, SLAB_REGIONS } from './size-classes.ts';
import {
  B_NONFULL,
  B_SLABCUR,
  BC_CURREGS,
  BC_CURSLABS,
  BC_NDALLOC,
  BC_NMALLOC,
  BC_NONFULL_SLABS,
  BIN_COUNTERS,
  BIN_WORDS,
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
  LARGE_CLASSES,
  LARGE_COUNTERS,
  LC_NDALLOC,
  LC_NMALLOC,
  LG_BITMAP_WORDS,
  LG_EXTENT_WORDS,
  REGION_MASK,
  STATE_ABANDONED,
  STATE_ACTIVE,
  STATE_UNUSED,
  type State,
} from './state.ts';

function bitCount(bits: number): number {
  let n = 0;
  for (let b = bits; b !== 0; b &= b - 1) n++;
  return n;
}

/** Every invariant: extents tile what is mapped, counters equal what they count, heaps are ordered, caches hold used regions. */
export function checkHeap(heap: Heap): void {
  const { state } = heap;
  checkExtents(heap);
  const { slabs, used } = countSlabs(heap);
  for (let a = 0; a < state.config.arenaSlots; a++) {
    if (!heap.arenas.isInitialized(a)) continue;
    for (let which = 0; which < 3; which++) checkEset(heap, a, which + 1);
    for (let i = 0; i < NBINS; i++) checkBin(heap, a, i, slabs[a * NBINS + i]!, used[a * NBINS + i]!);
  }
  checkCaches(heap);
}

/** Extents do not overlap, are found by their first and last page, and large blocks add up. */
function checkExtents(heap: Heap): void {
  const { bitmaps, extentClass, extents, globals, config, largeCounters } = heap.state;
  const large = new Float64Array(config.arenaSlots * LARGE_CLASSES);
  const ranges: [number, number, number][] = [];
  for (let e = 1; e <= globals[G_EXTENTS]!; e++) {
    const p = e << LG_EXTENT_WORDS;
    const pages = extents[p + E_PAGES]!;
    if (extents[p + E_STATE] === STATE_UNUSED || pages === 0) continue;
    const start = extents[p + E_START]!;
    ranges.push([start, start + pages, e]);
    if (extents[p + E_STATE] === STATE_ABANDONED) continue;
    assert(heap.emap.lookup(start) === e, `extent ${e}: its first page is not mapped to it`);
    assert(heap.emap.lookup(start + pages - 1) === e, `extent ${e}: its last page is not mapped to it`);
    if (extents[p + E_STATE] !== STATE_ACTIVE) {
      assert(extents[p + E_OFFSET] === 0, `extent ${e}: unused with an offset`);
      continue;
    }
    const a = extents[p + E_ARENA]!;
    const index = extentClass[e]!;
    if (extents[p + E_FLAGS]! & FLAG_SLAB) {
      assert(index < NBINS && SLAB_PAGES[index] === pages, `slab ${e}: ${pages} pages of class ${index}`);
      let free = 0;
      for (let i = 0; i * 32 < SLAB_REGIONS[index]!; i++) free += bitCount(bitmaps[(e << LG_BITMAP_WORDS) + i]!);
      assert(
        free === extents[p + E_NFREE],
        `slab ${e}: its bitmap has ${free} free regions, its counter ${extents[p + E_NFREE]}`,
      );
    } else {
      assert(
        index >= NBINS && INDEX_SIZE[index]! + PAGE === pages * PAGE,
        `large extent ${e}: ${pages} pages of class ${index}`,
      );
      assert(extents[p + E_OFFSET]! < PAGE, `large extent ${e}: offset ${extents[p + E_OFFSET]}`);
      large[a * LARGE_CLASSES + index - NBINS]!++;
    }
  }
  ranges.sort((x, y) => x[0] - y[0]);
  for (let i = 1; i < ranges.length; i++) {
    assert(ranges[i - 1]![1] <= ranges[i]![0], `extents ${ranges[i - 1]![2]} and ${ranges[i]![2]} overlap`);
  }
  for (let a = 0; a < config.arenaSlots; a++) {
    for (let i = 0; i < LARGE_CLASSES; i++) {
      const p = (a * LARGE_CLASSES + i) * LARGE_COUNTERS;
      const live = largeCounters[p + LC_NMALLOC]! - largeCounters[p + LC_NDALLOC]!;
      assert(live === large[a * LARGE_CLASSES + i], `arena ${a}: blocks of class ${i + NBINS} do not add up`);
    }
  }
}

/** An eset's heaps, bitmap, list and page count tell the same extents. */
function checkEset(heap: Heap, a: number, which: number): void {
  const { extents } = heap.state;
  const set = a * 3 + which - 1;
  const where = `arena ${a}, unused extents in state ${which}`;
  const listed = new Set<number>();
  let pages = 0;
  heap.eset.forEach(set, (e) => {
    const p = e << LG_EXTENT_WORDS;
    assert(!listed.has(e), `${where}: extent ${e} is listed twice`);
    assert(extents[p + E_STATE] === which && extents[p + E_ARENA] === a, `${where}: extent ${e} is not one of them`);
    listed.add(e);
    pages += extents[p + E_PAGES]!;
  });
  assert(pages === heap.eset.npages(set), `${where}: ${pages} pages are listed, ${heap.eset.npages(set)} counted`);
  let inHeaps = 0;
  for (let i = 0; i < ESET_NPSIZES; i++) {
    const root = heap.eset.rootOf(set, i);
    let count = 0;
    heap.heap.forEach(root, (e) => {
      count++;
      assert(listed.has(e), `${where}: extent ${e} is in a heap and not listed`);
      assert(insertClass(extents[(e << LG_EXTENT_WORDS) + E_PAGES]!) === i, `${where}: extent ${e} is in heap ${i}`);
    });
    inHeaps += count;
  }
  assert(inHeaps === listed.size, `${where}: ${listed.size} listed, ${inHeaps} in heaps`);
}

/** Slabs and regions in use, by arena and bin. */
function countSlabs(heap: Heap): { slabs: Float64Array; used: Float64Array } {
  const { config, extentClass, extents, globals } = heap.state;
  const slabs = new Float64Array(config.arenaSlots * NBINS);
  const used = new Float64Array(config.arenaSlots * NBINS);
  for (let e = 1; e <= globals[G_EXTENTS]!; e++) {
    const p = e << LG_EXTENT_WORDS;
    if (extents[p + E_STATE] !== STATE_ACTIVE || !(extents[p + E_FLAGS]! & FLAG_SLAB)) continue;
    const b = extents[p + E_ARENA]! * NBINS + extentClass[e]!;
    slabs[b]!++;
    used[b]! += SLAB_REGIONS[extentClass[e]!]! - extents[p + E_NFREE]!;
  }
  return { slabs, used };
}

/** A bin's nonfull slabs have room, and all slabs and regions in use add up to its counters. */
function checkBin(heap: Heap, a: number, index: number, slabs: number, used: number): void {
  const { bins, binCounters, extents } = heap.state;
  const w = (a * NBINS + index) * BIN_WORDS;
  const c = (a * NBINS + index) * BIN_COUNTERS;
  const where = `arena ${a}, bin ${index}`;
  const regions = SLAB_REGIONS[index]!;
  let nonfull = 0;
  heap.heap.forEach(bins[w + B_NONFULL]!, (e) => {
    nonfull++;
    const free = extents[(e << LG_EXTENT_WORDS) + E_NFREE]!;
    assert(
      free > 0 && free < regions,
      `${where}: slab ${e} has ${free} of ${regions} regions free in the nonfull heap`,
    );
    assert(e !== bins[w + B_SLABCUR], `${where}: the current slab is in the nonfull heap`);
  });
  assert(nonfull === binCounters[c + BC_NONFULL_SLABS], `${where}: ${nonfull} nonfull slabs`);
  assert(slabs === binCounters[c + BC_CURSLABS], `${where}: ${slabs} slabs, ${binCounters[c + BC_CURSLABS]} counted`);
  assert(used === binCounters[c + BC_CURREGS], `${where}: ${used} regions, ${binCounters[c + BC_CURREGS]} counted`);
  const balance = binCounters[c + BC_NMALLOC]! - binCounters[c + BC_NDALLOC]!;
  assert(balance === used, `${where}: nmalloc - ndalloc is ${balance}, regions in use ${used}`);
}

function isUsed(state: State, h: number): boolean {
  const e = h >> HANDLE_SHIFT;
  const region = h & REGION_MASK;
  if (state.extents[(e << LG_EXTENT_WORDS) + E_STATE] !== STATE_ACTIVE) return false;
  if (state.extentClass[e]! >= NBINS) return region === 0;
  return ((state.bitmaps[(e << LG_BITMAP_WORDS) + (region >> 5)]! >>> (region & 31)) & 1) === 0;
}

/** What caches hold is in use as their arenas see it, of the bin's class, and in one cache only; what they say of pages holds. */
function checkCaches(heap: Heap): void {
  const { globals, extentClass, tracksPages } = heap.state;
  const { isResidentFrom } = heap.blockPages;
  const seen = new Set<number>();
  for (let t = 0; t < globals[G_THREADS]!; t++) {
    if (!heap.threads.hasCache(t)) continue;
    heap.tcache.forEachCached(t, (h, index, isResident) => {
      assert(!seen.has(h), `thread ${t}: block ${h} is cached twice`);
      seen.add(h);
      assert(isUsed(heap.state, h), `thread ${t}: block ${h} is cached and free`);
      assert(extentClass[h >> HANDLE_SHIFT] === index, `thread ${t}: block ${h} is in the cache of class ${index}`);
      assert(
        !tracksPages || !isResident || isResidentFrom(h, 0),
        `thread ${t}: block ${h} is cached, a page of it absent`,
      );
    });
  }
  if (tracksPages) checkLiveBlocks(heap, seen);
}

/** The program's blocks of an extent whose frees do not look are resident as a whole. */
function checkLiveBlocks(heap: Heap, cached: ReadonlySet<number>): void {
  const { state } = heap;
  const { extentClass, extents, freeClass, globals } = state;
  for (let e = 1; e <= globals[G_EXTENTS]!; e++) {
    const sizeClass = extentClass[e]!;
    if (extents[(e << LG_EXTENT_WORDS) + E_STATE] !== STATE_ACTIVE || freeClass[e] !== sizeClass) continue;
    const regions = sizeClass < NBINS ? SLAB_REGIONS[sizeClass]! : 1;
    for (let h = e << HANDLE_SHIFT; h < (e << HANDLE_SHIFT) + regions; h++) {
      if (!isUsed(state, h) || cached.has(h)) continue;
      assert(heap.blockPages.isResidentFrom(h, 0), `block ${h}: a page of it is absent`);
    }
  }
}

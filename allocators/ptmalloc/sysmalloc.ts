import { assert } from '../../sim/contract/assert.ts';
import { MAP_HUGETLB, PROT_READ, PROT_WRITE } from '../../sim/kernel/kernel.ts';
import { realAddress } from '../../sim/kernel/layout.ts';
import {
  CHUNK_FLAGS,
  FLAGS,
  MAX_SYSTEM_PAGES,
  NONCONTIGUOUS,
  SPARE_RECORDS,
  SYSTEM_PAGES,
  TOP,
} from './arena-layout.ts';
import type { Bins } from './bins.ts';
import { ADDR, INUSE, MIN_UNITS, NEXT, PAGE_UNIT_SHIFT, PREV, SIZE, UNIT_BYTES, UNIT_SHIFT } from './chunk.ts';
import { type Context, MAIN_ARENA, mallocPrinterr } from './context.ts';
import { HEAP_FENCEPOST, HEAP_PAGES, HEAP_PREV, type Heaps } from './heap.ts';
import { madviseThp } from './huge-pages.ts';
import type { IntFree } from './int-free.ts';
import type { Mapped } from './mapped.ts';
import type { Morecore } from './morecore.ts';
import {
  CURRENT_BREAK,
  HP_FLAGS,
  HP_PAGES,
  MMAP_THRESHOLD,
  N_MMAPS,
  N_MMAPS_MAX,
  SEGMENT_COUNT,
  THP_PAGES,
  TOP_PAD,
  toUnsigned,
} from './parameters.ts';

/** MMAP_AS_MORECORE_SIZE, 1 MiB in pages. */
const MMAP_AS_MORECORE_PAGES = 256;
/** Where the main arena's top would no longer have room in a SIZE word. */
const MAX_SEGMENT_PAGES = 2 ** 21;
/** More than the simulated address space: see checked_request2size() in chunk.ts. */
const REFUSED_PAGES = 2 ** 23;

// The main arena's contiguous areas, two words each: its first chunk and its first page. There is one, the brk heap, until
// brk fails and mmap serves in its place.
export const SEGMENT_FIRST = 0;
export const SEGMENT_PAGE = 1;
const MAX_SEGMENTS = 65536;

export type SystemMalloc = ReturnType<typeof createSystemMalloc>;

/** Taking memory from the system where the top chunk is too small. */
export function createSystemMalloc(
  context: Context,
  bins: Bins,
  heapsApi: Heaps,
  mapped: Mapped,
  morecoreApi: Morecore,
  free: IntFree,
) {
  const { words, chunks, machine, parameters, writes } = context;
  const { kernel, memory } = machine;
  const { ints, doubles } = parameters;
  const { heapInfoBytes, fallbackArgumentsSwapped } = context.features;
  const { splitChunk } = bins;
  const { heaps, heapOf, endUnit, newHeap, growHeap, setTop } = heapsApi;
  const { sysmallocMmap } = mapped;
  const { morecore } = morecoreApi;
  const { intFree } = free;
  const { touchUnit } = writes;
  const segments = memory.int32('ptmalloc.segments', MAX_SEGMENTS * 2, () => ints[SEGMENT_COUNT]! * 2);

  /** sysmalloc(): a chunk of `nb` units for `arena` (0: there is none, only a mapping will do), or 0. */
  function sysmalloc(t: number, nb: number, arena: number): number {
    let triedMmap = false;
    if (
      arena === 0 ||
      (nb * UNIT_BYTES >= toUnsigned(doubles[MMAP_THRESHOLD]!) && ints[N_MMAPS]! < ints[N_MMAPS_MAX]!)
    ) {
      const huge = ints[HP_PAGES]!;
      if (huge > 0 && nb >= huge << PAGE_UNIT_SHIFT) {
        const p = sysmallocMmap(t, nb, huge, ints[HP_FLAGS]!);
        if (p !== 0) return p;
      }
      const p = sysmallocMmap(t, nb, 1, 0);
      if (p !== 0) return p;
      triedMmap = true;
    }
    if (arena === 0) return 0;

    if (arena !== MAIN_ARENA) {
      if (!extendHeaps(t, nb, arena) && !triedMmap) {
        const p = sysmallocMmap(t, nb, 1, 0);
        if (p !== 0) return p;
      }
    } else {
      extendMain(t, nb);
    }
    if (words[arena + SYSTEM_PAGES]! > words[arena + MAX_SYSTEM_PAGES]!) {
      words[arena + MAX_SYSTEM_PAGES] = words[arena + SYSTEM_PAGES]!;
    }

    const p = words[arena + TOP]!;
    const units = words[p + SIZE]! >>> UNIT_SHIFT;
    if (p === 0 || units < nb + MIN_UNITS) return 0;
    words[arena + TOP] = splitChunk(arena, p, nb, units - nb);
    words[p + SIZE] = (nb << UNIT_SHIFT) | words[arena + CHUNK_FLAGS]! | INUSE;
    return p;
  }

  /** Grows the arena's last heap, or adds one. False where neither can be done. */
  function extendHeaps(t: number, nb: number, arena: number): boolean {
    const oldTop = words[arena + TOP]!;
    const oldUnits = words[oldTop + SIZE]! >>> UNIT_SHIFT;
    const oldHeap = heapOf(oldTop);
    const oldPages = heaps[oldHeap + HEAP_PAGES]!;
    if (growHeap(t, oldHeap, (MIN_UNITS + nb - oldUnits) * UNIT_BYTES)) {
      words[arena + SYSTEM_PAGES]! += heaps[oldHeap + HEAP_PAGES]! - oldPages;
      words[oldTop + SIZE] = (endUnit(oldHeap) - words[oldTop + ADDR]!) << UNIT_SHIFT;
      return true;
    }
    const heap = newHeap(t, (nb + MIN_UNITS) * UNIT_BYTES + heapInfoBytes);
    if (heap === 0) return false;
    heaps[heap + HEAP_PREV] = oldHeap;
    words[arena + SYSTEM_PAGES]! += heaps[heap + HEAP_PAGES]!;
    setTop(arena, heap, heapInfoBytes / UNIT_BYTES);
    fenceOff(t, arena, oldTop, oldUnits, oldHeap);
    return true;
  }

  /**
   * The end of an area that the top chunk has left: its last 32 bytes become a fencepost, marked in use, so that nothing
   * is joined across; what was before them is freed. glibc writes two chunk headers of 16 bytes there, here it is one
   * record. `heap` is the heap that ends there, 0 for the main arena. The free may delete the arena's new heap again.
   */
  function fenceOff(t: number, arena: number, oldTop: number, oldUnits: number, heap: number): void {
    const rest = oldUnits - MIN_UNITS;
    if (rest < MIN_UNITS) {
      words[oldTop + SIZE] = (oldUnits << UNIT_SHIFT) | INUSE;
      touchUnit(words[oldTop + ADDR]! + rest + 1);
      if (heap !== 0) heaps[heap + HEAP_FENCEPOST] = oldTop;
      return;
    }
    const fencepost = splitChunk(arena, oldTop, rest, MIN_UNITS);
    words[fencepost + SIZE] = (MIN_UNITS << UNIT_SHIFT) | INUSE;
    touchUnit(words[fencepost + ADDR]! + 1);
    if (heap !== 0) heaps[heap + HEAP_FENCEPOST] = fencepost;
    words[oldTop + SIZE] = (rest << UNIT_SHIFT) | words[arena + CHUNK_FLAGS]! | INUSE;
    intFree(t, arena, oldTop, true);
  }

  /** The main arena's part: by brk, and where that fails by mmap. Leaves the top as it was where both fail. */
  function extendMain(t: number, nb: number): void {
    const arena = MAIN_ARENA;
    const oldTop = words[arena + TOP]!;
    const oldUnits = oldTop === 0 ? 0 : words[oldTop + SIZE]! >>> UNIT_SHIFT;
    const oldBytes = oldUnits * UNIT_BYTES;
    const contiguous = (words[arena + FLAGS]! & NONCONTIGUOUS) === 0;
    let bytes = nb * UNIT_BYTES + doubles[TOP_PAD]! + MIN_UNITS * UNIT_BYTES;
    if (contiguous) bytes -= oldBytes;

    let pages: number;
    if (ints[THP_PAGES] !== 0) {
      // Up to a multiple of the huge page, counted from where the break really is; 0 before anybody has asked.
      const granule = ints[THP_PAGES]! * 4096;
      const now = ints[CURRENT_BREAK] === 0 ? 0 : realAddress(ints[CURRENT_BREAK]! * 4096);
      pages = (Math.ceil((now + bytes) / granule) * granule - now) / 4096;
    } else {
      pages = Math.ceil(bytes / 4096);
    }

    let start = 0;
    let fromBrk = false;
    if (pages > 0) {
      start = morecore(t, pages);
      fromBrk = start !== 0;
      if (fromBrk) madviseThp(context, t, start, pages);
    }
    if (!fromBrk) {
      // mmap in place of brk, whatever the threshold and the number of mappings.
      const huge = ints[HP_PAGES]!;
      const wanted = (least: number, granule: number) =>
        Math.max(least, contiguous ? Math.ceil((pages + oldBytes / 4096) / granule) * granule : pages);
      let got = huge > 0 ? mmapFallback(t, nb, wanted(huge, huge), ints[HP_FLAGS]!) : 0;
      if (got === 0) {
        got = mmapFallback(
          t,
          nb,
          fallbackArgumentsSwapped ? wanted(1, MMAP_AS_MORECORE_PAGES) : wanted(MMAP_AS_MORECORE_PAGES, 1),
          0,
        );
      }
      if (got === 0) return;
      start = fallbackStart;
      pages = got;
    }
    words[arena + SYSTEM_PAGES]! += pages;

    const oldEnd = oldTop === 0 ? 0 : (words[oldTop + ADDR]! + oldUnits) / 256;
    if (fromBrk && oldTop !== 0 && start === oldEnd) {
      words[oldTop + SIZE] = (oldUnits + (pages << PAGE_UNIT_SHIFT)) << UNIT_SHIFT;
      return;
    }
    const stillContiguous = (words[arena + FLAGS]! & NONCONTIGUOUS) === 0;
    if (stillContiguous && oldUnits !== 0 && start < oldEnd) mallocPrinterr('break adjusted to free malloc space');
    newSegment(start, pages);
    if (oldTop !== 0) fenceOff(t, arena, oldTop, oldUnits, 0);
  }

  let fallbackStart = 0;

  /** sysmalloc_mmap_fallback(): pages that were mapped at `fallbackStart`, or 0. */
  function mmapFallback(t: number, nb: number, pages: number, flags: number): number {
    if (pages * 4096 <= nb * UNIT_BYTES) return 0;
    // What no address space holds is asked for all the same, and refused.
    if (pages >= MAX_SEGMENT_PAGES && pages < REFUSED_PAGES) return 0;
    const start = kernel.mmap(t, 0, pages, PROT_READ | PROT_WRITE, flags);
    if (start < 0) return 0;
    if ((flags & MAP_HUGETLB) === 0) madviseThp(context, t, start, pages);
    words[MAIN_ARENA + FLAGS]! |= NONCONTIGUOUS;
    fallbackStart = start;
    return pages;
  }

  /**
   * A new area of the main arena that does not continue the old one: all of it is the new top. glibc asks for a second
   * piece of memory to end at a page boundary; here every piece does.
   */
  function newSegment(start: number, pages: number): void {
    const top = chunks.newRecord(MAIN_ARENA + SPARE_RECORDS);
    words[top + SIZE] = (pages << PAGE_UNIT_SHIFT) << UNIT_SHIFT;
    words[top + ADDR] = start << PAGE_UNIT_SHIFT;
    words[top + PREV] = 0;
    words[top + NEXT] = 0;
    words[MAIN_ARENA + TOP] = top;
    touchUnit(words[top + ADDR]!);
    const segment = ints[SEGMENT_COUNT]!;
    assert(segment < MAX_SEGMENTS, 'the main arena has too many pieces');
    segments[segment * 2 + SEGMENT_FIRST] = top;
    segments[segment * 2 + SEGMENT_PAGE] = start;
    ints[SEGMENT_COUNT] = segment + 1;
  }

  return { sysmalloc, segments };
}

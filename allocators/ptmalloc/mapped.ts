import { MAP_BY_PAGE, MAP_HUGETLB, PROT_READ, PROT_WRITE } from '../../sim/kernel/kernel.ts';
import { FENCE_PAGE } from '../../sim/kernel/layout.ts';
import * as chunk from './chunk.ts';
import { type Context, MAPPED_GUARD, MAPPED_HOLDER, MAPPED_LIST } from './context.ts';
import { madviseThp } from './huge-pages.ts';
import * as par from './parameters.ts';

/** IS_MMAPPED as it takes part in a comparison of sizes. */
const MAPPED_BIT = 2;

export type Mapped = ReturnType<typeof createMapped>;

/** Chunks that are a mapping of their own. */
export function createMapped(context: Context) {
  const { ADDR, BK, FD, mappedUnit, mappedUnits, MMAPPED_SIZE, NEXT, PAGE_UNITS, PREV, SIZE, UNIT_BYTES } = chunk;
  const {
    DEFAULT_MMAP_THRESHOLD_MAX,
    MAX_MMAPPED_MEM,
    MAX_N_MMAPS,
    MMAP_THRESHOLD,
    MMAPPED_MEM,
    N_MMAPS,
    NO_DYN_THRESHOLD,
    toUnsigned,
    TRIM_THRESHOLD,
  } = par;
  const { words, chunks, machine, parameters } = context;
  const { kernel } = machine;
  const { ints, doubles } = parameters;
  const { newRecord, dropRecord } = chunks;

  function lockList(): void {
    while (Atomics.compareExchange(words, MAPPED_GUARD, 0, 1) !== 0) {}
  }

  function unlockList(): void {
    Atomics.store(words, MAPPED_GUARD, 0);
  }

  function addMemory(pages: number): void {
    const sum = doubles[MMAPPED_MEM]! + pages * 4096;
    doubles[MMAPPED_MEM] = sum;
    if (sum > doubles[MAX_MMAPPED_MEM]!) doubles[MAX_MMAPPED_MEM] = sum;
  }

  /** The chunk begins `offset` units behind the start of its mapping, and its header there is written. */
  function setPlace(p: number, start: number, pages: number, offset: number): void {
    const isFar = start >= FENCE_PAGE;
    words[p + ADDR] = isFar ? -start : start * PAGE_UNITS + offset;
    words[p + FD] = isFar ? pages : pages * PAGE_UNITS - offset;
    words[p + BK] = offset;
    kernel.touch(start + Math.floor(offset / PAGE_UNITS));
  }

  /** sysmalloc_mmap(): a chunk for `nb` units, or 0. Its length is a multiple of `pagePages` pages. */
  function sysmallocMmap(t: number, nb: number, pagePages: number, flags: number): number {
    // A word more than in an arena, since there is no next chunk whose prev_size could be used.
    const pages = Math.ceil((nb * UNIT_BYTES + 8) / (4096 * pagePages)) * pagePages;
    const start = kernel.mmap(t, 0, pages, PROT_READ | PROT_WRITE, flags | MAP_BY_PAGE);
    if (start < 0) return 0;
    if ((flags & MAP_HUGETLB) === 0) madviseThp(context, t, start, pages);
    lockList();
    const p = newRecord(MAPPED_HOLDER);
    const first = words[MAPPED_LIST]!;
    words[p + PREV] = 0;
    words[p + NEXT] = first;
    if (first !== 0) words[first + PREV] = p;
    words[MAPPED_LIST] = p;
    words[p + SIZE] = MMAPPED_SIZE;
    const count = ++ints[N_MMAPS]!;
    if (count > ints[MAX_N_MMAPS]!) ints[MAX_N_MMAPS] = count;
    addMemory(pages);
    unlockList();
    setPlace(p, start, pages, 0);
    return p;
  }

  const firstPage = (p: number): number => (mappedUnit(words, p) - words[p + BK]!) / PAGE_UNITS;
  const pageCount = (p: number): number => (mappedUnits(words, p) + words[p + BK]!) / PAGE_UNITS;

  /** The end of _int_memalign(): the mapping stays whole, the chunk just starts later in it. */
  function startLater(p: number, lead: number): void {
    setPlace(p, firstPage(p), pageCount(p), words[p + BK]! + lead);
  }

  /** munmap_chunk() */
  function munmapChunk(t: number, p: number): void {
    const start = firstPage(p);
    const pages = pageCount(p);
    lockList();
    const next = words[p + NEXT]!;
    const prev = words[p + PREV]!;
    if (next !== 0) words[next + PREV] = prev;
    if (prev !== 0) words[prev + NEXT] = next;
    else words[MAPPED_LIST] = next;
    ints[N_MMAPS]!--;
    doubles[MMAPPED_MEM]! -= pages * 4096;
    dropRecord(MAPPED_HOLDER, p);
    unlockList();
    kernel.munmap(t, start, pages);
  }

  /** The part of free() for mapped chunks: the thresholds grow with the largest one that was freed. */
  function freeMapped(t: number, p: number): void {
    const bytes = mappedUnits(words, p) * UNIT_BYTES;
    if (
      ints[NO_DYN_THRESHOLD] === 0 &&
      bytes + MAPPED_BIT > toUnsigned(doubles[MMAP_THRESHOLD]!) &&
      bytes + MAPPED_BIT <= DEFAULT_MMAP_THRESHOLD_MAX
    ) {
      doubles[MMAP_THRESHOLD] = bytes;
      doubles[TRIM_THRESHOLD] = 2 * bytes;
    }
    munmapChunk(t, p);
  }

  /** mremap_chunk(): whether the mapping now has room for `nb` units; it may have moved. */
  function mremapChunk(t: number, p: number, nb: number): boolean {
    const offset = words[p + BK]!;
    const oldPages = pageCount(p);
    const newPages = Math.ceil(((nb + offset) * UNIT_BYTES + 8) / 4096);
    if (newPages === oldPages) return true;
    const start = kernel.mremap(t, firstPage(p), oldPages, newPages, true, true);
    if (start < 0) return false;
    madviseThp(context, t, start, newPages);
    setPlace(p, start, newPages, offset);
    lockList();
    addMemory(newPages - oldPages);
    unlockList();
    return true;
  }

  return { sysmallocMmap, startLater, munmapChunk, freeMapped, mremapChunk, firstPage, pageCount };
}

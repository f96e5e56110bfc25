import {
  type AreaVisitor,
  type FollowedFree,
  type FreeVisitors,
  RANGE_CACHED,
  RANGE_FREE,
  RANGE_LIVE,
  RANGE_METADATA,
  type RangeKind,
  type RangeVisitor,
} from '../../sim/contract/allocator.ts';
import type { Addr, Bytes } from '../../sim/contract/units.ts';
import { LAZILY_FREED, RESIDENT } from '../../sim/kernel/residency.ts';
import { BINS, FASTBINS, NEXT_ARENA, NUMBER, TOP } from './arena-layout.ts';
import { NBINS, NFASTBINS } from './bin-index.ts';
import {
  ADDR,
  FD,
  INUSE,
  LG_RECORD_WORDS,
  mappedUnit,
  mappedUnits,
  NEXT,
  PAGE_UNIT_SHIFT,
  SIZE,
  UNIT_BYTES,
  UNIT_SHIFT,
} from './chunk.ts';
import { type Context, MAIN_ARENA, MAPPED_LIST } from './context.ts';
import type { FollowedBins } from './followed-bins.ts';
import { HEAP_ARENA, HEAP_FENCEPOST, HEAP_FIRST, HEAP_MPROTECT_PAGES, HEAP_PAGES, type Heaps } from './heap.ts';
import type { Mapped } from './mapped.ts';
import { SEGMENT_COUNT } from './parameters.ts';
import { SEGMENT_FIRST, SEGMENT_PAGE, type SystemMalloc } from './sysmalloc.ts';
import { TCACHE_MAX_BINS, TCACHE_SHIFT } from './tcache.ts';

/** A contiguous run of chunks: a piece of the main arena, or a heap. */
export interface Area {
  readonly arena: number;
  readonly name: string;
  readonly startUnit: number;
  readonly endUnit: number;
  readonly first: number;
  /** Offset in the table of heaps, 0 for the main arena. */
  readonly heap: number;
}

export const IN_USE = 0;
export const IN_TCACHE = 1;
export const IN_FASTBIN = 2;
export const IN_BIN = 3;
export const IS_TOP = 4;
export const IS_FENCEPOST = 5;
/** The chunk that holds a thread's tcache. */
export const IS_TCACHE = 6;

/** By chunk >>> LG_RECORD_WORDS: IN_TCACHE, IN_FASTBIN, IS_TCACHE, or else IN_USE, which is 0. */
export type ChunkStates = Uint8Array;

export type Walking = ReturnType<typeof createWalk>;

/** Reading all of memory in the order of addresses, area by area. */
export function createWalk(
  context: Context,
  heapsApi: Heaps,
  systemMalloc: SystemMalloc,
  mapped: Mapped,
  followed: FollowedBins,
) {
  const { words, parameters, tcache, tcacheChunk } = context;
  const { kernel } = context.machine;
  const { ints } = parameters;
  const { heaps, heapWords, pageOf, unitOf, endUnit } = heapsApi;
  const { segments } = systemMalloc;
  const isResident = (page: number) => kernel.pages[page] === RESIDENT || kernel.pages[page] === LAZILY_FREED;

  function eachArena(visit: (arena: number) => void): void {
    let arena = MAIN_ARENA;
    do {
      visit(arena);
      arena = words[arena + NEXT_ARENA]!;
    } while (arena !== MAIN_ARENA);
  }

  function eachArea(visit: (area: Area) => void): void {
    for (let i = 0; i < ints[SEGMENT_COUNT]!; i++) {
      const first = segments[2 * i + SEGMENT_FIRST]!;
      const startUnit = segments[2 * i + SEGMENT_PAGE]! << PAGE_UNIT_SHIFT;
      // The top ends the youngest piece.
      let last = i === ints[SEGMENT_COUNT]! - 1 ? words[MAIN_ARENA + TOP]! : first;
      while (words[last + NEXT] !== 0) last = words[last + NEXT]!;
      visit({
        arena: MAIN_ARENA,
        name: i === 0 ? 'main heap' : `main heap, piece ${i + 1}`,
        startUnit,
        endUnit: words[last + ADDR]! + (words[last + SIZE]! >>> UNIT_SHIFT),
        first,
        heap: 0,
      });
    }
    const counts = new Map<number, number>();
    for (let heap = heapWords; heap < heaps.length; heap += heapWords) {
      const arena = heaps[heap + HEAP_ARENA]!;
      if (arena === 0) continue;
      const number = (counts.get(arena) ?? 0) + 1;
      counts.set(arena, number);
      visit({
        arena,
        name: `arena ${words[arena + NUMBER]}, heap ${number}`,
        startUnit: unitOf(heap),
        endUnit: endUnit(heap),
        first: heaps[heap + HEAP_FIRST]!,
        heap,
      });
    }
  }

  /** What is known of chunks in use from where they are listed: in a thread's cache, in a fastbin, or a tcache itself. */
  function states(): ChunkStates {
    const { chunks } = context;
    const found = new Uint8Array(chunks.wordsUsed() >>> LG_RECORD_WORDS);
    for (let t = 0; t < tcacheChunk.length; t++) {
      if (tcacheChunk[t] === 0) continue;
      found[tcacheChunk[t]! >>> LG_RECORD_WORDS] = IS_TCACHE;
      for (let bin = 0; bin < TCACHE_MAX_BINS; bin++) {
        for (let p = tcache[(t << TCACHE_SHIFT) + 2 * bin]!; p !== 0; p = words[p + FD]!) {
          found[p >>> LG_RECORD_WORDS] = IN_TCACHE;
        }
      }
    }
    eachArena((arena) => {
      for (let i = 0; i < NFASTBINS; i++) {
        for (let p = words[arena + FASTBINS + i]!; p !== 0; p = words[p + FD]!) {
          found[p >>> LG_RECORD_WORDS] = IN_FASTBIN;
        }
      }
    });
    return found;
  }

  /** `visit(chunk, its units, one of the states above)`, in the order of addresses. */
  function eachChunk(area: Area, inUse: ChunkStates, visit: (p: number, units: number, state: number) => void) {
    const fencepost = area.heap === 0 ? 0 : heaps[area.heap + HEAP_FENCEPOST]!;
    for (let p = area.first; p !== 0; p = words[p + NEXT]!) {
      const word = words[p + SIZE]!;
      let state = IN_BIN;
      if (p === words[area.arena + TOP]) state = IS_TOP;
      // A piece of the main arena that is not its last ends with a fencepost too.
      else if (p === fencepost || words[p + NEXT] === 0) state = IS_FENCEPOST;
      else if ((word & INUSE) !== 0) state = inUse[p >>> LG_RECORD_WORDS]!;
      visit(p, word >>> UNIT_SHIFT, state);
    }
  }

  /**
   * What a heap that has shrunk gave back stays writable (mprotect_size), so that a huge page on its last pages brings
   * some of it back: in no chunk, but resident.
   */
  function residentTail(heap: number, visit: (start: Addr, length: Bytes) => void): void {
    const end = pageOf(heap) + heaps[heap + HEAP_MPROTECT_PAGES]!;
    let page = pageOf(heap) + heaps[heap + HEAP_PAGES]!;
    while (page < end) {
      const first = page;
      while (page < end && isResident(page)) page++;
      if (page > first) visit(first * 4096, (page - first) * 4096);
      while (page < end && !isResident(page)) page++;
    }
  }

  function eachResidentTail(visit: RangeVisitor): void {
    if (kernel.thp === 'never') return;
    for (let heap = heapWords; heap < heaps.length; heap += heapWords) {
      if (heaps[heap + HEAP_ARENA] !== 0) residentTail(heap, (start, length) => visit(start, length, RANGE_FREE, 0));
    }
  }

  /**
   * A chunk's own bytes are counted from its size word to the size word of the next chunk: prev_size of the next one
   * belongs to it while it is in use, and the word before the first size word is lost. What an arena heap has reserved
   * beyond its size is not usable, and visited only where a huge page has made it resident.
   */
  function walk(visit: RangeVisitor): void {
    const inUse = states();
    eachArea((area) => {
      const start = area.startUnit * UNIT_BYTES;
      const end = area.endUnit * UNIT_BYTES;
      visit(start, words[area.first + ADDR]! * UNIT_BYTES + 8 - start, RANGE_METADATA, 0);
      eachChunk(area, inUse, (p, units, state) => {
        const memory = (words[p + ADDR]! + 1) * UNIT_BYTES;
        const length = Math.min(end, memory + units * UNIT_BYTES - 8) - memory;
        if (state === IS_FENCEPOST || state === IS_TCACHE) {
          visit(memory - 8, 8 + length, RANGE_METADATA, 0);
          return;
        }
        visit(memory - 8, 8, RANGE_METADATA, 0);
        if (state === IN_USE) visit(memory, length, RANGE_LIVE, p);
        else visit(memory, length, state === IN_TCACHE ? RANGE_CACHED : RANGE_FREE, 0);
      });
    });
    eachResidentTail(visit);
    for (let p = words[MAPPED_LIST]!; p !== 0; p = words[p + NEXT]!) {
      const start = mapped.firstPage(p) * 4096;
      const memory = (mappedUnit(words, p) + 1) * UNIT_BYTES;
      const length = (mappedUnits(words, p) - 1) * UNIT_BYTES;
      visit(start, memory - start, RANGE_METADATA, 0);
      if (inUse[p >>> LG_RECORD_WORDS] !== IN_USE) visit(memory, length, RANGE_METADATA, 0);
      else visit(memory, length, RANGE_LIVE, p);
    }
  }

  function visitChunk(p: number, kind: RangeKind, visit: RangeVisitor): void {
    visit((words[p + ADDR]! + 1) * UNIT_BYTES, (words[p + SIZE]! >>> UNIT_SHIFT) * UNIT_BYTES - 8, kind, 0);
  }

  /** Of these, the chunks in caches, fastbins and bins, the tops, and what is in no chunk. */
  function walkFree(visit: RangeVisitor): void {
    walkUnlisted(visit);
    eachArena((arena) => {
      for (let i = 1; i < NBINS; i++) {
        const bin = arena + BINS + 2 * i;
        for (let p = words[bin + FD]!; p !== bin; p = words[p + FD]!) visitChunk(p, RANGE_FREE, visit);
      }
    });
  }

  function followFree({ come, gone, rest }: FreeVisitors): FollowedFree {
    followed.follow(gone, come);
    walkUnlisted(rest);
    return { bytes: followed.freeBytes(), largestBytes: followed.largestBytes() };
  }

  /** What is free and in no bin. */
  function walkUnlisted(visit: RangeVisitor): void {
    for (let t = 0; t < tcacheChunk.length; t++) {
      if (tcacheChunk[t] === 0) continue;
      for (let bin = 0; bin < TCACHE_MAX_BINS; bin++) {
        for (let p = tcache[(t << TCACHE_SHIFT) + 2 * bin]!; p !== 0; p = words[p + FD]!)
          visitChunk(p, RANGE_CACHED, visit);
      }
    }
    eachArena((arena) => {
      for (let i = 0; i < NFASTBINS; i++) {
        for (let p = words[arena + FASTBINS + i]!; p !== 0; p = words[p + FD]!) visitChunk(p, RANGE_FREE, visit);
      }
      // Its last word would be the next chunk's, and there is none.
      const top = words[arena + TOP]!;
      const memory = (words[top + ADDR]! + 1) * UNIT_BYTES;
      if (top !== 0) visit(memory, ((words[top + SIZE]! >>> UNIT_SHIFT) - 1) * UNIT_BYTES, RANGE_FREE, 0);
    });
    eachResidentTail(visit);
  }

  function areas(visit: AreaVisitor): void {
    eachArea((area) => {
      const start = area.startUnit * UNIT_BYTES;
      let end = area.endUnit * UNIT_BYTES;
      if (area.heap !== 0 && kernel.thp !== 'never') residentTail(area.heap, (tail, length) => (end = tail + length));
      visit(start, end - start, area.name, 'heap');
    });
    for (let p = words[MAPPED_LIST]!; p !== 0; p = words[p + NEXT]!) {
      visit(mapped.firstPage(p) * 4096, mapped.pageCount(p) * 4096, 'mapped block', 'mapped');
    }
  }

  return { walk, walkFree, followFree, areas, eachArena, eachArea, eachChunk, states };
}

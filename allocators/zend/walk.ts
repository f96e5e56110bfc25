import {
  type Handle,
  RANGE_CACHED,
  RANGE_FREE_WITHIN,
  RANGE_LIVE,
  RANGE_METADATA,
  type RangeVisitor,
  type ThreadSlot,
} from '../../sim/contract/allocator.ts';
import { BIN_ELEMENTS, BIN_PAGES, BIN_SIZE, BINS } from './bins.ts';
import { isSet } from './bitmap.ts';
import {
  addressOf,
  BIN_MASK,
  CACHED_CHUNKS,
  CELL_MASK,
  CHUNK_BYTES,
  CHUNK_PAGES,
  CHUNK_SLOTS,
  FIRST_PAGE,
  FREE_MAP,
  FREE_SLOT,
  HUGE_LIST,
  HUGE_PAGES_COUNT,
  handleOf,
  heapBase,
  IS_SRUN,
  LRUN_PAGES_MASK,
  MAIN_CHUNK,
  MAIN_DELETED,
  NEXT,
  NODE_BLOCK,
  NODE_NEXT,
  OWNER,
  SLOT_SHIFT_WORDS,
  START_PAGE,
  slotOf,
  type ZendState,
} from './layout.ts';

/** A piece of a chunk: pages of one run, or free pages. `bin` is -1 for a large run, -2 for free pages. */
export type RunVisitor = (page: number, pages: number, bin: number) => void;
export const LARGE_RUN = -1;
export const FREE_RUN = -2;

/** Calls `visit` for the pieces of a chunk behind its header, in order of address. */
export function forEachRun(state: ZendState, slot: number, visit: RunVisitor): void {
  const { slots, map } = state;
  const bitmap = (slot << SLOT_SHIFT_WORDS) + FREE_MAP;
  for (let page = FIRST_PAGE; page < CHUNK_PAGES; ) {
    const start = page;
    if (!isSet(slots, bitmap, page)) {
      while (page < CHUNK_PAGES && !isSet(slots, bitmap, page)) page++;
      visit(start, page - start, FREE_RUN);
      continue;
    }
    const info = map[slot * CHUNK_PAGES + page]!;
    const bin = info & IS_SRUN ? info & BIN_MASK : LARGE_RUN;
    page += bin === LARGE_RUN ? info & LRUN_PAGES_MASK : BIN_PAGES[bin]!;
    visit(start, page - start, bin);
  }
}

/** Slots of the heap's chunks, in the order of the ring; of their numbers where the first one has been taken out of it. */
export function chunksOf(state: ZendState, t: ThreadSlot): number[] {
  const { heaps, slots } = state;
  const main = heaps[heapBase(t) + MAIN_CHUNK]!;
  const list: number[] = [];
  if (main === 0) return list;
  if (heaps[heapBase(t) + MAIN_DELETED] === 1) {
    const cached = new Set(cachedChunksOf(state, t));
    for (let slot = 1; slot < CHUNK_SLOTS; slot++) {
      if (slots[(slot << SLOT_SHIFT_WORDS) + OWNER] === t + 1 && !cached.has(slot)) list.push(slot);
    }
    return list;
  }
  let slot = main;
  do {
    list.push(slot);
    slot = slots[(slot << SLOT_SHIFT_WORDS) + NEXT]!;
  } while (slot !== main && slot !== 0);
  return list;
}

export function cachedChunksOf(state: ZendState, t: ThreadSlot): number[] {
  const { heaps, slots } = state;
  const cached = new Set<number>();
  for (let slot = heaps[heapBase(t) + CACHED_CHUNKS]!; slot !== 0; slot = slots[(slot << SLOT_SHIFT_WORDS) + NEXT]!) {
    if (cached.has(slot)) break; // put there twice, by a collection that never ends
    cached.add(slot);
  }
  cached.delete(heaps[heapBase(t) + MAIN_CHUNK]!); // 7.1 may have its own main chunk there
  return [...cached];
}

/** Slots of the heap's huge blocks, the youngest first. */
export function hugeBlocksOf(state: ZendState, t: ThreadSlot): number[] {
  const { heaps, cells } = state;
  const list: number[] = [];
  for (let n = heaps[heapBase(t) + HUGE_LIST]!; n !== 0; n = cells[(n & CELL_MASK) + NODE_NEXT]!) {
    list.push(slotOf(cells[(n & CELL_MASK) + NODE_BLOCK]!));
  }
  return list;
}

/** Elements on the heap's free lists. */
export function freeElements(state: ZendState, t: ThreadSlot): Set<Handle> {
  const { heaps, cells } = state;
  const free = new Set<Handle>();
  for (let bin = 0; bin < BINS; bin++) {
    for (let h = heaps[heapBase(t) + FREE_SLOT + bin]!; h !== 0; h = cells[h & CELL_MASK]!) free.add(h);
  }
  return free;
}

/** Threads that have a heap. */
export function heapThreads(state: ZendState): ThreadSlot[] {
  const list: ThreadSlot[] = [];
  for (let t = 0; t < state.machine.threadSlots; t++) if (state.heaps[heapBase(t) + MAIN_CHUNK] !== 0) list.push(t);
  return list;
}

/** Every byte of every heap in exactly one range. */
export function walkHeaps(state: ZendState, visit: RangeVisitor): void {
  for (const t of heapThreads(state)) walkHeap(state, t, visit);
}

function walkHeap(state: ZendState, t: ThreadSlot, visit: RangeVisitor): void {
  const { slots, cells, heaps } = state;
  const free = freeElements(state, t);
  const nodes = new Set<Handle>();
  for (let n = heaps[heapBase(t) + HUGE_LIST]!; n !== 0; n = cells[(n & CELL_MASK) + NODE_NEXT]!) nodes.add(n);
  for (const slot of chunksOf(state, t)) {
    const base = slots[(slot << SLOT_SHIFT_WORDS) + START_PAGE]! * 4096;
    visit(base, FIRST_PAGE * 4096, RANGE_METADATA, 0);
    forEachRun(state, slot, (page, pages, bin) => {
      const start = base + page * 4096;
      if (bin === FREE_RUN) return visit(start, pages * 4096, RANGE_FREE_WITHIN, 0);
      const first = handleOf(slot, page);
      if (bin === LARGE_RUN) return visit(start, pages * 4096, RANGE_LIVE, first);
      const size = BIN_SIZE[bin]!;
      const elements = BIN_ELEMENTS[bin]!;
      for (let i = 0; i < elements; i++) {
        const h = first + (i * size) / 8;
        if (free.has(h)) visit(start + i * size, size, RANGE_FREE_WITHIN, 0);
        else if (nodes.has(h)) visit(start + i * size, size, RANGE_METADATA, 0);
        else visit(start + i * size, size, RANGE_LIVE, h);
      }
      // What a run cannot cut into elements serves nobody.
      const rest = pages * 4096 - elements * size;
      if (rest > 0) visit(start + elements * size, rest, RANGE_METADATA, 0);
    });
  }
  for (const slot of cachedChunksOf(state, t)) {
    visit(slots[(slot << SLOT_SHIFT_WORDS) + START_PAGE]! * 4096, CHUNK_BYTES, RANGE_CACHED, 0);
  }
  for (const slot of hugeBlocksOf(state, t)) {
    const record = slot << SLOT_SHIFT_WORDS;
    const pages = slots[record + HUGE_PAGES_COUNT]!;
    visit(slots[record + START_PAGE]! * 4096, pages * 4096, RANGE_LIVE, handleOf(slot, 0));
  }
}

/** Of these, what is free: elements on free lists, unused pages, and chunks that wait to be used again. */
export function walkFree(state: ZendState, visit: RangeVisitor): void {
  const { cells, heaps, slots } = state;
  for (const t of heapThreads(state)) {
    for (let bin = 0; bin < BINS; bin++) {
      const size = BIN_SIZE[bin]!;
      for (let h = heaps[heapBase(t) + FREE_SLOT + bin]!; h !== 0; h = cells[h & CELL_MASK]!) {
        visit(addressOf(state, h), size, RANGE_FREE_WITHIN, 0);
      }
    }
    for (const slot of chunksOf(state, t)) {
      const base = slots[(slot << SLOT_SHIFT_WORDS) + START_PAGE]! * 4096;
      forEachRun(state, slot, (page, pages, bin) => {
        if (bin === FREE_RUN) visit(base + page * 4096, pages * 4096, RANGE_FREE_WITHIN, 0);
      });
    }
    for (const slot of cachedChunksOf(state, t)) {
      visit(slots[(slot << SLOT_SHIFT_WORDS) + START_PAGE]! * 4096, CHUNK_BYTES, RANGE_CACHED, 0);
    }
  }
}

import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { assert } from '../../sim/contract/assert.ts';
import { BIN_ELEMENTS, BIN_PAGES, BIN_SIZE, BINS } from './bins.ts';
import { isSet } from './bitmap.ts';
import {
  BIN_MASK,
  CACHED_CHUNKS_COUNT,
  CELL_MASK,
  CHUNK_PAGES,
  CHUNKS_COUNT,
  counterOf,
  FIRST_PAGE,
  FREE_MAP,
  FREE_PAGES,
  FREE_SLOT,
  FREE_TAIL,
  HUGE_LIST,
  HUGE_PAGES_COUNT,
  heapBase,
  IS_LRUN,
  IS_SRUN,
  lrun,
  MAIN_DELETED,
  NEXT,
  NODE_BLOCK,
  NODE_NEXT,
  NODE_PAGES,
  nrun,
  OWNER,
  PAGE_CELL_SHIFT,
  PEAK_CHUNKS_COUNT,
  PREV,
  REAL_PEAK,
  REAL_SIZE,
  REFUSED_UNITS,
  SLOT_SHIFT_WORDS,
  START_PAGE,
  slotOf,
  srun,
  type ZendState,
} from './layout.ts';
import { cachedChunksOf, chunksOf, FREE_RUN, forEachRun, heapThreads, hugeBlocksOf, LARGE_RUN } from './walk.ts';

/** Every invariant of every heap, or an InvariantError that names the heap and the place. */
export function checkHeaps(state: ZendState): void {
  for (const t of heapThreads(state)) checkHeap(state, t);
}

function checkHeap(state: ZendState, t: ThreadSlot): void {
  const { heaps, peaks, sizes, slots } = state;
  const heap = heapBase(t);
  // The real heap is corrupt here too: it put its own main chunk into the cache (8.2 in zend_mm_gc, 7.1 anywhere).
  if (heaps[heap + MAIN_DELETED] === 1) return;
  const chunks = chunksOf(state, t);
  const cached = cachedChunksOf(state, t);
  const huge = hugeBlocksOf(state, t);
  const where = `heap of thread slot ${t}`;
  assert(chunks.length === heaps[heap + CHUNKS_COUNT], `${where}: chunks_count and the ring differ`);
  assert(cached.length === heaps[heap + CACHED_CHUNKS_COUNT], `${where}: cached_chunks_count and the list differ`);
  assert(heaps[heap + CHUNKS_COUNT]! <= heaps[heap + PEAK_CHUNKS_COUNT]!, `${where}: more chunks than the peak`);

  let usedUnits = 0;
  const runs = new Map<number, number>(); // first page in `map` → bin
  for (const slot of chunks) usedUnits += checkChunk(state, t, slot, runs, where);
  for (const slot of cached)
    assert(slots[(slot << SLOT_SHIFT_WORDS) + OWNER] === t + 1, `${where}: a foreign cached chunk`);
  usedUnits -= checkFreeLists(state, t, runs, where);
  const hugePages = checkHuge(state, t, huge, where);
  // The huge list's own nodes are small blocks too, and count as usage in the real heap as well.
  const units = usedUnits + hugePages * 512 + heaps[heap + REFUSED_UNITS]!;
  assert(units === sizes[t], `${where}: size is ${sizes[t]! * 8}, live and refused ${units * 8}`);
  assert(sizes[t]! <= peaks[t]!, `${where}: size above its peak`);
  assert(heaps[heap + REAL_SIZE]! <= heaps[heap + REAL_PEAK]!, `${where}: real size above its peak`);
  const mapped = (chunks.length + cached.length) * CHUNK_PAGES + hugePages;
  // 7.1 does not count what the cache held at the request's beginning until those chunks are taken or deleted.
  const counted = heaps[heap + REAL_SIZE]!;
  assert(state.version === '7.1' ? counted <= mapped : counted === mapped, `${where}: real size and mappings differ`);
}

/** Returns the chunk's pages in use by runs, in units of 8 bytes, counting every element of a small run. */
function checkChunk(state: ZendState, t: ThreadSlot, slot: number, runs: Map<number, number>, where: string): number {
  const { slots, map, machine } = state;
  const record = slot << SLOT_SHIFT_WORDS;
  const place = `${where}, chunk ${slot}`;
  assert(slots[record + OWNER] === t + 1, `${place}: belongs to another heap`);
  const next = slots[record + NEXT]!;
  assert(slots[(next << SLOT_SHIFT_WORDS) + PREV] === slot, `${place}: ring broken`);
  const start = slots[record + START_PAGE]!;
  assert(start % CHUNK_PAGES === 0, `${place}: not at a multiple of 2 MiB`);
  assert(machine.kernel.vmas.covered(start, start + CHUNK_PAGES), `${place}: not mapped`);
  assert(map[slot * CHUNK_PAGES] === lrun(FIRST_PAGE) && isSet(slots, record + FREE_MAP, 0), `${place}: header page`);
  let free = 0;
  let units = 0;
  let lastUsed = FIRST_PAGE;
  forEachRun(state, slot, (page, pages, bin) => {
    const at = slot * CHUNK_PAGES + page;
    assert(page + pages <= CHUNK_PAGES, `${place}, page ${page}: run leaves the chunk`);
    if (bin === FREE_RUN) {
      free += pages;
      return;
    }
    lastUsed = page + pages;
    for (let p = page; p < page + pages; p++)
      assert(isSet(slots, record + FREE_MAP, p), `${place}, page ${p}: free inside a run`);
    if (bin === LARGE_RUN) {
      assert((map[at]! & IS_LRUN) !== 0 && pages > 0, `${place}, page ${page}: no run begins here`);
      units += pages * 512;
      return;
    }
    assert(map[at] === srun(bin, 0), `${place}, page ${page}: information of a run's first page`);
    for (let i = 1; i < pages; i++)
      assert(map[at + i] === nrun(bin, i), `${place}, page ${page + i}: information of a run`);
    runs.set(at, bin);
    units += (BIN_ELEMENTS[bin]! * BIN_SIZE[bin]!) / 8;
  });
  assert(free === slots[record + FREE_PAGES], `${place}: free_pages ${slots[record + FREE_PAGES]}, found ${free}`);
  // A run that grew in place does not move free_tail; a later one may begin behind it.
  assert(slots[record + FREE_TAIL]! <= CHUNK_PAGES && lastUsed <= CHUNK_PAGES, `${place}: free_tail`);
  return units;
}

/** Returns the units on the free lists; each element must lie in a run of its bin, on an element's boundary, once. */
function checkFreeLists(state: ZendState, t: ThreadSlot, runs: Map<number, number>, where: string): number {
  const { heaps, map, cells } = state;
  const seen = new Set<number>();
  let units = 0;
  for (let bin = 0; bin < BINS; bin++) {
    for (let h = heaps[heapBase(t) + FREE_SLOT + bin]!; h !== 0; h = cells[h & CELL_MASK]!) {
      assert(!seen.has(h), `${where}, bin ${bin}: an element is on the free list twice`);
      seen.add(h);
      const page = (h & CELL_MASK) >>> PAGE_CELL_SHIFT;
      const info = map[page]!;
      assert(
        (info & IS_SRUN) !== 0 && (info & BIN_MASK) === bin,
        `${where}, bin ${bin}: a free element outside its runs`,
      );
      const first = info & IS_LRUN ? page - counterOf(info) : page;
      assert(runs.get(first) === bin, `${where}, bin ${bin}: a free element in no run of this heap`);
      const offset = ((h & CELL_MASK) - first * 512) * 8;
      const index = offset / BIN_SIZE[bin]!;
      assert(
        Number.isInteger(index) && index < BIN_ELEMENTS[bin]!,
        `${where}, bin ${bin}: a free element at +${offset}`,
      );
      assert(offset < BIN_PAGES[bin]! * 4096, `${where}, bin ${bin}: a free element behind its run`);
      units += BIN_SIZE[bin]! / 8;
    }
  }
  return units;
}

function checkHuge(state: ZendState, t: ThreadSlot, huge: readonly number[], where: string): number {
  const { heaps, slots, cells, machine } = state;
  let pages = 0;
  for (const slot of huge) {
    const record = slot << SLOT_SHIFT_WORDS;
    const start = slots[record + START_PAGE]!;
    const length = slots[record + HUGE_PAGES_COUNT]!;
    assert(
      start % CHUNK_PAGES === 0 && length >= CHUNK_PAGES - FIRST_PAGE,
      `${where}: huge block of ${length} pages at page ${start}`,
    );
    assert(machine.kernel.vmas.covered(start, start + length), `${where}: a huge block is not mapped`);
    pages += length;
  }
  for (let n = heaps[heapBase(t) + HUGE_LIST]!; n !== 0; n = cells[(n & CELL_MASK) + NODE_NEXT]!) {
    const record = slotOf(cells[(n & CELL_MASK) + NODE_BLOCK]!) << SLOT_SHIFT_WORDS;
    assert(cells[(n & CELL_MASK) + NODE_PAGES] === slots[record + HUGE_PAGES_COUNT], `${where}: a huge block's length`);
  }
  return pages;
}

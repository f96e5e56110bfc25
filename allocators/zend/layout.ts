import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Addr, Bytes, Page } from '../../sim/contract/units.ts';
import type { Machine } from '../../sim/kernel/machine.ts';

// A chunk: 2 MiB at a multiple of 2 MiB, 512 pages. The first page is the header, which holds the lists, a bitmap of the
// pages in use and one word of information for each page; the main chunk's header holds the heap as well.
//
//   ┌────────┬──────────────┬───────┬───────────────┬─────────────────────────────┐
//   │ header │ run of small │ large │ free pages …  │ free pages up to the end    │
//   └────────┴──────────────┴───────┴───────────────┴─────────────────────────────┘
//   page 0     SRUN NRUN…     LRUN                    ▲ free_tail (not always exact)
//
// A huge block (more than 2 MiB - 4096) is a mapping of its own, also at a multiple of 2 MiB: an address that is a
// multiple of 2 MiB is always a huge block, as a chunk begins with its header.
export const CHUNK_PAGES = 512;
export const CHUNK_BYTES = 2097152;
export const FIRST_PAGE = 1;
export const MAX_LARGE_SIZE = CHUNK_BYTES - 4096 * FIRST_PAGE;

// A page's information word, as in the real map.
export const IS_LRUN = 0x40000000;
export const IS_SRUN = 0x80000000 | 0;
export const LRUN_PAGES_MASK = 0x3ff;
export const BIN_MASK = 0x1f;
const COUNTER_SHIFT = 16; // free counter of an SRUN while zend_mm_gc runs; offset of an NRUN from its run's first page
const COUNTER_MASK = 0x1ff;
export const lrun = (pages: number): number => IS_LRUN | pages;
export const srun = (bin: number, counter: number): number => IS_SRUN | (counter << COUNTER_SHIFT) | bin;
export const nrun = (bin: number, offset: number): number => IS_SRUN | IS_LRUN | (offset << COUNTER_SHIFT) | bin;
export const counterOf = (info: number): number => (info >>> COUNTER_SHIFT) & COUNTER_MASK;

// A handle: LAYER_BIT, the slot of the chunk or of the huge block, the offset inside in units of 8 bytes.
//
//   30 29          18 17                     0
//   ┌─┬──────────────┬────────────────────────┐    A slot stands for a place of the address space; a chunk slot has room
//   │1│     slot     │  offset / 8 (0: huge)  │    for a link in every 8 bytes (in-band free lists), a huge slot has none.
//   └─┴──────────────┴────────────────────────┘
/** Set in every handle of the layer above, so that the two layers' handles can lie in one object table. */
export const LAYER_BIT = 0x40000000;
export const CELL_MASK = 0x3fffffff;
export const SLOT_SHIFT = 18;
export const OFFSET_MASK = 0x3ffff;
/** Pages in a handle: 512 cells of 8 bytes. */
export const PAGE_CELL_SHIFT = 9;
const SLOTS = 4096;
/** Slots below are chunks, the others huge blocks. 0 is null. */
export const CHUNK_SLOTS = 2048;

// A slot's record; see zend_mm_chunk.
export const SLOT_SHIFT_WORDS = 5;
export const NEXT = 0;
export const PREV = 1;
export const FREE_PAGES = 2;
export const FREE_TAIL = 3;
export const NUM = 4;
export const START_PAGE = 5; // of the simulated address space
export const OWNER = 6; // the heap's thread slot + 1
export const HUGE_PAGES_COUNT = 7; // length of a huge block
export const FREE_MAP = 8; // 16 words, a set bit is a page in use
export const FREE_MAP_WORDS = 16;
const SLOT_WORDS = 1 << SLOT_SHIFT_WORDS;

// A heap's record, one for each thread slot; see zend_mm_heap.
export const HEAP_SHIFT = 6;
export const MAIN_CHUNK = 0; // 0: this thread has no heap yet
/** Of the size, in units of 8 bytes: what small blocks would have had that could not be had. */
export const REFUSED_UNITS = 1;
export const REAL_SIZE = 3; // pages
export const REAL_PEAK = 4;
export const HUGE_LIST = 5; // handle of the first node
export const CACHED_CHUNKS = 6; // slot
export const CHUNKS_COUNT = 7;
export const PEAK_CHUNKS_COUNT = 8;
export const CACHED_CHUNKS_COUNT = 9;
export const LAST_CHUNKS_DELETE_BOUNDARY = 10;
export const LAST_CHUNKS_DELETE_COUNT = 11;
export const SPARE_CHUNK_SLOTS = 12; // slots of ours that may be used again, linked by NEXT
const SPARE_HUGE_SLOTS = 13;
export const GC_RUNS = 14;
export const REQUESTS = 15;
export const FREE_SLOT = 16; // heads of the 30 free lists
/** Set once the real heap has taken its own main chunk for an empty one: chunks may then be lost to it. */
export const MAIN_DELETED = 46;
const HEAP_WORDS = 1 << HEAP_SHIFT;

// A huge block's node (zend_mm_huge_list, 24 bytes of a small run), in the run's cells.
export const NODE_BYTES = 24;
export const NODE_BLOCK = 0;
export const NODE_PAGES = 1;
export const NODE_NEXT = 2;

export type ZendVersion = '8.2' | '7.1';

export interface ZendState {
  readonly machine: Machine;
  readonly version: ZendVersion;
  /** Heaps' records. */
  readonly heaps: Int32Array;
  /** heap->size and heap->peak, for each heap: 8 bytes each; huge blocks can be more of them than an integer counts. */
  readonly sizes: Float64Array;
  readonly peaks: Float64Array;
  /** avg_chunks_count, for each heap. */
  readonly averages: Float64Array;
  /** Chunks' and huge blocks' records. */
  readonly slots: Int32Array;
  /** Page information of the chunks, 512 words each. */
  readonly map: Int32Array;
  /** In-band words of the chunks, one for each 8 bytes: links of free lists and nodes of the huge list. */
  readonly cells: Int32Array;
  readonly takeChunkSlot: (t: ThreadSlot) => number;
  readonly takeHugeSlot: (t: ThreadSlot) => number;
  readonly giveSlot: (t: ThreadSlot, slot: number) => void;
  readonly startPageOf: (h: Handle) => Page;
}

/** Reserves the regions of the model. */
export function createState(machine: Machine, version: ZendVersion): ZendState {
  const { memory, threadSlots } = machine;
  const counters = memory.int32('zend.counters', 4);
  const CHUNK_SLOTS_USED = 0;
  const HUGE_SLOTS_USED = 1;
  const heaps = memory.int32('zend.heaps', threadSlots * HEAP_WORDS);
  const sizes = memory.float64('zend.sizes', threadSlots);
  const peaks = memory.float64('zend.peaks', threadSlots);
  const averages = memory.float64('zend.averages', threadSlots);
  const slots = memory.int32('zend.slots', SLOTS * SLOT_WORDS);
  const map = memory.int32('zend.map', SLOTS * CHUNK_PAGES, () => (counters[CHUNK_SLOTS_USED]! + 1) * CHUNK_PAGES);
  const cells = memory.int32(
    'zend.cells',
    CHUNK_SLOTS << SLOT_SHIFT,
    () => (counters[CHUNK_SLOTS_USED]! + 1) << SLOT_SHIFT,
  );
  const chunkSlots = Math.min(CHUNK_SLOTS, cells.length >>> SLOT_SHIFT);

  /** A spare slot of this heap's, else a new one; 0 where there is none left. */
  function takeSlot(t: ThreadSlot, spare: number, counter: number, first: number, end: number): number {
    const at = (t << HEAP_SHIFT) + spare;
    let slot = heaps[at]!;
    if (slot !== 0) {
      heaps[at] = slots[(slot << SLOT_SHIFT_WORDS) + NEXT]!;
    } else {
      slot = Atomics.add(counters, counter, 1) + first;
      if (slot >= end) {
        Atomics.sub(counters, counter, 1);
        return 0;
      }
    }
    const record = slot << SLOT_SHIFT_WORDS;
    slots.fill(0, record, record + SLOT_WORDS);
    slots[record + OWNER] = t + 1;
    return slot;
  }

  function giveSlot(t: ThreadSlot, slot: number): void {
    const at = (t << HEAP_SHIFT) + (slot < CHUNK_SLOTS ? SPARE_CHUNK_SLOTS : SPARE_HUGE_SLOTS);
    const record = slot << SLOT_SHIFT_WORDS;
    slots.fill(0, record, record + SLOT_WORDS);
    slots[record + NEXT] = heaps[at]!;
    heaps[at] = slot;
    // A new mapping would be zero: what zend_mm_chunk_init leaves alone must be so here too.
    if (slot < CHUNK_SLOTS) map.fill(0, slot * CHUNK_PAGES, (slot + 1) * CHUNK_PAGES);
  }

  return {
    machine,
    version,
    heaps,
    sizes,
    peaks,
    averages,
    slots,
    map,
    cells,
    takeChunkSlot: (t) => takeSlot(t, SPARE_CHUNK_SLOTS, CHUNK_SLOTS_USED, 1, chunkSlots),
    takeHugeSlot: (t) => takeSlot(t, SPARE_HUGE_SLOTS, HUGE_SLOTS_USED, CHUNK_SLOTS, SLOTS),
    giveSlot,
    startPageOf: (h) => slots[(((h & CELL_MASK) >>> SLOT_SHIFT) << SLOT_SHIFT_WORDS) + START_PAGE]!,
  };
}

export const slotOf = (h: Handle): number => (h & CELL_MASK) >>> SLOT_SHIFT;
export const handleOf = (slot: number, page: number): Handle =>
  LAYER_BIT | (slot << SLOT_SHIFT) | (page << PAGE_CELL_SHIFT);
export const isOurs = (h: Handle): boolean => (h & LAYER_BIT) !== 0;

/** Bytes from the slot's start. */
export const offsetOf = (h: Handle): Bytes => (h & OFFSET_MASK) * 8;

export function addressOf(state: ZendState, h: Handle): Addr {
  return state.startPageOf(h) * 4096 + offsetOf(h);
}

/** Index of a thread's heap record. */
export const heapBase = (t: ThreadSlot): number => t << HEAP_SHIFT;

import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { assert } from '../../sim/contract/assert.ts';
import { type Addr, type Bytes, GIB, PAGE_SHIFT } from '../../sim/contract/units.ts';
import type { Machine } from '../../sim/kernel/machine.ts';

// A segment, from malloc or mmap: its header, blocks without a gap, and a guard header at the end.
//
//   ┌─────────┬───────────────┬──────────────────────┬─ ─ ─┬───────────┐
//   │ segment │ first block   │ block                │     │ guard     │
//   └─────────┴───────────────┴──────────────────────┴─ ─ ─┴───────────┘
//   size, next  _size │ _prev │ data, or the links of a free block:
//                               prev_free, next_free, parent, child[0], child[1]
//
// _size and _prev are the lengths of this block and of the one before, with two bits of type. All lengths are multiples
// of 8 bytes, and are held in units of 8 here. A block is a record; what lies next to it is found by record, not by
// address. A record is named by the index of its first word; a handle is that with LAYER_BIT (allocators/zend/layout.ts).
export const RECORD_WORDS = 8;
export const LENGTH = 0; // units, header included
export const ADDRESS = 1; // of the header, units
export const STATE = 2; // FREE, USED or CACHED
export const BEFORE = 3; // record of the block before, 0 for the first of a segment
export const AFTER = 4; // record of the block behind, 0 where the guard follows
export const PREV_FREE = 5;
export const NEXT_FREE = 6;
export const SEGMENT = 7; // of the first block of a segment; else 0
export const USED = 0; // of the null record too, which stands for the guard
export const FREE = 1;
export const CACHED = 2;

// The tree's words of a large free block, in a region of their own.
/** From a record's index to that of its tree words. */
export const TREE_OF_BLOCK = 1;
export const PARENT = 0; // what points here: see links below
export const CHILD = 1; // two of them
/** The requested size of a used block, in a debug build. */
export const REQUESTED = 3;

// A segment's record.
const SEGMENT_SHIFT = 3;
export const SEGMENT_LENGTH = 0; // units
export const SEGMENT_ADDRESS = 1; // units
export const SEGMENT_NEXT = 2;
export const SEGMENT_FIRST = 3; // record of its first block
export const SEGMENT_HANDLE = 4; // of the layer below, where it comes from malloc

// A heap's record, one for each thread slot.
export const HEAP_SHIFT = 8;
export const STARTED = 0;
export const SIZE = 1; // units
export const PEAK = 2;
export const REAL_SIZE = 3;
export const REAL_PEAK = 4;
export const CACHED_SIZE = 5;
export const SEGMENTS = 6; // record of the newest
export const RESERVE = 7; // block record
export const REST_COUNT = 8;
export const SMALL_BITMAP = 9; // two words
export const LARGE_BITMAP = 11;
export const SENTINELS = 12; // first of the records that stand for the heap's own list heads
export const SPARE_RECORDS = 13; // linked by AFTER
const NEXT_RECORD = 14; // of the batch in use
const END_RECORD = 15;
const SPARE_SEGMENTS = 16; // linked by SEGMENT_NEXT
export const STORAGE_HANDLE = 17; // blocks of the layer below that hold the real heap's structures
export const HEAP_HANDLE = 18;
export const REQUESTS = 19;
/** Units that zend_mm_free_cache has freed without taking them out of heap->size. */
export const FORGOTTEN = 20;
/** In the first heap's record: the block below that stands for the rest of the process. */
export const BASELINE_HANDLE = 21;
export const CACHE = 32; // 64 heads
export const LARGE_BUCKETS = 96; // 32 roots, by the highest bit of the length in units
const HEAP_WORDS = 1 << HEAP_SHIFT;

export const BUCKETS = 64; // ZEND_MM_NUM_BUCKETS
export const REST_SENTINEL = BUCKETS; // behind the 64 of the small buckets
const SENTINEL_COUNT = BUCKETS + 1;
/** Records are handed to heaps in batches, so that two heaps never share one. */
const BATCH_SHIFT = 13;
const BATCH = 1 << BATCH_SHIFT; // words: 1024 records
const RECORD_SPACE = 1 << 29; // words
const SEGMENT_RECORDS = 1 << 20;

export const UNIT = 8;
/** From an address in units to a page. */
export const UNIT_PAGE_SHIFT = PAGE_SHIFT - 3;
const UNIT_IN_PAGE = (1 << UNIT_PAGE_SHIFT) - 1;

/** What the build makes of a block: sizes in units. */
export interface Geometry {
  /** ZEND_MM_ALIGNED_HEADER_SIZE. */
  readonly header: number;
  /** ZEND_MM_ALIGNED_MIN_HEADER_SIZE: no block is smaller. */
  readonly minimum: number;
  /** Bytes behind the data: a magic number in a debug build. */
  readonly endMagic: Bytes;
  /** Offset of prev_free_block in a free block. */
  readonly links: number;
  /** ZEND_MM_ALIGNED_SEGMENT_SIZE. */
  readonly segment: number;
}
export const RELEASE: Geometry = { header: 2, minimum: 4, endMagic: 0, links: 2, segment: 2 };
/** With cookie, magic numbers, and file and line of the call in each header. */
export const DEBUG: Geometry = { header: 10, minimum: 11, endMagic: 4, links: 4, segment: 2 };

export type Zend5State = ReturnType<typeof createState>;

/** Reserves the regions of the model. */
export function createState(machine: Machine, geometry: Geometry) {
  const { memory, threadSlots } = machine;
  const { pages: pageStates, fault } = machine.kernel;
  const counters = memory.int32('zend5.counters', 4);
  const RECORDS_USED = 0;
  const SEGMENTS_USED = 1;
  const heaps = memory.int32('zend5.heaps', threadSlots * HEAP_WORDS);
  const recordsUsed = () => counters[RECORDS_USED]! + BATCH;
  const blocks = memory.int32('zend5.blocks', RECORD_SPACE, recordsUsed);
  const trees = memory.int32('zend5.trees', RECORD_SPACE >> TREE_OF_BLOCK, () => recordsUsed() >> TREE_OF_BLOCK);
  const segments = memory.int32(
    'zend5.segments',
    SEGMENT_RECORDS << SEGMENT_SHIFT,
    () => (counters[SEGMENTS_USED]! + 1) << SEGMENT_SHIFT,
  );
  /** By batch, the thread slot + 1 of the heap that has it. */
  const owners = memory.int32('zend5.owners', RECORD_SPACE >>> BATCH_SHIFT);
  const lastBatch = Math.min(blocks.length, trees.length << TREE_OF_BLOCK) - 2 * BATCH;

  function takeBatch(heap: number): void {
    const first = Atomics.add(counters, RECORDS_USED, BATCH) + BATCH; // record 0 is null
    assert(first <= lastBatch, 'the block records are used up');
    owners[first >>> BATCH_SHIFT] = (heap >>> HEAP_SHIFT) + 1;
    heaps[heap + NEXT_RECORD] = first;
    heaps[heap + END_RECORD] = first + BATCH;
  }

  /** A record for a block of this heap's; its words are the caller's to set. */
  function takeRecord(heap: number): number {
    const spare = heaps[heap + SPARE_RECORDS]!;
    if (spare !== 0) {
      heaps[heap + SPARE_RECORDS] = blocks[spare + AFTER]!;
      return spare;
    }
    if (heaps[heap + NEXT_RECORD] === heaps[heap + END_RECORD]) takeBatch(heap);
    const record = heaps[heap + NEXT_RECORD]!;
    heaps[heap + NEXT_RECORD] = record + RECORD_WORDS;
    return record;
  }

  function giveRecord(heap: number, record: number): void {
    blocks[record + AFTER] = heaps[heap + SPARE_RECORDS]!;
    heaps[heap + SPARE_RECORDS] = record;
  }

  /** Gives back the records of blocks that lie one behind the other, `first` to the last of their segment. */
  function giveRecords(heap: number, first: number): void {
    if (first === 0) return;
    let last = first;
    for (let next = first; next !== 0; next = blocks[next + AFTER]!) last = next;
    blocks[last + AFTER] = heaps[heap + SPARE_RECORDS]!;
    heaps[heap + SPARE_RECORDS] = first;
  }

  function takeSegment(heap: number): number {
    const spare = heaps[heap + SPARE_SEGMENTS]!;
    if (spare !== 0) {
      heaps[heap + SPARE_SEGMENTS] = segments[(spare << SEGMENT_SHIFT) + SEGMENT_NEXT]!;
      return spare;
    }
    const segment = Atomics.add(counters, SEGMENTS_USED, 1) + 1;
    assert(segment < segments.length >>> SEGMENT_SHIFT, 'the segment records are used up');
    return segment;
  }

  function giveSegment(heap: number, segment: number): void {
    const at = segment << SEGMENT_SHIFT;
    segments.fill(0, at, at + (1 << SEGMENT_SHIFT));
    segments[at + SEGMENT_NEXT] = heaps[heap + SPARE_SEGMENTS]!;
    heaps[heap + SPARE_SEGMENTS] = segment;
  }

  /** The records that stand for the heap's list heads: the small buckets', then the rest list's. */
  function takeSentinels(heap: number): void {
    if (heaps[heap + SENTINELS] !== 0) return;
    takeBatch(heap);
    heaps[heap + SENTINELS] = heaps[heap + NEXT_RECORD]!;
    heaps[heap + NEXT_RECORD]! += SENTINEL_COUNT * RECORD_WORDS;
  }

  /** The allocator writes the word at `unit`. */
  function touchUnit(unit: number): void {
    const page = unit >>> UNIT_PAGE_SHIFT;
    if (pageStates[page] !== 1) fault(page);
  }

  /** … and those behind it, fewer than a page holds. */
  function touchUnits(unit: number, count: number): void {
    const page = unit >>> UNIT_PAGE_SHIFT;
    if (pageStates[page] !== 1) fault(page);
    if ((unit & UNIT_IN_PAGE) + count > UNIT_IN_PAGE + 1) touchUnit(unit + count - 1);
  }

  return {
    machine,
    geometry,
    heaps,
    blocks,
    trees,
    segments,
    takeRecord,
    giveRecord,
    giveRecords,
    takeSegment,
    giveSegment,
    takeSentinels,
    touchUnit,
    touchUnits,
    /** Thread slot of the heap that a block belongs to. */
    ownerOf: (record: number): ThreadSlot => owners[record >>> BATCH_SHIFT]! - 1,
  };
}

export const segmentAt = (segment: number): number => segment << SEGMENT_SHIFT;
export const heapBase = (t: ThreadSlot): number => t << HEAP_SHIFT;
/** Address of a block's header; units may pass 2^31. */
export const addressOfUnit = (unit: number): Addr => (unit >>> 0) * UNIT;

// What a tree node's PARENT holds: a root of the heap as -1 - bucket, a child word of a node as 2 × record + child, 0 for
// no pointer (a member of a ring that is not in the tree itself), REST_BLOCK for a member of the rest list.
export const REST_BLOCK = 1;

/** Lengths are in units in 32 bits; a heap of more is another machine. */
export const LARGEST_BLOCK: Bytes = 8 * GIB;

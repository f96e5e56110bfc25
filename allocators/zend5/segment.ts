import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import {
  ADDRESS,
  AFTER,
  BEFORE,
  FREE,
  LENGTH,
  REAL_PEAK,
  REAL_SIZE,
  SEGMENT,
  SEGMENT_ADDRESS,
  SEGMENT_FIRST,
  SEGMENT_HANDLE,
  SEGMENT_LENGTH,
  SEGMENT_NEXT,
  SEGMENTS,
  STATE,
  segmentAt,
  UNIT,
  type Zend5State,
} from './layout.ts';
import type { Storage } from './storage.ts';

export type Segments = ReturnType<typeof createSegments>;

/** Segments: a list, the newest first, each with at least one block. */
export function createSegments(state: Zend5State, storage: Storage) {
  const { heaps, blocks, segments, geometry, touchUnit } = state;

  function countReal(heap: number, units: number): void {
    const real = heaps[heap + REAL_SIZE]! + units;
    heaps[heap + REAL_SIZE] = real;
    if (real > heaps[heap + REAL_PEAK]!) heaps[heap + REAL_PEAK] = real;
  }

  /** The words that a fresh segment gets: its header, its first block's and the guard's. */
  function touchEnds(segment: number): void {
    const record = segmentAt(segment);
    const start = segments[record + SEGMENT_ADDRESS]! >>> 0;
    const end = start + segments[record + SEGMENT_LENGTH]!;
    touchUnit(start);
    touchUnit(start + geometry.segment + 1);
    touchUnit(end - geometry.header);
    touchUnit(end - 1);
  }

  /** A new segment of `length` units with one free block on no list, which is returned; 0 where there is no memory. */
  function add(t: ThreadSlot, heap: number, length: number): number {
    const handle = storage.allocate(t, length * UNIT);
    if (handle === 0) return 0;
    const segment = state.takeSegment(heap);
    const s = segmentAt(segment);
    const record = state.takeRecord(heap);
    segments[s + SEGMENT_LENGTH] = length;
    segments[s + SEGMENT_ADDRESS] = storage.unitOf(handle);
    segments[s + SEGMENT_NEXT] = heaps[heap + SEGMENTS]!;
    segments[s + SEGMENT_FIRST] = record;
    segments[s + SEGMENT_HANDLE] = handle;
    heaps[heap + SEGMENTS] = segment;
    countReal(heap, length);
    blocks[record + SEGMENT] = segment;
    blocks[record + BEFORE] = 0;
    becomeWhole(segment);
    return record;
  }

  /** The first block takes all of the segment, and is free. */
  function becomeWhole(segment: number): void {
    const s = segmentAt(segment);
    const b = segments[s + SEGMENT_FIRST]!;
    blocks[b + LENGTH] = segments[s + SEGMENT_LENGTH]! - geometry.segment - geometry.header;
    blocks[b + ADDRESS] = segments[s + SEGMENT_ADDRESS]! + geometry.segment;
    blocks[b + STATE] = FREE;
    blocks[b + AFTER] = 0;
    touchEnds(segment);
  }

  function unlink(heap: number, segment: number): void {
    const next = segments[segmentAt(segment) + SEGMENT_NEXT]!;
    if (heaps[heap + SEGMENTS] === segment) {
      heaps[heap + SEGMENTS] = next;
      return;
    }
    let s = heaps[heap + SEGMENTS]!;
    while (segments[segmentAt(s) + SEGMENT_NEXT] !== segment) s = segments[segmentAt(s) + SEGMENT_NEXT]!;
    segments[segmentAt(s) + SEGMENT_NEXT] = next;
  }

  function releaseStorage(t: ThreadSlot, heap: number, segment: number): void {
    const s = segmentAt(segment);
    storage.release(t, segments[s + SEGMENT_HANDLE]!, segments[s + SEGMENT_LENGTH]! * UNIT);
    state.giveSegment(heap, segment);
  }

  /** zend_mm_del_segment; `block` is the only one in it. */
  function remove(t: ThreadSlot, heap: number, block: number): void {
    const segment = blocks[block + SEGMENT]!;
    unlink(heap, segment);
    heaps[heap + REAL_SIZE]! -= segments[segmentAt(segment) + SEGMENT_LENGTH]!;
    releaseStorage(t, heap, segment);
    state.giveRecord(heap, block);
  }

  /**
   * The segment that `block` has for itself gets another length, and perhaps another place; the block then takes all of
   * it. False where there is no memory.
   */
  function resize(t: ThreadSlot, heap: number, block: number, length: number): boolean {
    const segment = blocks[block + SEGMENT]!;
    const s = segmentAt(segment);
    const oldLength = segments[s + SEGMENT_LENGTH]!;
    const handle = storage.resize(t, segments[s + SEGMENT_HANDLE]!, oldLength * UNIT, length * UNIT);
    if (handle === 0) return false;
    countReal(heap, length - oldLength);
    segments[s + SEGMENT_LENGTH] = length;
    segments[s + SEGMENT_HANDLE] = handle;
    segments[s + SEGMENT_ADDRESS] = storage.unitOf(handle);
    becomeWhole(segment);
    return true;
  }

  /** Every block's record goes; then every segment does, but for the oldest where `keepsOldest` says so: it is returned. */
  function forgetBlocks(t: ThreadSlot, heap: number, keepsOldest: boolean): number {
    let kept = 0;
    for (let segment = heaps[heap + SEGMENTS]!; segment !== 0; ) {
      const s = segmentAt(segment);
      const next = segments[s + SEGMENT_NEXT]!;
      const first = segments[s + SEGMENT_FIRST]!;
      kept = keepsOldest && next === 0 ? segment : 0;
      state.giveRecords(heap, blocks[first + AFTER]!);
      if (kept === 0) {
        state.giveRecord(heap, first);
        releaseStorage(t, heap, segment);
      }
      segment = next;
    }
    heaps[heap + SEGMENTS] = kept;
    return kept;
  }

  return { add, remove, resize, becomeWhole, forgetBlocks };
}

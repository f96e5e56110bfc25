import type { WordSink } from '../../sim/contract/allocator.ts';
import { BINS } from './bins.ts';
import {
  CHUNKS_COUNT,
  FREE_SLOT,
  HUGE_LIST,
  heapBase,
  LAST_CHUNKS_DELETE_BOUNDARY,
  LAST_CHUNKS_DELETE_COUNT,
  MAIN_CHUNK,
  MAIN_DELETED,
  PEAK_CHUNKS_COUNT,
  SLOT_SHIFT_WORDS,
  START_PAGE,
  type ZendState,
} from './layout.ts';
import { cachedChunksOf, heapThreads } from './walk.ts';

/**
 * Between two requests: the first chunk is empty, and beside it there are cached chunks alone, youngest first. avg_chunks_count is left
 * out; it decides too, but only where it lies between whole numbers (`averageCells`).
 */
export function decidingState(state: ZendState, sink: WordSink): boolean {
  const { heaps, sizes, slots } = state;
  const pageOf = (slot: number) => slots[(slot << SLOT_SHIFT_WORDS) + START_PAGE]!;
  for (const t of heapThreads(state)) {
    const heap = heapBase(t);
    const isEmpty =
      sizes[t] === 0 &&
      heaps[heap + HUGE_LIST] === 0 &&
      heaps[heap + CHUNKS_COUNT] === 1 &&
      heaps[heap + PEAK_CHUNKS_COUNT] === 1 &&
      heaps[heap + LAST_CHUNKS_DELETE_BOUNDARY] === 0 &&
      heaps[heap + LAST_CHUNKS_DELETE_COUNT] === 0 &&
      heaps[heap + MAIN_DELETED] === 0 &&
      heaps.subarray(heap + FREE_SLOT, heap + FREE_SLOT + BINS).every((list) => list === 0);
    if (!isEmpty) return false;
    sink(t);
    sink(pageOf(heaps[heap + MAIN_CHUNK]!));
    for (const slot of cachedChunksOf(state, t)) sink(pageOf(slot));
    sink(-1);
  }
  return true;
}

/** avg_chunks_count of each thread's heap, in the machine's memory. */
export const AVERAGES_REGION = 'zend.averages';

/**
 * All that avg_chunks_count decides, as two whole numbers. zend_mm_delete_chunk keeps an empty chunk where a count is below the average
 * plus 0.1, so for counts below the first number; zend_mm_shutdown drops cached chunks while their count plus 0.9 is above it, so down to the
 * second number.
 */
export function averageCells(average: number): { readonly keepsBelow: number; readonly dropsFrom: number } {
  let dropsFrom = Math.max(0, Math.floor(average) - 1);
  while (dropsFrom + 0.9 <= average) dropsFrom++;
  return { keepsBelow: Math.ceil(average + 0.1), dropsFrom };
}

/** avg_chunks_count behind a request whose peak was so many chunks. */
export const averageAfter = (average: number, peakChunks: number): number => (average + peakChunks) / 2;

import type { ThreadCaches, ThreadSlot, WordSink } from '../../sim/contract/allocator.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import { RESIDENT } from '../../sim/kernel/residency.ts';
import { INDEX_SIZE, NBINS } from './size-classes.ts';
import {
  C_DELAY,
  C_EMPTY,
  C_FILL_SHIFT,
  C_HEAD,
  C_LIMIT,
  C_LOW_WATER,
  C_REFILLED,
  E_OFFSET,
  E_START,
  HANDLE_SHIFT,
  LG_CACHE_BIN_WORDS,
  LG_EXTENT_WORDS,
  type State,
  T_ALLOC_LEFT,
  T_DALLOC_LEFT,
  T_NEXT_GC_BIN,
  T_STATE,
  THREAD_HEADER_WORDS,
  THREAD_NOMINAL,
} from './state.ts';

const LG_PAGE = 12;
/** Of the header: what calls change that the cache serves. All that goes beyond it is counted in T_TICKS. */
const OWN_WORDS = [T_ALLOC_LEFT, T_DALLOC_LEFT, T_NEXT_GC_BIN];
/** Of a bin, as slots below its end. */
const SLOT_WORDS = [C_HEAD, C_LOW_WATER, C_LIMIT];
const PLAIN_WORDS = [C_FILL_SHIFT, C_REFILLED, C_DELAY];

/** What decides which calls a thread's cache serves, and how it does. */
export function createThreadCaches(state: State): ThreadCaches {
  const { caches, config, extentClass, extents, freeClass, kernel, slots, threadWords } = state;
  const { cacheBins } = config;
  const binAt = (t: ThreadSlot, index: number) => t * threadWords + THREAD_HEADER_WORDS + (index << LG_CACHE_BIN_WORDS);

  /**
   * A large block: whether its pages are known to be resident, and are. False where writing `largest` bytes of it could fault; a small block is told
   * only where all of its slab is known to be resident.
   */
  function tellBlock(slot: number, index: number, largest: Bytes, sink: WordSink): boolean {
    const e = Math.abs(slot) >> HANDLE_SHIFT;
    if (index < NBINS) return slot > 0 && freeClass[e] === index;
    const extent = e << LG_EXTENT_WORDS;
    const offset = extents[extent + E_OFFSET]!;
    const usable = INDEX_SIZE[index]!;
    const start = extents[extent + E_START]!;
    const end = start + ((offset + usable - 1) >> LG_PAGE) + 1;
    let page = start + (offset >> LG_PAGE);
    while (page < end && kernel.pages[page] === RESIDENT) page++;
    sink(slot > 0 ? 1 : 0);
    sink(freeClass[e] === extentClass[e] ? 1 : 0);
    sink(page === end ? 1 : 0);
    return ((page - start) << LG_PAGE) - offset >= Math.min(largest, usable);
  }

  function tellBin(t: ThreadSlot, index: number, largest: Bytes, sink: WordSink): boolean {
    const b = binAt(t, index);
    const empty = caches[b + C_EMPTY]!;
    for (const word of SLOT_WORDS) sink(empty - caches[b + word]!);
    for (const word of PLAIN_WORDS) sink(caches[b + word]!);
    for (let slot = caches[b + C_HEAD]!; slot < empty; slot++)
      if (!tellBlock(slots[slot]!, index, largest, sink)) return false;
    return true;
  }

  return {
    decidingState(t, largest, sink) {
      const h = t * threadWords;
      if (caches[h + T_STATE] !== THREAD_NOMINAL) return false;
      for (const word of OWN_WORDS) sink(caches[h + word]!);
      for (let index = 0; index < cacheBins; index++) if (!tellBin(t, index, largest, sink)) return false;
      return true;
    },
    words: (t) => caches.subarray(t * threadWords, (t + 1) * threadWords),
    blocks(t) {
      const all: number[] = [];
      for (let index = 0; index < cacheBins; index++) {
        const b = binAt(t, index);
        for (let slot = caches[b + C_HEAD]!; slot < caches[b + C_EMPTY]!; slot++) {
          all.push(slots[slot]!);
          tellBlock(slots[slot]!, index, 0, (word) => all.push(word));
        }
      }
      return Int32Array.from(all);
    },
    hasLeft(t, before) {
      const h = t * threadWords;
      for (let word = 0; word < THREAD_HEADER_WORDS; word++)
        if (!OWN_WORDS.includes(word) && caches[h + word] !== before[word]) return true;
      return false;
    },
  };
}

import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Base } from './base.ts';
import type { ExtentHeap } from './extent-heap.ts';
import * as tables from './state.ts';
import { type State, unusedKey } from './state.ts';

export type EdataCache = ReturnType<typeof createEdataCache>;

/**
 * An arena's unused extent records (edata_cache.c). The record of the oldest base block, and there the lowest, is used
 * first: while it is unused, its key says that.
 */
export function createEdataCache(state: State, base: Base, heap: ExtentHeap) {
  const {
    A_EDATA_AVAIL,
    A_EDATA_COUNT,
    ARENA_LOCKS,
    ARENA_WORDS,
    E_ESN,
    E_OWN,
    E_PAGES,
    E_STATE,
    EXTENT_KEY,
    LG_EXTENT_KEYS,
    LG_EXTENT_WORDS,
    LOCK_EDATA_CACHE,
    STATE_UNUSED,
  } = tables;
  const { arenas, extentKeys, extents, lock, unlock } = state;
  const { arenaLocks } = state;

  /** edata_cache_get: 0 when out of memory. */
  function get(t: ThreadSlot, a: number): number {
    const w = a * ARENA_WORDS;
    const id = arenaLocks[a * ARENA_LOCKS + LOCK_EDATA_CACHE]!;
    lock(t, id);
    const e = heap.removeFirst(arenas, w + A_EDATA_AVAIL);
    if (e === 0) {
      unlock(t, id);
      return base.allocExtent(t, a);
    }
    arenas[w + A_EDATA_COUNT]!--;
    unlock(t, id);
    return e;
  }

  /** edata_cache_put */
  function put(t: ThreadSlot, a: number, e: number): void {
    const w = a * ARENA_WORDS;
    const p = e << LG_EXTENT_WORDS;
    const id = arenaLocks[a * ARENA_LOCKS + LOCK_EDATA_CACHE]!;
    lock(t, id);
    extents[p + E_STATE] = STATE_UNUSED;
    extents[p + E_PAGES] = 0;
    extentKeys[(e << LG_EXTENT_KEYS) + EXTENT_KEY] = unusedKey(extents[p + E_ESN]!, extents[p + E_OWN]!);
    heap.insert(arenas, w + A_EDATA_AVAIL, e);
    arenas[w + A_EDATA_COUNT]!++;
    unlock(t, id);
  }

  return { get, put };
}

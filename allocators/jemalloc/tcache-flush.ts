import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import * as counters from '../../sim/contract/operations.ts';
import type { Arenas } from './arena.ts';
import type { Bins } from './bin.ts';
import type { Large } from './large.ts';
import * as classes from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';

/** Blocks of a thread's cache given back to their arenas (tcache_bin_flush_small, tcache_bin_flush_large). */
export function createTcacheFlush(state: State, arenas: Arenas, bins: Bins, large: Large) {
  const { OP_BIN_SCAN_STEPS, OP_CACHE_FLUSHES } = counters;
  const { NBINS } = classes;
  const {
    ARENA_LOCKS,
    BC_NFLUSHES,
    BC_NREQUESTS,
    BIN_COUNTERS,
    C_EMPTY,
    C_HEAD,
    C_LOW_WATER,
    C_REQUESTS,
    E_ARENA,
    HANDLE_SHIFT,
    LG_EXTENT_WORDS,
    LOCK_BINS,
    T_CACHE_ARENA,
    THREAD_HEADER_WORDS,
    LG_CACHE_BIN_WORDS,
  } = tables;
  const { binCounters, caches, extents, operations, slots, lock, unlock, threadWords, arenaLocks } = state;
  const { slots: slotCounts } = state.config;
  /** Scratch of flushes: slabs that became empty. */
  const emptied = new Int32Array(slotCounts.reduce((most, n) => Math.max(most, n), 0) + 1);

  const binAt = (t: ThreadSlot, index: number) => t * threadWords + THREAD_HEADER_WORDS + (index << LG_CACHE_BIN_WORDS);

  /** tcache_bin_flush_small and tcache_bin_flush_large: all but the `keep` most recently freed. */
  function flush(t: ThreadSlot, index: number, keep: number): void {
    const b = binAt(t, index);
    const empty = caches[b + C_EMPTY]!;
    const count = empty - caches[b + C_HEAD]! - keep;
    if (index < NBINS) flushSmall(t, index, empty - count, count);
    else flushLarge(t, index, empty - count, count);
    operations[OP_CACHE_FLUSHES]! += count;
    // cache_bin_finish_flush: what stays moves to the stack's bottom.
    const head = caches[b + C_HEAD]!;
    for (let i = head + keep - 1; i >= head; i--) slots[i + count] = slots[i]!;
    caches[b + C_HEAD] = head + count;
    if (caches[b + C_LOW_WATER]! < head + count) caches[b + C_LOW_WATER] = head + count;
  }

  const blockIn = (slot: number): Handle => Math.abs(slots[slot]!);

  const arenaOf = (h: Handle) => extents[((h >> HANDLE_SHIFT) << LG_EXTENT_WORDS) + E_ARENA]!;

  /** Merges what the bin of a cache counted into its arena. */
  function mergeSmallStats(t: ThreadSlot, a: number, index: number): void {
    const b = binAt(t, index);
    const c = (a * NBINS + index) * BIN_COUNTERS;
    binCounters[c + BC_NFLUSHES]!++;
    binCounters[c + BC_NREQUESTS]! += caches[b + C_REQUESTS]!;
    caches[b + C_REQUESTS] = 0;
  }

  /** tcache_bin_flush_impl, small: one arena after another, each under its bin's lock; slabs go last. */
  function flushSmall(t: ThreadSlot, index: number, first: number, total: number): void {
    const own = caches[t * threadWords + T_CACHE_ARENA]! - 1;
    let isMerged = false;
    let slabs = 0;
    let looked = 0; // slabs that a block belongs to, those in a row once
    let last = 0;
    let count = total;
    while (count > 0) {
      const a = arenaOf(blockIn(first));
      const id = arenaLocks[a * ARENA_LOCKS + LOCK_BINS + index]!;
      lock(t, id);
      if (a === own && !isMerged) {
        isMerged = true;
        mergeSmallStats(t, a, index);
      }
      let deferred = 0;
      for (let i = first; i < first + count; i++) {
        const h = blockIn(i);
        if (arenaOf(h) !== a) {
          slots[first + deferred++] = h;
          continue;
        }
        const slab = h >> HANDLE_SHIFT;
        if (slab !== last) looked++;
        last = slab;
        if (bins.dallocStep(a, index, h)) emptied[slabs++] = slab;
      }
      bins.dallocFinish(a, index, count - deferred);
      unlock(t, id);
      arenas.decayTicks(t, a, count - deferred);
      count = deferred;
    }
    operations[OP_BIN_SCAN_STEPS]! += looked;
    for (let i = 0; i < slabs; i++) bins.slabDalloc(t, emptied[i]!);
    if (!isMerged) {
      const id = arenaLocks[own * ARENA_LOCKS + LOCK_BINS + index]!;
      lock(t, id);
      mergeSmallStats(t, own, index);
      unlock(t, id);
    }
  }

  /** tcache_bin_flush_impl, large */
  function flushLarge(t: ThreadSlot, index: number, first: number, total: number): void {
    const b = binAt(t, index);
    const own = caches[t * threadWords + T_CACHE_ARENA]! - 1;
    let isMerged = false;
    let count = total;
    operations[OP_BIN_SCAN_STEPS]! += total; // the extent of each block
    while (count > 0) {
      const a = arenaOf(blockIn(first));
      if (a === own && !isMerged) {
        isMerged = true;
        arenas.addLargeRequests(a, index, caches[b + C_REQUESTS]!);
        caches[b + C_REQUESTS] = 0;
      }
      for (let i = first; i < first + count; i++) {
        const h = blockIn(i);
        if (arenaOf(h) === a) large.dallocPrepare(h >> HANDLE_SHIFT);
      }
      let deferred = 0;
      for (let i = first; i < first + count; i++) {
        const h = blockIn(i);
        if (arenaOf(h) !== a) slots[first + deferred++] = h;
        else large.dallocFinish(t, h >> HANDLE_SHIFT);
      }
      arenas.decayTicks(t, a, count - deferred);
      count = deferred;
    }
    if (!isMerged) {
      arenas.addLargeRequests(own, index, caches[b + C_REQUESTS]!);
      caches[b + C_REQUESTS] = 0;
    }
  }

  return { flush, blockIn };
}

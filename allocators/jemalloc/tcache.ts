import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import * as counters from '../../sim/contract/operations.ts';
import type { Page } from '../../sim/contract/units.ts';
import { ABSENT } from '../../sim/kernel/residency.ts';
import type { Arenas } from './arena.ts';
import type { Bins } from './bin.ts';
import { gcItemDelay } from './config.ts';
import type { Large } from './large.ts';
import type { BlockPages } from './residency.ts';
import * as classes from './size-classes.ts';
import type { State } from './state.ts';
import * as tables from './state.ts';
import { createTcacheFlush } from './tcache-flush.ts';

const LG_SLOTS_OF_PAGE = 9; // a page holds 512 slots of 8 bytes
const SLOTS_OF_PAGE = classes.PAGE / 8;

export type Tcache = ReturnType<typeof createTcache>;

/**
 * Thread caches (tcache.c, cache_bin.h): a stack of blocks for each class up to tcache_max. All stacks of a thread lie
 * behind each other in one allocation of arena 0, each growing down:
 *
 *      ┌────┬─────────────── bin 0 ───────────────┬── bin 1 ──  …  ──┬────┐
 *      │junk│ free slots          │ cached blocks │                  │junk│
 *      └────┴─────────────────────┴───────────────┴──────────────────┴────┘
 *            ▲ full                ▲ C_HEAD         ▲ C_EMPTY
 *
 * A slot has a minus where a block's pages may be absent (residency.ts). A page of the stacks is touched when a slot on it
 * is first written. C_LIMIT is the lowest slot down to which that has happened (or the full position), so that the one comparison of a free tells both.
 */
export function createTcache(state: State, arenas: Arenas, bins: Bins, large: Large, { filed }: BlockPages) {
  const { OP_CACHE_FILLS } = counters;
  const { INDEX_SIZE, NBINS } = classes;
  const {
    C_DELAY,
    C_EMPTY,
    C_FILL_SHIFT,
    C_HEAD,
    C_LIMIT,
    C_LOW_WATER,
    C_REFILLED,
    C_REQUESTS,
    LG_CACHE_BIN_WORDS,
    T_CACHE_BLOCK,
    T_CACHE_PAGE,
    T_NEXT_GC_BIN,
    THREAD_HEADER_WORDS,
  } = tables;
  const { caches, config, kernel, operations, slots } = state;
  const { threadWords, slotTotal } = state;
  const { cacheBins, slots: slotCounts } = config;
  const { flush, blockIn } = createTcacheFlush(state, arenas, bins, large);

  const binAt = (t: ThreadSlot, index: number) => t * threadWords + THREAD_HEADER_WORDS + (index << LG_CACHE_BIN_WORDS);
  /** cache_bin_ncached_get_local */
  const cached = (b: number) => caches[b + C_EMPTY]! - caches[b + C_HEAD]!;
  /** cache_bin_low_water_get */
  const lowWater = (b: number) => caches[b + C_EMPTY]! - caches[b + C_LOW_WATER]!;

  // ----------------------------------------------------------------------------------------------------- the stacks

  /** Page of the cache's memory that holds a slot. */
  function pageOf(t: ThreadSlot, slot: number): number {
    return caches[t * threadWords + T_CACHE_PAGE]! + ((slot - t * slotTotal) >> LG_SLOTS_OF_PAGE);
  }

  /** Slots from `slot` to the lowest written before are about to be written: their pages become resident. */
  function lowerLimit(t: ThreadSlot, index: number, slot: number): void {
    const b = binAt(t, index);
    if (slot >= caches[b + C_LIMIT]!) return;
    const first = pageOf(t, slot);
    const last = pageOf(t, caches[b + C_LIMIT]! - 1);
    kernel.touchRange(first, last);
    const full = caches[b + C_EMPTY]! - slotCounts[index]!;
    const offset = (slot - t * slotTotal) & (SLOTS_OF_PAGE - 1);
    caches[b + C_LIMIT] = Math.max(full, slot - offset);
  }

  /** cache_bin_alloc reads the slot above the stack before it looks whether there is any: mostly the first use of that page. */
  function readEmpty(t: ThreadSlot, slot: number): void {
    const page = pageOf(t, slot);
    if (kernel.pages[page] === ABSENT) kernel.readRange(page, page);
  }

  /** tcache_init: the stacks lie in `block`, from `page` on. */
  function init(t: ThreadSlot, block: Handle, page: Page): void {
    const h = t * threadWords;
    caches[h + T_CACHE_BLOCK] = block;
    caches[h + T_CACHE_PAGE] = page;
    caches[h + T_NEXT_GC_BIN] = 0;
    let slot = t * slotTotal + 1;
    for (let i = 0; i < config.reservedBins; i++) {
      slot += i < cacheBins ? slotCounts[i]! : 0;
      const b = binAt(t, i);
      caches[b + C_HEAD] = slot;
      caches[b + C_LOW_WATER] = slot;
      caches[b + C_LIMIT] = slot;
      caches[b + C_EMPTY] = slot;
      caches[b + C_REQUESTS] = 0;
      caches[b + C_FILL_SHIFT] = 1;
      caches[b + C_REFILLED] = 0;
      caches[b + C_DELAY] = i < NBINS ? gcItemDelay(config, i) : 0;
    }
    kernel.touch(pageOf(t, t * slotTotal)); // cache_bin_preincrement, cache_bin_postincrement
    kernel.touch(pageOf(t, (t + 1) * slotTotal - 1));
  }

  // ------------------------------------------------------------------------------------------------------ allocation

  /** tcache_alloc_small, when the stack is at its low water mark. */
  function allocSmall(t: ThreadSlot, index: number): number {
    const b = binAt(t, index);
    const head = caches[b + C_HEAD]!;
    if (head !== caches[b + C_EMPTY]) {
      caches[b + C_HEAD] = head + 1;
      if (head === caches[b + C_LOW_WATER]) caches[b + C_LOW_WATER] = head + 1;
      caches[b + C_REQUESTS]!++;
      return slots[head]!;
    }
    readEmpty(t, head);
    const a = arenas.choose(t);
    if (a < 0) return 0;
    const capacity = slotCounts[index]!;
    if (capacity === 0) return bins.malloc(t, a, index); // tcache_small_bin_disabled
    return allocSmallHard(t, a, index, capacity >> caches[b + C_FILL_SHIFT]!);
  }

  /** tcache_alloc_small_hard: fills the empty stack from the arena and takes the first. */
  function allocSmallHard(t: ThreadSlot, a: number, index: number, count: number): number {
    const b = binAt(t, index);
    const empty = caches[b + C_EMPTY]!;
    lowerLimit(t, index, empty - count);
    const requests = caches[b + C_REQUESTS]!;
    caches[b + C_REQUESTS] = 0;
    const filled = bins.fill(t, a, index, empty - count, count, requests);
    operations[OP_CACHE_FILLS]! += filled;
    if (filled < count) slots.copyWithin(empty - filled, empty - count, empty - count + filled);
    caches[b + C_REFILLED] = 1;
    if (filled === 0) return 0;
    const head = empty - filled;
    caches[b + C_HEAD] = head + 1;
    if (head === caches[b + C_LOW_WATER]) caches[b + C_LOW_WATER] = head + 1;
    caches[b + C_REQUESTS] = 1;
    return slots[head]!;
  }

  /**
   * tcache_alloc_large: from the stack, or one made for the occasion. `recycled()` tells whether it came from the stack:
   * then whoever wants it cleared must do it.
   */
  let wasCached = false;
  function allocLarge(t: ThreadSlot, index: number, zeroed: boolean): number {
    const b = binAt(t, index);
    const head = caches[b + C_HEAD]!;
    wasCached = head !== caches[b + C_EMPTY];
    if (wasCached) {
      caches[b + C_HEAD] = head + 1;
      if (head === caches[b + C_LOW_WATER]) caches[b + C_LOW_WATER] = head + 1;
      caches[b + C_REQUESTS]!++;
      return slots[head]!;
    }
    readEmpty(t, head);
    const a = arenas.choose(t);
    return a < 0 ? 0 : large.malloc(t, a, index, zeroed);
  }

  // ---------------------------------------------------------------------------------------------------- deallocation

  /** tcache_dalloc_small and tcache_dalloc_large: onto the stack; when it is full, the oldest part is flushed first. */
  function dalloc(t: ThreadSlot, index: number, h: Handle): void {
    const b = binAt(t, index);
    if (caches[b + C_HEAD] === caches[b + C_LIMIT]) {
      const capacity = slotCounts[index]!;
      if (cached(b) === capacity) {
        if (capacity === 0) {
          bins.dalloc(t, h); // tcache_small_bin_disabled
          return;
        }
        flush(t, index, capacity >> (index < NBINS ? config.flushSmallShift : config.flushLargeShift));
      }
      lowerLimit(t, index, caches[b + C_HEAD]! - 1);
    }
    const head = caches[b + C_HEAD]! - 1;
    slots[head] = filed(h);
    caches[b + C_HEAD] = head;
  }

  // ------------------------------------------------------------------------------------------------------- collector

  /**
   * tcache_event: looks at one bin, the next at the next event. Three quarters of what was not used since the last look
   * are flushed, and later fills get smaller; a bin that had to be filled gets larger fills again.
   */
  function event(t: ThreadSlot): void {
    const h = t * threadWords;
    const index = caches[h + T_NEXT_GC_BIN]!;
    const b = binAt(t, index);
    const low = lowWater(b);
    if (low > 0) {
      if (index < NBINS) gcSmall(t, index, low);
      else flush(t, index, cached(b) - low + (low >> 2)); // tcache_gc_large
    } else if (index < NBINS && caches[b + C_REFILLED] !== 0) {
      if (caches[b + C_FILL_SHIFT]! > 1) caches[b + C_FILL_SHIFT]!--;
      caches[b + C_REFILLED] = 0;
    }
    caches[b + C_LOW_WATER] = caches[b + C_HEAD]!;
    caches[h + T_NEXT_GC_BIN] = index + 1 === cacheBins ? 0 : index + 1;
  }

  /** Whether the next `event` flushes nothing, so that nobody else has to do with it. */
  function flushesNothing(t: ThreadSlot): boolean {
    const index = caches[t * threadWords + T_NEXT_GC_BIN]!;
    const b = binAt(t, index);
    const low = lowWater(b);
    return low <= 0 || (index < NBINS && low - (low >> 2) < caches[b + C_DELAY]!);
  }

  /** tcache_gc_small */
  function gcSmall(t: ThreadSlot, index: number, low: number): void {
    const b = binAt(t, index);
    const count = low - (low >> 2);
    if (count < caches[b + C_DELAY]!) {
      caches[b + C_DELAY]! -= count;
      return;
    }
    caches[b + C_DELAY] = gcItemDelay(config, index);
    flush(t, index, cached(b) - count);
    if (slotCounts[index]! >> (caches[b + C_FILL_SHIFT]! + 1) >= 1) caches[b + C_FILL_SHIFT]!++;
  }

  /** tcache_flush_cache */
  function flushAll(t: ThreadSlot): void {
    for (let i = 0; i < cacheBins; i++) flush(t, i, 0);
  }

  return {
    init,
    allocSmall,
    allocLarge,
    /** Whether the last allocLarge took its block from the stack. */
    recycled: () => wasCached,
    dalloc,
    event,
    flushesNothing,
    flushAll,
    binAt,
    cached,
    /** Bytes cached by a thread, and its blocks. */
    cachedBytes: (t: ThreadSlot) => {
      let bytes = 0;
      for (let i = 0; i < cacheBins; i++) bytes += cached(binAt(t, i)) * INDEX_SIZE[i]!;
      return bytes;
    },
    forEachCached: (t: ThreadSlot, visit: (h: Handle, index: number, isResident: boolean) => void): void => {
      for (let i = 0; i < cacheBins; i++) {
        const b = binAt(t, i);
        for (let s = caches[b + C_HEAD]!; s < caches[b + C_EMPTY]!; s++) visit(blockIn(s), i, slots[s]! > 0);
      }
    },
  };
}

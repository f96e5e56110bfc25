import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import * as counters from '../../sim/contract/operations.ts';
import type { Addr, Bytes } from '../../sim/contract/units.ts';
import type { Heap } from './heap.ts';
import { createRealloc } from './realloc.ts';
import * as classes from './size-classes.ts';
import { alignedUsable, sizeToIndex } from './size-classes.ts';
import * as tables from './state.ts';

/** Usable sizes as integers for the fast paths, which see no others. */
const CACHED_SIZE: Int32Array = Int32Array.from(classes.INDEX_SIZE, (size) => Math.min(size, 2147483647));

/** The program's calls (jemalloc.c): the fast paths that end in the thread cache, and everything behind them. */
export function createMalloc(heap: Heap) {
  const { OP_BYTES_CLEARED, OP_SLOW_CALLS } = counters;
  const { CACHELINE, INDEX_SIZE, LOOKUP_MAXCLASS, NBINS, NSIZES, PAGE, SIZE_INDEX, SMALL_MAXCLASS } = classes;
  const {
    C_EMPTY,
    C_HEAD,
    C_LIMIT,
    C_LOW_WATER,
    C_REQUESTS,
    E_START,
    HANDLE_SHIFT,
    LG_CACHE_BIN_WORDS,
    LG_EXTENT_WORDS,
    T_ALLOC_LEFT,
    T_DALLOC_LEFT,
    T_STATE,
    THREAD_HEADER_WORDS,
    THREAD_NOMINAL,
  } = tables;
  const { arenas, bins, blockPages, large, tcache, threads } = heap;
  const { filed, handOut, handOutWritten, offsetOf, touchBlock } = blockPages;
  const { caches, config, extentClass, extents, freeClass, operations, slots, threadWords, tracksPages } = heap.state;
  const { tcacheMax, cacheBins } = config;
  const fastMax = Math.min(tcacheMax, LOOKUP_MAXCLASS);

  // -------------------------------------------------------------------------------------------------------- filling

  /** memset(…, 0, usable): the block of a slot, all resident. */
  function cleared(slot: number, sizeClass: number): Handle {
    const h = Math.abs(slot);
    operations[OP_BYTES_CLEARED]! += INDEX_SIZE[sizeClass]!;
    touchBlock(h, 0, INDEX_SIZE[sizeClass]!);
    return h;
  }

  // ----------------------------------------------------------------------------------------------------- allocation

  /** arena_malloc: from the cache where the class is cached. Like a slot of a cache, with a minus where pages may be absent. */
  function arenaMalloc(t: ThreadSlot, size: Bytes, sizeClass: number, zeroed: boolean): number {
    if (threads.hasCache(t)) {
      if (size <= SMALL_MAXCLASS) {
        const slot = tcache.allocSmall(t, sizeClass);
        return zeroed && slot !== 0 ? cleared(slot, sizeClass) : slot;
      }
      if (size <= tcacheMax) {
        const slot = tcache.allocLarge(t, sizeClass, zeroed);
        return zeroed && slot !== 0 && tcache.recycled() ? cleared(slot, sizeClass) : slot;
      }
    }
    const a = arenas.chooseMaybeHuge(t, size); // arena_malloc_hard
    if (a < 0) return 0;
    if (size > SMALL_MAXCLASS) return large.malloc(t, a, sizeClass, zeroed);
    const h = bins.malloc(t, a, sizeClass);
    return zeroed && h !== 0 ? cleared(h, sizeClass) : h;
  }

  /** imalloc without an alignment; as arenaMalloc. */
  function imalloc(t: ThreadSlot, size: Bytes, zeroed: boolean): number {
    if (!threads.fetch(t)) return 0;
    const sizeClass = sizeToIndex(size);
    if (sizeClass >= NSIZES) return 0;
    const h = arenaMalloc(t, size, sizeClass, zeroed);
    if (h !== 0) threads.allocEvent(t, sizeClass);
    return h;
  }

  /** malloc_default, with the options that fill. */
  function mallocDefault(t: ThreadSlot, size: Bytes): Handle {
    operations[OP_SLOW_CALLS]!++;
    const h = handOut(imalloc(t, size, config.zero));
    if (config.junkAlloc && !config.zero && h !== 0) junk(h);
    return h;
  }

  function junk(h: Handle): void {
    const bytes = INDEX_SIZE[extentClass[h >> HANDLE_SHIFT]!]!;
    operations[OP_BYTES_CLEARED]! += bytes;
    touchBlock(h, 0, bytes);
  }

  /**
   * imalloc_fastpath, here for all sizes that a cache may hold: the slot of a hit above the low water mark and between two
   * events; else 0.
   */
  function hit(t: ThreadSlot, size: Bytes): number {
    if (size <= fastMax) {
      const index = SIZE_INDEX[(size + 7) >> 3]!;
      const header = t * threadWords;
      const left = caches[header + T_ALLOC_LEFT]! - CACHED_SIZE[index]!;
      if (left > 0) {
        const b = header + THREAD_HEADER_WORDS + (index << LG_CACHE_BIN_WORDS);
        const head = caches[b + C_HEAD]!;
        if (head !== caches[b + C_LOW_WATER]) {
          caches[b + C_HEAD] = head + 1;
          caches[b + C_REQUESTS]!++;
          caches[header + T_ALLOC_LEFT] = left;
          return slots[head]!;
        }
      }
    }
    return 0;
  }

  function malloc(t: ThreadSlot, size: Bytes): Handle {
    const slot = hit(t, size);
    if (slot > 0) return slot;
    return slot < 0 ? handOut(slot) : mallocDefault(t, size);
  }

  /** malloc, and its first `size` bytes are written. */
  function mallocTouched(t: ThreadSlot, size: Bytes): Handle {
    const slot = hit(t, size);
    if (slot > 0) return slot;
    return slot < 0 ? handOutWritten(slot, size) : mallocTouchedDefault(t, size);
  }

  function mallocTouchedDefault(t: ThreadSlot, size: Bytes): Handle {
    operations[OP_SLOW_CALLS]!++;
    const slot = imalloc(t, size, false);
    return slot === 0 ? 0 : handOutWritten(slot, size);
  }

  /** je_calloc */
  function calloc(t: ThreadSlot, count: number, size: Bytes): Handle {
    operations[OP_SLOW_CALLS]!++;
    return handOut(imalloc(t, count * size, true));
  }

  /** je_posix_memalign: small ones of a class whose regions are aligned so, large ones past the cache. */
  function memalign(t: ThreadSlot, alignment: Bytes, size: Bytes): Handle {
    operations[OP_SLOW_CALLS]!++;
    if (!threads.fetch(t)) return 0;
    const usable = alignedUsable(size === 0 ? 1 : size, alignment);
    if (usable === 0) return 0;
    const sizeClass = sizeToIndex(usable);
    // arena_palloc
    const h =
      usable <= SMALL_MAXCLASS
        ? handOut(arenaMalloc(t, usable, sizeClass, config.zero))
        : large.palloc(t, -1, sizeClass, Math.max(alignment, CACHELINE), config.zero);
    if (h === 0) return 0;
    threads.allocEvent(t, sizeClass);
    if (config.junkAlloc && !config.zero) junk(h);
    return h;
  }

  // --------------------------------------------------------------------------------------------------- deallocation

  /** arena_dalloc and arena_sdalloc */
  function arenaDalloc(t: ThreadSlot, h: Handle): void {
    const e = h >> HANDLE_SHIFT;
    const sizeClass = extentClass[e]!;
    if (threads.hasCache(t) && (sizeClass < NBINS || sizeClass < cacheBins)) tcache.dalloc(t, sizeClass, h);
    else if (sizeClass < NBINS) bins.dalloc(t, h);
    else large.dalloc(t, e);
  }

  /** free_default */
  function freeDefault(t: ThreadSlot, h: Handle): void {
    operations[OP_SLOW_CALLS]!++;
    threads.fetchMinimal(t);
    const sizeClass = extentClass[h >> HANDLE_SHIFT]!;
    if (config.junkFree) junk(h);
    arenaDalloc(t, h);
    threads.dallocEvent(t, sizeClass);
  }

  /** free_fastpath, here for all classes that are cached. */
  function free(t: ThreadSlot, h: Handle): void {
    const index = freeClass[h >> HANDLE_SHIFT]!;
    if (index < cacheBins) {
      const header = t * threadWords;
      const left = caches[header + T_DALLOC_LEFT]! - CACHED_SIZE[index]!;
      if (left > 0) {
        const b = header + THREAD_HEADER_WORDS + (index << LG_CACHE_BIN_WORDS);
        const head = caches[b + C_HEAD]!;
        if (head !== caches[b + C_LIMIT]) {
          slots[head - 1] = h;
          caches[b + C_HEAD] = head - 1;
          caches[header + T_DALLOC_LEFT] = left;
          return;
        }
      }
    }
    if (tracksPages) freeLooking(t, h);
    else freeDefault(t, h);
  }

  /** free, of a block whose pages have to be looked at. */
  function freeLooking(t: ThreadSlot, h: Handle): void {
    if (!freeLocal(t, h)) freeDefault(t, h);
  }

  /** Whether what the call does beside using the cache is as much the thread's own: no event, or one that flushes nothing. */
  function isOwn(t: ThreadSlot, left: Bytes): boolean {
    return left > 0 || (caches[t * threadWords + T_STATE] === THREAD_NOMINAL && tcache.flushesNothing(t));
  }

  /** `malloc` where the cache serves it, or 0. */
  function mallocLocal(t: ThreadSlot, size: Bytes): Handle {
    const slot = hit(t, size);
    return slot !== 0 ? handOut(slot) : mallocCached(t, size);
  }

  /** What the slow path finds in the cache: the last blocks of a stack, sizes beyond the lookup table, hits at an event. */
  function mallocCached(t: ThreadSlot, size: Bytes): Handle {
    if (size > tcacheMax) return 0;
    const index = sizeToIndex(size);
    const header = t * threadWords;
    const b = header + THREAD_HEADER_WORDS + (index << LG_CACHE_BIN_WORDS);
    if (caches[b + C_HEAD] === caches[b + C_EMPTY]) return 0;
    return isOwn(t, caches[header + T_ALLOC_LEFT]! - CACHED_SIZE[index]!) ? handOut(imalloc(t, size, false)) : 0;
  }

  /** `free` where the cache takes it, or false. */
  function freeLocal(t: ThreadSlot, h: Handle): boolean {
    const index = extentClass[h >> HANDLE_SHIFT]!;
    if (index >= cacheBins) return false;
    const header = t * threadWords;
    const left = caches[header + T_DALLOC_LEFT]! - CACHED_SIZE[index]!;
    const b = header + THREAD_HEADER_WORDS + (index << LG_CACHE_BIN_WORDS);
    const head = caches[b + C_HEAD]!;
    if (head === caches[b + C_LIMIT]) return false;
    if (left <= 0) return freeAtEvent(t, h, index, left);
    slots[head - 1] = filed(h);
    caches[b + C_HEAD] = head - 1;
    caches[header + T_DALLOC_LEFT] = left;
    return true;
  }

  function freeAtEvent(t: ThreadSlot, h: Handle, index: number, left: Bytes): boolean {
    if (!isOwn(t, left)) return false;
    tcache.dalloc(t, index, h);
    threads.dallocEvent(t, index);
    return true;
  }

  /** With an option that fills, or without caches, every call takes the slow path (malloc_slow). */
  const { realloc } = createRealloc(heap, { arenaMalloc, arenaDalloc });
  const isSlow = config.zero || config.junkAlloc || config.junkFree || !config.tcache;

  return {
    /** Whether what a cache serves touches nothing but the cache and pages that are written. */
    isCached: !isSlow,
    malloc: isSlow ? mallocDefault : malloc,
    mallocTouched: tracksPages ? mallocTouched : undefined,
    free: isSlow ? freeDefault : free,
    calloc,
    realloc,
    memalign,
    touchBlock,
    mallocLocal: isSlow ? () => 0 : mallocLocal,
    freeLocal: isSlow ? () => false : freeLocal,
    mallocNotLocal: mallocDefault,
    freeNotLocal: freeDefault,
    addressOf: (h: Handle): Addr => extents[((h >> HANDLE_SHIFT) << LG_EXTENT_WORDS) + E_START]! * PAGE + offsetOf(h),
    usableSize: (h: Handle): Bytes => INDEX_SIZE[extentClass[h >> HANDLE_SHIFT]!]!,
  };
}

import * as counters from '../../sim/contract/operations.ts';
import { realAddress } from '../../sim/kernel/layout.ts';
import type { Arenas } from './arena.ts';
import * as layout from './arena-layout.ts';
import * as chunk from './chunk.ts';
import type { Context } from './context.ts';
import * as places from './context.ts';
import type { IntFree } from './int-free.ts';
import type { IntMalloc } from './int-malloc.ts';
import type { Mapped } from './mapped.ts';
import type { Memalign } from './memalign.ts';
import * as par from './parameters.ts';
import * as cacheLayout from './tcache.ts';

/** PTRDIFF_MAX + 1 */
export const TOO_MUCH = 2 ** 63;

export type Malloc = ReturnType<typeof createMalloc>;

/** What the functions that a program calls end in. */
interface Inner {
  readonly arenas: Arenas;
  readonly mapped: Mapped;
  readonly intMalloc: IntMalloc['intMalloc'];
  readonly intFree: IntFree['intFree'];
  readonly intMemalign: Memalign['intMemalign'];
}

/** The functions that a program calls (malloc.c: __libc_malloc, __libc_free, __libc_memalign, the thread cache's end). */
export function createMalloc(context: Context, inner: Inner) {
  const { arenas, mapped, intMalloc, intFree, intMemalign } = inner;
  const { words, tcache, tcacheChunk, features, machine, parameters, writes } = context;
  const { OP_CACHE_FLUSHES, OP_SLOW_CALLS } = counters;
  const { MUTEX } = layout;
  const { ADDR, FD, mappedUnit, mappedUnits, MMAPPED, requestUnits, RESIDENT_UNITS, SIZE, UNIT_BYTES, UNIT_SHIFT } =
    chunk;
  const { MULTI_THREADED, TCACHE_BINS, TCACHE_COUNT } = par;
  const { MAX_TCACHE_BYTES, MAX_TCACHE_UNITS, TCACHE_MAX_BINS, TCACHE_SHIFT, TCACHE_STRUCT_BYTES } = cacheLayout;
  const { operations } = machine;
  const { ints } = parameters;
  const { memalignFromCache } = features;
  const { arenaGet, arenaGetRetry, arenaForChunk, detachThread } = arenas;
  const { freeMapped } = mapped;
  const { touchBytes, touchFarBytes } = writes;
  const { release } = machine.locks;
  const { MAIN_ARENA } = places;

  /** malloc(): a hit in the thread cache, or `mallocSlow`. */
  function malloc(t: number, bytes: number): number {
    const p = mallocLocal(t, bytes);
    return p !== 0 ? p : mallocSlow(t, bytes);
  }

  /** A hit in the thread cache, or 0. */
  function mallocLocal(t: number, bytes: number): number {
    if (bytes > MAX_TCACHE_BYTES) return 0;
    const bin = (t << TCACHE_SHIFT) + (bytes <= 24 ? 0 : ((bytes - 9) >> 4) << 1);
    const p = tcache[bin]!;
    if (p !== 0) {
      tcache[bin] = words[p + FD]!;
      tcache[bin + 1]!++;
    }
    return p;
  }

  function mallocSlow(t: number, bytes: number): number {
    operations[OP_SLOW_CALLS]!++;
    if (bytes >= TOO_MUCH) return 0;
    if (tcacheChunk[t] === 0) initCache(t);
    return fromThreadArena(t, requestUnits(bytes), bytes);
  }

  /** The thread's arena's lock around `intMalloc`, and a second try in another arena. */
  function fromThreadArena(t: number, nb: number, bytes: number): number {
    if (ints[MULTI_THREADED] === 0) return intMalloc(t, MAIN_ARENA, nb, bytes);
    let arena = arenaGet(t, bytes);
    let p = intMalloc(t, arena, nb, bytes);
    if (p === 0 && arena !== 0) {
      arena = arenaGetRetry(t, arena, bytes);
      p = intMalloc(t, arena, nb, bytes);
    }
    if (arena !== 0) release(t, words[arena + MUTEX]!);
    return p;
  }

  /** tcache_init(): the cache is itself a chunk of the thread's arena. */
  function initCache(t: number): void {
    let arena = arenaGet(t, TCACHE_STRUCT_BYTES);
    const nb = requestUnits(TCACHE_STRUCT_BYTES);
    let p = intMalloc(t, arena, nb, TCACHE_STRUCT_BYTES);
    if (p === 0 && arena !== 0) {
      arena = arenaGetRetry(t, arena, TCACHE_STRUCT_BYTES);
      p = intMalloc(t, arena, nb, TCACHE_STRUCT_BYTES);
    }
    if (arena !== 0) release(t, words[arena + MUTEX]!);
    if (p === 0) return;
    touchBlock(p, 0, TCACHE_STRUCT_BYTES);
    tcacheChunk[t] = p;
    const count = ints[TCACHE_COUNT]!;
    for (let bin = 0; bin < ints[TCACHE_BINS]!; bin++) tcache[(t << TCACHE_SHIFT) + 2 * bin + 1] = count;
  }

  /** tcache_get_n(): the first chunk of a bin whose memory lies at a multiple of `align` bytes, or 0. */
  function takeCached(bin: number, align: number): number {
    let before = 0;
    let p = tcache[bin]!;
    while (p !== 0 && align > UNIT_BYTES && realAddress(addressOf(p)) % align !== 0) {
      before = p;
      p = words[p + FD]!;
    }
    if (p === 0) return 0;
    if (before === 0) tcache[bin] = words[p + FD]!;
    else words[before + FD] = words[p + FD]!;
    tcache[bin + 1]!++;
    return p;
  }

  /** posix_memalign(), that is _mid_memalign(). */
  function memalign(t: number, align: number, bytes: number): number {
    if (align <= UNIT_BYTES) return malloc(t, bytes);
    operations[OP_SLOW_CALLS]!++;
    const alignUnits = align / UNIT_BYTES;
    const nb = requestUnits(bytes);
    if (memalignFromCache && nb <= MAX_TCACHE_UNITS) {
      const cached = takeCached((t << TCACHE_SHIFT) + ((nb - 2) << 1), align);
      if (cached !== 0) return cached;
    }
    if (ints[MULTI_THREADED] === 0) return intMemalign(t, MAIN_ARENA, alignUnits, nb);
    let arena = arenaGet(t, bytes + align + 32);
    let p = intMemalign(t, arena, alignUnits, nb);
    if (p === 0 && arena !== 0) {
      arena = arenaGetRetry(t, arena, bytes);
      p = intMemalign(t, arena, alignUnits, nb);
    }
    if (arena !== 0) release(t, words[arena + MUTEX]!);
    return p;
  }

  /** free(): into the thread cache where there is room, or `freeSlow`. */
  function free(t: number, p: number): void {
    if (!freeLocal(t, p)) freeSlow(t, p);
  }

  /** Into the thread cache where there is room. A mapped chunk counts as large. */
  function freeLocal(t: number, p: number): boolean {
    const index = (words[p + SIZE]! >>> UNIT_SHIFT) - 2;
    if (index >= TCACHE_MAX_BINS) return false;
    const bin = (t << TCACHE_SHIFT) + (index << 1);
    const room = tcache[bin + 1]!;
    if (room <= 0) return false;
    words[p + FD] = tcache[bin]!;
    tcache[bin] = p;
    tcache[bin + 1] = room - 1;
    return true;
  }

  function freeSlow(t: number, p: number): void {
    operations[OP_SLOW_CALLS]!++;
    if ((words[p + SIZE]! & MMAPPED) === 0 && tcacheChunk[t] === 0) initCache(t);
    freeUncached(t, p);
  }

  function freeUncached(t: number, p: number): void {
    if ((words[p + SIZE]! & MMAPPED) !== 0) freeMapped(t, p);
    else intFree(t, arenaForChunk(p), p, false);
  }

  /** A chunk of up to a page is resident as it is (RESIDENT_UNITS), so most blocks need no look at the page map. */
  function touchBlock(p: number, from: number, to: number): void {
    if (words[p + SIZE]! >>> UNIT_SHIFT <= RESIDENT_UNITS) return;
    const unit = words[p + ADDR]!;
    if (unit >= 0) touchBytes(unit + 1, from, to);
    else touchFarBytes(mappedUnit(words, p) + 1, from, to);
  }

  function addressOf(p: number): number {
    const unit = words[p + ADDR]!;
    return ((unit >= 0 ? unit : mappedUnit(words, p)) + 1) * UNIT_BYTES;
  }

  /** malloc_usable_size(): a mapped chunk has no next one whose first word it could use. */
  function usableSize(p: number): number {
    const word = words[p + SIZE]!;
    return (word & MMAPPED) !== 0 ? (mappedUnits(words, p) - 1) * UNIT_BYTES : (word >>> UNIT_SHIFT) * UNIT_BYTES - 8;
  }

  /** __malloc_arena_thread_freeres(): what the cache holds goes back, smallest first, then the cache itself. */
  function threadExit(t: number): void {
    const cache = tcacheChunk[t]!;
    if (cache !== 0) {
      tcacheChunk[t] = 0;
      const first = t << TCACHE_SHIFT;
      for (let bin = first; bin < first + 2 * TCACHE_MAX_BINS; bin += 2) tcache[bin + 1] = 0;
      for (let bin = first; bin < first + 2 * TCACHE_MAX_BINS; bin += 2) {
        for (let p = tcache[bin]!; p !== 0; p = tcache[bin]!) {
          tcache[bin] = words[p + FD]!;
          freeUncached(t, p);
          operations[OP_CACHE_FLUSHES]!++;
        }
      }
      freeUncached(t, cache);
    }
    detachThread(t);
  }

  return {
    malloc,
    mallocLocal,
    mallocSlow,
    initCache,
    takeCached,
    memalign,
    free,
    freeLocal,
    freeSlow,
    touchBlock,
    addressOf,
    usableSize,
    threadExit,
  };
}

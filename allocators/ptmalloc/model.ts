import type { Allocator } from '../../sim/contract/allocator.ts';
import * as counters from '../../sim/contract/operations.ts';
import { realAddress } from '../../sim/kernel/layout.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import type { OptionValues } from '../model.ts';
import { createArenas } from './arena.ts';
import * as layout from './arena-layout.ts';
import { createBins } from './bins.ts';
import { createCheck } from './check.ts';
import * as chunk from './chunk.ts';
import * as places from './context.ts';
import { createContext } from './context.ts';
import { createDecidingState } from './deciding-state.ts';
import { createFree } from './free.ts';
import { createFreeStale } from './free-stale.ts';
import * as heapLayout from './heap.ts';
import { createHeaps } from './heap.ts';
import { createMalloc } from './malloc.ts';
import { createMapped } from './mapped.ts';
import { createMemalign } from './memalign.ts';
import { createMorecore } from './morecore.ts';
import { initParameters, setParameter } from './options.ts';
import * as par from './parameters.ts';
import { createRealloc } from './realloc.ts';
import { createStats } from './stats.ts';
import { createSystemMalloc } from './sysmalloc.ts';
import * as cacheLayout from './tcache.ts';
import { createTrim } from './trim.ts';
import { featuresOf } from './version.ts';
import { createWalk } from './walk.ts';

/** What options ask for that the model does not have. */
function notModelled(given: OptionValues): string[] {
  const lines: string[] = [];
  if (given['check'])
    lines.push('glibc.malloc.check: needs libc_malloc_debug.so, which is not modelled; without it, it does nothing');
  if (Number(given['hugetlb'] ?? 0) >= 2)
    lines.push('glibc.malloc.hugetlb: the simulated machine has no huge pages reserved, so MAP_HUGETLB fails');
  return lines;
}

/** PTRDIFF_MAX + 1 */
const TOO_MUCH = 2 ** 63;

/**
 * Whoever hands out a chunk of at most a page has written the size in front of it and the size, or its PREV_INUSE bit, of
 * the chunk behind it: what lies between is on one of these two pages. Of a mapped chunk so much is on its first page.
 */
const SELF_TOUCHED_BYTES = 4080;

/** The public functions of malloc.c over the parts; state lies in the machine's memory alone. */
export function createGlibc(machine: Machine, version: string, given: OptionValues): Allocator {
  const { MAIN_ARENA } = places;
  const { OP_BYTES_CLEARED, OP_CACHE_FLUSHES, OP_SLOW_CALLS } = counters;
  const { MUTEX, TOP } = layout;
  const { ADDR, FD, MMAPPED, PAGE_UNIT_SHIFT, requestUnits, RESIDENT_UNITS, SIZE, UNIT_BYTES, UNIT_SHIFT } = chunk;
  const { HEAP_MPROTECT_PAGES } = heapLayout;
  const {
    MMAP_THRESHOLD,
    MULTI_THREADED,
    NO_DYN_THRESHOLD,
    PERTURB,
    TCACHE_BINS,
    TCACHE_COUNT,
    TOP_PAD,
    TRIM_THRESHOLD,
  } = par;
  const { MAX_TCACHE_BYTES, MAX_TCACHE_UNITS, TCACHE_MAX_BINS, TCACHE_SHIFT, TCACHE_STRUCT_BYTES } = cacheLayout;
  const features = featuresOf(version);
  const context = createContext(machine, features);
  const { words, parameters, tcache, tcacheChunk, writes } = context;
  const { kernel, memory, operations } = machine;
  const { acquire, release } = machine.locks;
  const { ints, doubles } = parameters;
  if (!memory.attached) initParameters(parameters, features, given, kernel.thp);
  const bins = createBins(context);
  const morecore = createMorecore(context);
  const heaps = createHeaps(context, bins);
  const arenas = createArenas(context, heaps);
  const trimming = createTrim(context, bins, morecore);
  const freeing = createFree(context, bins, heaps, trimming);
  const mapped = createMapped(context);
  const systemMalloc = createSystemMalloc(context, bins, heaps, mapped, morecore, freeing);
  const { intMalloc } = createMalloc(context, bins, systemMalloc);
  const { intFree } = freeing;
  const { arenaGet, arenaGetRetry, arenaForChunk, detachThread } = arenas;
  const { intMemalign } = createMemalign(context, bins, { ...freeing, intMalloc });
  const { freeMapped } = mapped;
  const { touchBytes } = writes;
  const { callocFromCache, memalignFromCache } = features;

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

  /** calloc(): not from the thread cache, up to 2.40; clears what is not known to be zero. */
  function calloc(t: number, count: number, size: number): number {
    operations[OP_SLOW_CALLS]!++;
    const bytes = count * size;
    if (bytes >= TOO_MUCH) return 0;
    if (tcacheChunk[t] === 0) initCache(t);
    const nb = requestUnits(bytes);
    if (callocFromCache && nb <= MAX_TCACHE_UNITS) {
      const cached = takeCached((t << TCACHE_SHIFT) + ((nb - 2) << 1), 1);
      if (cached !== 0) return cached;
    }
    const multi = ints[MULTI_THREADED] !== 0;
    let arena = multi ? arenaGet(t, bytes) : MAIN_ARENA;
    const oldTop = arena === 0 ? 0 : words[arena + TOP]!;
    const oldTopUnit = oldTop === 0 ? 0 : words[oldTop + ADDR]!;
    const usedUnits = oldTop === 0 ? 0 : usedTopUnits(arena, oldTop);
    let p = intMalloc(t, arena, nb, bytes);
    if (multi) {
      if (p === 0 && arena !== 0) {
        arena = arenaGetRetry(t, arena, bytes);
        p = intMalloc(t, arena, nb, bytes);
      }
      if (arena !== 0) release(t, words[arena + MUTEX]!);
    }
    if (p === 0) return 0;
    const word = words[p + SIZE]!;
    if ((word & MMAPPED) !== 0) {
      if (ints[PERTURB] !== 0 && bytes > 0) {
        operations[OP_BYTES_CLEARED]! += bytes;
        touchBytes(words[p + ADDR]! + 1, 0, bytes);
      }
      return p;
    }
    const units = word >>> UNIT_SHIFT;
    // From the top, the part that was never handed out is still zero.
    const dirty = words[p + ADDR] === oldTopUnit && units > usedUnits && ints[PERTURB] === 0 ? usedUnits : units;
    operations[OP_BYTES_CLEARED]! += dirty * UNIT_BYTES - 8;
    if (units > RESIDENT_UNITS) touchBytes(words[p + ADDR]! + 1, 0, dirty * UNIT_BYTES - 8);
    return p;
  }

  /**
   * How far from the start of the top chunk on memory may not be zero: as far as the heap was ever writable. What brk gives
   * is always zero (MORECORE_CLEARS 2), also after the break went down in between.
   */
  function usedTopUnits(arena: number, top: number): number {
    const units = words[top + SIZE]! >>> UNIT_SHIFT;
    if (arena === MAIN_ARENA) return units;
    const heap = heaps.heapOf(top);
    const end = heaps.unitOf(heap) + (heaps.heaps[heap + HEAP_MPROTECT_PAGES]! << PAGE_UNIT_SHIFT);
    return Math.max(units, end - words[top + ADDR]!);
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

  const { realloc } = createRealloc(
    context,
    bins,
    mapped,
    arenas,
    { ...freeing, intMalloc },
    { malloc, initCache, usableSize },
  );

  /** A chunk of up to a page is resident as it is (RESIDENT_UNITS), so most blocks need no look at the page map. */
  function touchBlock(p: number, from: number, to: number): void {
    if (words[p + SIZE]! >>> UNIT_SHIFT > RESIDENT_UNITS) touchBytes(words[p + ADDR]! + 1, from, to);
  }

  function addressOf(p: number): number {
    return (words[p + ADDR]! + 1) * UNIT_BYTES;
  }

  /** malloc_usable_size(): a mapped chunk has no next one whose first word it could use. */
  function usableSize(p: number): number {
    const word = words[p + SIZE]!;
    return (word & MMAPPED) !== 0 ? (words[p + FD]! - 1) * UNIT_BYTES : (word >>> UNIT_SHIFT) * UNIT_BYTES - 8;
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

  function mallopt(t: number, name: string, value: number): void {
    acquire(t, words[MAIN_ARENA + MUTEX]!);
    bins.mallocConsolidate(t, MAIN_ARENA);
    setParameter(parameters, features, name, value);
    release(t, words[MAIN_ARENA + MUTEX]!);
  }

  const walking = createWalk(context, heaps, systemMalloc, mapped);
  return {
    name: `glibc-${version}`,
    malloc,
    calloc,
    realloc,
    memalign,
    free,
    addressOf,
    usableSize,
    touchBlock,
    selfTouchedBytes: SELF_TOUCHED_BYTES,
    mallocLocal,
    freeLocal,
    mallocNotLocal: mallocSlow,
    freeNotLocal: freeSlow,
    threadStart: (t) => {
      if (t !== 0) ints[MULTI_THREADED] = 1;
    },
    threadExit,
    forkChild: arenas.forkUnlockChild,
    trim: trimming.mallocTrim,
    mallopt,
    purge: (t) => {
      trimming.mallocTrim(t, 0);
    },
    freeStale: createFreeStale(context, walking),
    tunables: () => ({
      mmap_threshold: doubles[MMAP_THRESHOLD]!,
      trim_threshold: doubles[TRIM_THRESHOLD]!,
      top_pad: doubles[TOP_PAD]!,
      no_dyn_threshold: ints[NO_DYN_THRESHOLD]!,
    }),
    decidingState: createDecidingState(context, heaps, systemMalloc, walking),
    stats: createStats(context, heaps),
    walk: walking.walk,
    areas: walking.areas,
    check: createCheck(context, heaps, mapped, walking),
    notModelled: () => notModelled(given),
  };
}

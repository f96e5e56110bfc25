import * as counters from '../../sim/contract/operations.ts';
import type { Arenas } from './arena.ts';
import * as layout from './arena-layout.ts';
import * as chunk from './chunk.ts';
import type { Context } from './context.ts';
import * as places from './context.ts';
import type { Heaps } from './heap.ts';
import * as heapLayout from './heap.ts';
import type { IntMalloc } from './int-malloc.ts';
import { type Malloc, TOO_MUCH } from './malloc.ts';
import * as par from './parameters.ts';
import * as cacheLayout from './tcache.ts';

/** calloc (malloc.c: __libc_calloc). */
export function createCalloc(
  context: Context,
  inner: { readonly arenas: Arenas; readonly heaps: Heaps; readonly intMalloc: IntMalloc['intMalloc'] },
  front: Malloc,
) {
  const { arenas, heaps, intMalloc } = inner;
  const { initCache, takeCached } = front;
  const { words, tcacheChunk, features, machine, parameters, writes } = context;
  const { OP_BYTES_CLEARED, OP_SLOW_CALLS } = counters;
  const { MUTEX, TOP } = layout;
  const { ADDR, mappedUnit, MMAPPED, PAGE_UNIT_SHIFT, requestUnits, RESIDENT_UNITS, SIZE, UNIT_BYTES, UNIT_SHIFT } =
    chunk;
  const { MULTI_THREADED, PERTURB } = par;
  const { MAX_TCACHE_UNITS, TCACHE_SHIFT } = cacheLayout;
  const { HEAP_MPROTECT_PAGES } = heapLayout;
  const { operations } = machine;
  const { ints } = parameters;
  const { callocFromCache } = features;
  const { arenaGet, arenaGetRetry } = arenas;
  const { touchBytes, touchFarBytes } = writes;
  const { release } = machine.locks;
  const { MAIN_ARENA } = places;

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
        touchFarBytes(mappedUnit(words, p) + 1, 0, bytes);
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

  return { calloc };
}

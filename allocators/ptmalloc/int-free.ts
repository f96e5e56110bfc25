import * as counters from '../../sim/contract/operations.ts';
import * as layout from './arena-layout.ts';
import type { Bins } from './bins.ts';
import * as chunk from './chunk.ts';
import * as places from './context.ts';
import { type Context, mallocPrinterr } from './context.ts';
import type { Heaps } from './heap.ts';
import * as par from './parameters.ts';
import * as cacheLayout from './tcache.ts';
import type { Trim } from './trim.ts';

/** FASTBIN_CONSOLIDATION_THRESHOLD, 64 KiB. */
const CONSOLIDATION_UNITS = 4096;

export type IntFree = ReturnType<typeof createIntFree>;

export function createIntFree(context: Context, bins: Bins, heaps: Heaps, trim: Trim) {
  const { MAIN_ARENA } = places;
  const { FASTBINS, HAVE_FASTCHUNKS, MUTEX, TOP } = layout;
  const { ADDR, FD, SIZE, UNIT_BYTES, UNIT_SHIFT } = chunk;
  const { MAX_FAST_UNITS, MULTI_THREADED, PERTURB, TOP_PAD, toUnsigned, TRIM_THRESHOLD } = par;
  const { MAX_TCACHE_UNITS, TCACHE_SHIFT } = cacheLayout;
  const { OP_BYTES_CLEARED } = counters;
  const { words, machine, parameters, writes, tcache, isAlone } = context;
  const { operations } = machine;
  const { acquire, push, release } = machine.locks;
  const { ints, doubles } = parameters;
  const { coalesce, mallocConsolidate } = bins;
  const { freesToSmallBins } = context.features;
  const { heapOf, heapTrim } = heaps;
  const { sysTrim } = trim;
  const { touchBytes } = writes;

  /** _int_free(): gives a chunk of `arena` back, preferably to the cache of thread `t`. */
  function intFree(t: number, arena: number, p: number, haveLock: boolean): void {
    const units = words[p + SIZE]! >>> UNIT_SHIFT;
    if (units <= MAX_TCACHE_UNITS) {
      const bin = (t << TCACHE_SHIFT) + ((units - 2) << 1);
      const room = tcache[bin + 1]!;
      if (room > 0) {
        words[p + FD] = tcache[bin]!;
        tcache[bin] = p;
        tcache[bin + 1] = room - 1;
        return;
      }
    }
    if (units <= ints[MAX_FAST_UNITS]!) putFast(t, arena, p, units);
    else freeLarger(t, arena, p, units, haveLock);
  }

  /** Into the fastbin of its size. glibc does this without the arena's lock, and so with compare-and-exchange. */
  function putFast(t: number, arena: number, p: number, units: number): void {
    if (ints[PERTURB] !== 0) freePerturb(p, units);
    words[arena + HAVE_FASTCHUNKS] = 1;
    const bin = arena + FASTBINS + units - 2;
    let old = words[bin]!;
    if (isAlone || ints[MULTI_THREADED] === 0) {
      if (old === p) mallocPrinterr('double free or corruption (fasttop)');
      words[p + FD] = old;
      words[bin] = p;
      if (ints[MULTI_THREADED] !== 0) push(t, words[arena + MUTEX]!);
      return;
    }
    for (;;) {
      if (old === p) mallocPrinterr('double free or corruption (fasttop)');
      words[p + FD] = old;
      const seen = Atomics.compareExchange(words, bin, old, p);
      if (seen === old) return;
      old = seen;
    }
  }

  function freeLarger(t: number, arena: number, p: number, units: number, haveLock: boolean): void {
    const locksArena = !haveLock && ints[MULTI_THREADED] !== 0;
    if (locksArena) acquire(t, words[arena + MUTEX]!);
    mergeChunk(t, arena, p, units);
    if (locksArena) release(t, words[arena + MUTEX]!);
  }

  /** _int_free_merge_chunk(): past the caches, into a bin or the top. */
  function mergeChunk(t: number, arena: number, p: number, units: number): void {
    if (ints[PERTURB] !== 0) freePerturb(p, units);
    joinChunk(t, arena, p, units);
  }

  /** _int_free_create_chunk() and _int_free_maybe_consolidate(). */
  function joinChunk(t: number, arena: number, p: number, units: number): void {
    if (coalesce(arena, p, units, freesToSmallBins) < CONSOLIDATION_UNITS) return;
    // A large space: gather what lies in fastbins around it, then see whether the top can shrink.
    if (words[arena + HAVE_FASTCHUNKS] !== 0) mallocConsolidate(t, arena);
    const top = words[arena + TOP]!;
    if (arena !== MAIN_ARENA) heapTrim(t, arena, heapOf(top));
    else if ((words[top + SIZE]! >>> UNIT_SHIFT) * UNIT_BYTES >= toUnsigned(doubles[TRIM_THRESHOLD]!)) {
      sysTrim(t, arena, toUnsigned(doubles[TOP_PAD]!));
    }
  }

  /** free_perturb() */
  function freePerturb(p: number, units: number): void {
    const bytes = (units - 1) * UNIT_BYTES;
    operations[OP_BYTES_CLEARED]! += bytes;
    touchBytes(words[p + ADDR]! + 1, 0, bytes);
  }

  return { intFree, mergeChunk, joinChunk };
}

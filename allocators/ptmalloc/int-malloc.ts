import * as counters from '../../sim/contract/operations.ts';
import * as layout from './arena-layout.ts';
import * as binIndices from './bin-index.ts';
import * as log from './bin-log.ts';
import type { Bins } from './bins.ts';
import * as chunk from './chunk.ts';
import type { Context } from './context.ts';
import * as par from './parameters.ts';
import type { SystemMalloc } from './sysmalloc.ts';
import * as cacheLayout from './tcache.ts';

/** MAX_ITERS: chunks of the unsorted bin that one pass puts into their bins. */
const MAX_ITERS = 10000;
const NO_TCACHE_BIN = -1;

export type IntMalloc = ReturnType<typeof createIntMalloc>;

export function createIntMalloc(context: Context, bins: Bins, systemMalloc: SystemMalloc) {
  const { BINMAP, BINS, CHUNK_FLAGS, FASTBINS, HAVE_FASTCHUNKS, LAST_REMAINDER, MUTEX, TOP, UNSORTED } = layout;
  const { largeBinIndex, MIN_LARGE_UNITS } = binIndices;
  const { ADDR, BK, BK_NEXTSIZE, FD, INUSE, mappedUnit, MIN_UNITS, MMAPPED, SIZE, UNIT_SHIFT } = chunk;
  const { MAX_FAST_UNITS, MULTI_THREADED, PERTURB, TCACHE_UNSORTED_LIMIT } = par;
  const { MAX_TCACHE_UNITS, TCACHE_SHIFT } = cacheLayout;
  const { OP_BIN_SCAN_STEPS, OP_BITMAP_WORDS, OP_BYTES_CLEARED, OP_CACHE_FILLS, OP_SPLITS } = counters;
  const { LEFT } = log;
  const { words, machine, parameters, writes, tcache, isAlone } = context;
  const { operations } = machine;
  const { pull } = machine.locks;
  const { ints, doubles } = parameters;
  const { unlinkChunk, pushUnsorted, insertSmall, insertLarge, splitChunk, mallocConsolidate } = bins;
  const { sysmalloc } = systemMalloc;
  const { touchBytes, touchFarBytes } = writes;
  const { note } = context.binLog;
  const unsortedLimit = doubles[TCACHE_UNSORTED_LIMIT]! > 0 ? doubles[TCACHE_UNSORTED_LIMIT]! : Infinity;

  /**
   * _int_malloc(): a chunk of at least `nb` units from `arena` (0: there is none), or 0. `bytes` is what is asked for: it
   * matters for perturb alone.
   */
  function intMalloc(t: number, arena: number, nb: number, bytes: number): number {
    const p = arena === 0 ? sysmalloc(t, nb, 0) : fromArena(t, arena, nb);
    if (ints[PERTURB] !== 0 && p > 0 && bytes > 0) allocPerturb(p, bytes);
    return p < 0 ? -p : p;
  }

  /** alloc_perturb() */
  function allocPerturb(p: number, bytes: number): void {
    operations[OP_BYTES_CLEARED]! += bytes;
    if ((words[p + SIZE]! & MMAPPED) !== 0) touchFarBytes(mappedUnit(words, p) + 1, 0, bytes);
    else touchBytes(words[p + ADDR]! + 1, 0, bytes);
  }

  /** tcache_put() into a bin with room. */
  function cachePut(p: number, bin: number): void {
    words[p + FD] = tcache[bin]!;
    tcache[bin] = p;
    tcache[bin + 1]!--;
  }

  /** tcache_get() */
  function cacheGet(bin: number): number {
    const p = tcache[bin]!;
    tcache[bin] = words[p + FD]!;
    tcache[bin + 1]!++;
    return p;
  }

  /** A chunk that glibc takes from the cache at the end of a search, and so without perturbing it, is negative. */
  function fromArena(t: number, arena: number, nb: number): number {
    const inUse = words[arena + CHUNK_FLAGS]! | INUSE;
    const cacheBin = nb <= MAX_TCACHE_UNITS ? (t << TCACHE_SHIFT) + ((nb - 2) << 1) : NO_TCACHE_BIN;
    let bin: number;

    if (nb < MIN_LARGE_UNITS) {
      // A fastbin of this size: hand out the first chunk, and move others into the cache while it has room.
      if (nb <= ints[MAX_FAST_UNITS]!) {
        const p = popFast(arena + FASTBINS + nb - 2);
        if (p !== 0) {
          const room = tcache[cacheBin + 1]!;
          if (room > 0) fillFromFast(arena + FASTBINS + nb - 2, cacheBin);
          pull(t, words[arena + MUTEX]!, 1 + room - tcache[cacheBin + 1]!);
          return p;
        }
      }
      // The small bin of this size holds exact fits: the same.
      bin = arena + BINS + (nb << 1);
      const victim = words[bin + BK]!;
      if (victim !== bin) {
        const bck = words[victim + BK]!;
        words[bin + BK] = bck;
        words[bck + FD] = bin;
        note(victim | LEFT);
        words[victim + SIZE] = (nb << UNIT_SHIFT) | inUse;
        if (tcache[cacheBin + 1]! > 0) fillFromSmall(bin, cacheBin, (nb << UNIT_SHIFT) | inUse);
        return victim;
      }
    } else {
      // A large request gathers the fastbins first, lest they fragment the heap.
      bin = arena + BINS + (largeBinIndex(nb) << 1);
      if (words[arena + HAVE_FASTCHUNKS] !== 0) mallocConsolidate(t, arena);
    }

    unsortedBinned = 0;
    for (;;) {
      const sorted = sortUnsorted(arena, nb, cacheBin, inUse);
      if (sorted !== 0) return sorted;

      // A large request: the smallest chunk of its own bin that fits, and of equal ones not the one that the list of
      // sizes hangs on.
      if (nb >= MIN_LARGE_UNITS) {
        const first = words[bin + FD]!;
        if (first !== bin && words[first + SIZE]! >>> UNIT_SHIFT >= nb) {
          let victim = words[first + BK_NEXTSIZE]!;
          let size = words[victim + SIZE]! >>> UNIT_SHIFT;
          let steps = 1;
          while (size < nb) {
            victim = words[victim + BK_NEXTSIZE]!;
            size = words[victim + SIZE]! >>> UNIT_SHIFT;
            steps++;
          }
          operations[OP_BIN_SCAN_STEPS]! += steps;
          const next = words[victim + FD]!;
          if (next !== bin && words[next + SIZE] === words[victim + SIZE]) victim = next;
          return takeFromBin(arena, victim, size, nb, inUse, false);
        }
      }

      const larger = searchLargerBins(arena, ((bin - arena - BINS) >> 1) + 1, nb, inUse);
      if (larger !== 0) return larger;

      const top = words[arena + TOP]!;
      const size = words[top + SIZE]! >>> UNIT_SHIFT; // word 0 is 0: without memory there is no top and no size
      if (size >= nb + MIN_UNITS) {
        words[arena + TOP] = splitChunk(arena, top, nb, size - nb);
        words[top + SIZE] = (nb << UNIT_SHIFT) | inUse;
        return top;
      }
      // A free without the lock may have filled a fastbin meanwhile.
      if (words[arena + HAVE_FASTCHUNKS] === 0) return sysmalloc(t, nb, arena);
      mallocConsolidate(t, arena);
    }
  }

  /** Chunks that the running call has taken from the unsorted bin into bins, over all of its passes. */
  let unsortedBinned = 0;

  /** REMOVE_FB */
  function popFast(fastbin: number): number {
    let p = words[fastbin]!;
    if (p === 0 || isAlone || ints[MULTI_THREADED] === 0) {
      if (p !== 0) words[fastbin] = words[p + FD]!;
      return p;
    }
    for (;;) {
      const seen = Atomics.compareExchange(words, fastbin, p, words[p + FD]!);
      if (seen === p || seen === 0) return seen;
      p = seen;
    }
  }

  function fillFromFast(fastbin: number, cacheBin: number): void {
    while (tcache[cacheBin + 1]! > 0) {
      const p = popFast(fastbin);
      if (p === 0) break;
      cachePut(p, cacheBin);
      operations[OP_CACHE_FILLS]!++;
    }
  }

  function fillFromSmall(bin: number, cacheBin: number, sizeWord: number): void {
    while (tcache[cacheBin + 1]! > 0) {
      const p = words[bin + BK]!;
      if (p === bin) break;
      const bck = words[p + BK]!;
      words[p + SIZE] = sizeWord;
      words[bin + BK] = bck;
      words[bck + FD] = bin;
      note(p | LEFT);
      cachePut(p, cacheBin);
      operations[OP_CACHE_FILLS]!++;
    }
  }

  /**
   * Goes through the unsorted bin, oldest first: a chunk that fits exactly is handed out or cached; the last remainder, if
   * it is alone, serves small requests; everything else goes to its bin. Returns a chunk, or 0 to search on.
   */
  function sortUnsorted(arena: number, nb: number, cacheBin: number, inUse: number): number {
    const unsorted = arena + UNSORTED;
    let victim = words[unsorted + BK]!;
    if (victim === unsorted) return 0;
    let cached = false;
    let binned = 0;
    do {
      const bck = words[victim + BK]!;
      const size = words[victim + SIZE]! >>> UNIT_SHIFT;
      if (
        bck === unsorted &&
        nb < MIN_LARGE_UNITS &&
        words[victim + ADDR] === words[arena + LAST_REMAINDER] &&
        size > nb + MIN_UNITS
      ) {
        // What is left stays where it is: alone in the unsorted bin.
        const remainder = splitChunk(arena, victim, nb, size - nb);
        words[victim + SIZE] = (nb << UNIT_SHIFT) | inUse;
        words[arena + LAST_REMAINDER] = words[remainder + ADDR]!;
        words[unsorted + FD] = unsorted;
        words[unsorted + BK] = unsorted;
        note(victim | LEFT);
        pushUnsorted(arena, remainder, size - nb);
        operations[OP_SPLITS]!++;
        operations[OP_BIN_SCAN_STEPS]! += binned + 1;
        return victim;
      }
      words[unsorted + BK] = bck;
      words[bck + FD] = unsorted;
      if (size === nb) {
        note(victim | LEFT);
        words[victim + SIZE] = (size << UNIT_SHIFT) | inUse;
        if (cacheBin < 0 || tcache[cacheBin + 1]! <= 0) {
          operations[OP_BIN_SCAN_STEPS]! += binned + 1;
          return victim;
        }
        cachePut(victim, cacheBin);
        cached = true;
      } else {
        if (size < MIN_LARGE_UNITS) insertSmall(arena, victim, size);
        else insertLarge(arena, victim, size);
        binned++;
        if (cached && unsortedBinned + binned > unsortedLimit) break;
        if (binned >= MAX_ITERS) break;
      }
      victim = words[unsorted + BK]!;
    } while (victim !== unsorted);
    operations[OP_BIN_SCAN_STEPS]! += binned;
    unsortedBinned += binned;
    return cached ? -cacheGet(cacheBin) : 0;
  }

  /** The smallest chunk of the first bin from `index` on that holds one; the binmap tells which bins may. */
  function searchLargerBins(arena: number, index: number, nb: number, inUse: number): number {
    let block = index >> 5;
    let map = words[arena + BINMAP + block]! & (-1 << index);
    operations[OP_BITMAP_WORDS]!++;
    for (;;) {
      while (map === 0) {
        if (++block === 4) return 0;
        map = words[arena + BINMAP + block]!;
      }
      const bit = map & -map;
      const bin = arena + BINS + (((block << 5) + 31 - Math.clz32(bit)) << 1);
      const victim = words[bin + BK]!;
      if (victim !== bin) {
        return takeFromBin(arena, victim, words[victim + SIZE]! >>> UNIT_SHIFT, nb, inUse, nb < MIN_LARGE_UNITS);
      }
      // A false alarm: the bits are cleared here alone.
      words[arena + BINMAP + block]! &= ~bit;
      map &= ~bit;
    }
  }

  /** Takes a chunk out of its bin and gives what is not needed back to the unsorted bin. */
  function takeFromBin(
    arena: number,
    victim: number,
    size: number,
    nb: number,
    inUse: number,
    isLastRemainder: boolean,
  ): number {
    unlinkChunk(victim);
    const rest = size - nb;
    if (rest < MIN_UNITS) {
      words[victim + SIZE] = (size << UNIT_SHIFT) | inUse;
      return victim;
    }
    const remainder = splitChunk(arena, victim, nb, rest);
    words[victim + SIZE] = (nb << UNIT_SHIFT) | inUse;
    pushUnsorted(arena, remainder, rest);
    if (isLastRemainder) words[arena + LAST_REMAINDER] = words[remainder + ADDR]!;
    operations[OP_SPLITS]!++;
    return victim;
  }

  return { intMalloc };
}

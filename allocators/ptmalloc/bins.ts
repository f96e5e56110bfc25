import * as counters from '../../sim/contract/operations.ts';
import * as layout from './arena-layout.ts';
import * as binIndices from './bin-index.ts';
import * as log from './bin-log.ts';
import * as chunk from './chunk.ts';
import type { Context } from './context.ts';

export type Bins = ReturnType<typeof createBins>;

/** The lists of free chunks: taking a chunk out, putting one into the unsorted bin, consolidating the fastbins. */
export function createBins(context: Context) {
  const { OP_BIN_SCAN_STEPS, OP_CONSOLIDATIONS, OP_COALESCES, OP_LIST_INSERTS } = counters;
  const { BINMAP, BINS, FASTBINS, HAVE_FASTCHUNKS, MUTEX, SPARE_RECORDS, TOP, UNSORTED } = layout;
  const { largeBinIndex, MIN_LARGE_UNITS, NFASTBINS } = binIndices;
  const { ADDR, BK, BK_NEXTSIZE, FD, FD_NEXTSIZE, INUSE, NEXT, PREV, SIZE, UNIT_SHIFT } = chunk;
  const { INTO_BIN, INTO_UNSORTED, LEFT } = log;
  const { words, chunks, writes, machine, isAlone } = context;
  const { dropRecord, newRecord } = chunks;
  const { touchLinks, touchUnit } = writes;
  const { note } = context.binLog;
  const { operations } = machine;

  /** unlink_chunk() */
  function unlinkChunk(p: number): void {
    const fd = words[p + FD]!;
    const bk = words[p + BK]!;
    words[fd + BK] = bk;
    words[bk + FD] = fd;
    note(p | LEFT);
    if (words[p + SIZE]! >>> UNIT_SHIFT < MIN_LARGE_UNITS) return;
    const fdNext = words[p + FD_NEXTSIZE]!;
    if (fdNext === 0) return;
    const bkNext = words[p + BK_NEXTSIZE]!;
    if (words[fd + FD_NEXTSIZE] === 0) {
      // The next chunk of the same size takes its place in the list of sizes.
      if (fdNext === p) {
        words[fd + FD_NEXTSIZE] = fd;
        words[fd + BK_NEXTSIZE] = fd;
      } else {
        words[fd + FD_NEXTSIZE] = fdNext;
        words[fd + BK_NEXTSIZE] = bkNext;
        words[fdNext + BK_NEXTSIZE] = fd;
        words[bkNext + FD_NEXTSIZE] = fd;
      }
    } else {
      words[fdNext + BK_NEXTSIZE] = bkNext;
      words[bkNext + FD_NEXTSIZE] = fdNext;
    }
  }

  /** Puts a chunk at the front of the unsorted bin; its header lies on a resident page. */
  function pushUnsorted(arena: number, p: number, units: number): void {
    const unsorted = arena + UNSORTED;
    const first = words[unsorted + FD]!;
    words[p + SIZE] = units << UNIT_SHIFT;
    words[p + FD] = first;
    words[p + BK] = unsorted;
    words[unsorted + FD] = p;
    words[first + BK] = p;
    note(p | INTO_UNSORTED);
    const isLarge = units >= MIN_LARGE_UNITS;
    if (isLarge) {
      words[p + FD_NEXTSIZE] = 0;
      words[p + BK_NEXTSIZE] = 0;
    }
    touchLinks(words[p + ADDR]!, isLarge);
  }

  /**
   * Cuts `p` after `units`; the upper part becomes a record of its own, is returned, and has the size `rest` without any
   * flag. The size of `p` is the caller's to set.
   */
  function splitChunk(arena: number, p: number, units: number, rest: number): number {
    const remainder = newRecord(arena + SPARE_RECORDS);
    const address = words[p + ADDR]! + units;
    const next = words[p + NEXT]!;
    words[remainder + SIZE] = rest << UNIT_SHIFT;
    words[remainder + ADDR] = address;
    words[remainder + PREV] = p;
    words[remainder + NEXT] = next;
    words[p + NEXT] = remainder;
    if (next !== 0) words[next + PREV] = remainder;
    touchUnit(address);
    return remainder;
  }

  /** Makes `lower` reach over its physical successor `upper`, whose record is dropped; sizes are the caller's. */
  function absorb(arena: number, lower: number, upper: number): void {
    const next = words[upper + NEXT]!;
    words[lower + NEXT] = next;
    if (next !== 0) words[next + PREV] = lower;
    dropRecord(arena + SPARE_RECORDS, upper);
  }

  /** Puts a small chunk at the front of its own bin. */
  function pushSmall(arena: number, p: number, units: number): void {
    words[p + SIZE] = units << UNIT_SHIFT;
    insertSmall(arena, p, units);
    touchLinks(words[p + ADDR]!, false);
  }

  function insertSmall(arena: number, p: number, units: number): void {
    const bin = arena + BINS + (units << 1);
    const first = words[bin + FD]!;
    words[arena + BINMAP + (units >> 5)]! |= 1 << units;
    words[p + BK] = bin;
    words[p + FD] = first;
    words[first + BK] = p;
    words[bin + FD] = p;
    note(p | INTO_BIN);
  }

  /** Large bins are sorted by size, largest first; the first chunk of each size is in the list of sizes. */
  function insertLarge(arena: number, p: number, size: number): void {
    const index = largeBinIndex(size);
    const bin = arena + BINS + (index << 1);
    words[arena + BINMAP + (index >> 5)]! |= 1 << index;
    let bck = bin;
    let fwd = words[bin + FD]!;
    if (fwd === bin) {
      words[p + FD_NEXTSIZE] = p;
      words[p + BK_NEXTSIZE] = p;
    } else {
      const last = words[bin + BK]!;
      if (size < words[last + SIZE]! >>> UNIT_SHIFT) {
        // Smaller than the smallest: at the end, without a walk.
        const largest = fwd;
        const smallest = words[largest + BK_NEXTSIZE]!;
        words[p + FD_NEXTSIZE] = largest;
        words[p + BK_NEXTSIZE] = smallest;
        words[smallest + FD_NEXTSIZE] = p;
        words[largest + BK_NEXTSIZE] = p;
        fwd = bin;
        bck = last;
      } else {
        let steps = 0;
        let fwdSize = words[fwd + SIZE]! >>> UNIT_SHIFT;
        while (size < fwdSize) {
          fwd = words[fwd + FD_NEXTSIZE]!;
          fwdSize = words[fwd + SIZE]! >>> UNIT_SHIFT;
          steps++;
        }
        operations[OP_BIN_SCAN_STEPS]! += steps;
        if (size === fwdSize) {
          // Second place among its equals, so that the list of sizes stays as it is.
          words[p + FD_NEXTSIZE] = 0;
          words[p + BK_NEXTSIZE] = 0;
          fwd = words[fwd + FD]!;
        } else {
          const before = words[fwd + BK_NEXTSIZE]!;
          words[p + FD_NEXTSIZE] = fwd;
          words[p + BK_NEXTSIZE] = before;
          words[fwd + BK_NEXTSIZE] = p;
          words[before + FD_NEXTSIZE] = p;
        }
        bck = words[fwd + BK]!;
      }
    }
    words[p + BK] = bck;
    words[p + FD] = fwd;
    words[fwd + BK] = p;
    words[bck + FD] = p;
    note(p | INTO_BIN);
  }

  /**
   * Joins the chunk `p` of `units`, which is in use, with free neighbours, and puts it into the unsorted bin (a small one
   * into its own bin, if `sorts`) or into the top chunk. Returns its units afterwards. The common part of _int_free() and
   * malloc_consolidate().
   */
  function coalesce(arena: number, p: number, units: number, sorts: boolean): number {
    const top = words[arena + TOP]!;
    const next = words[p + NEXT]!;
    const nextSize = words[next + SIZE]!;
    const prev = words[p + PREV]!;
    let chunk = p;
    let size = units;
    let joined = 0;
    if (prev !== 0 && (words[prev + SIZE]! & INUSE) === 0) {
      size += words[prev + SIZE]! >>> UNIT_SHIFT;
      unlinkChunk(prev);
      absorb(arena, prev, p);
      chunk = prev;
      joined = 1;
    }
    if (next === top) {
      size += nextSize >>> UNIT_SHIFT;
      absorb(arena, chunk, next);
      words[chunk + SIZE] = size << UNIT_SHIFT;
      words[arena + TOP] = chunk;
      joined++;
    } else {
      if ((nextSize & INUSE) === 0) {
        unlinkChunk(next);
        size += nextSize >>> UNIT_SHIFT;
        absorb(arena, chunk, next);
        joined++;
      }
      if (sorts && size < MIN_LARGE_UNITS) pushSmall(arena, chunk, size);
      else pushUnsorted(arena, chunk, size);
      operations[OP_LIST_INSERTS]!++;
    }
    operations[OP_COALESCES]! += joined;
    return size;
  }

  /** Empties a fastbin: its first chunk. */
  function takeAll(bin: number): number {
    if (!isAlone) return Atomics.exchange(words, bin, 0);
    const p = words[bin]!;
    words[bin] = 0;
    return p;
  }

  /** malloc_consolidate() */
  function mallocConsolidate(t: number, arena: number): void {
    words[arena + HAVE_FASTCHUNKS] = 0;
    operations[OP_CONSOLIDATIONS]!++;
    let count = 0;
    for (let bin = arena + FASTBINS; bin < arena + FASTBINS + NFASTBINS; bin++) {
      if (words[bin] === 0) continue;
      let p = takeAll(bin);
      while (p !== 0) {
        const next = words[p + FD]!;
        coalesce(arena, p, words[p + SIZE]! >>> UNIT_SHIFT, false);
        p = next;
        count++;
      }
    }
    machine.locks.pull(t, words[arena + MUTEX]!, count);
  }

  return { unlinkChunk, pushUnsorted, insertSmall, insertLarge, splitChunk, absorb, coalesce, mallocConsolidate };
}

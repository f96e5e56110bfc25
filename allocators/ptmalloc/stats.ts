import type { AllocatorStats } from '../../sim/contract/allocator.ts';
import {
  ATTACHED_THREADS,
  BINS,
  FASTBINS,
  MAX_SYSTEM_PAGES,
  NEXT_ARENA,
  NUMBER,
  SYSTEM_PAGES,
  TOP,
} from './arena-layout.ts';
import { NBINS, NFASTBINS } from './bin-index.ts';
import { FD, SIZE, UNIT_BYTES, UNIT_SHIFT } from './chunk.ts';
import { type Context, MAIN_ARENA } from './context.ts';
import type { BinFigures, FollowedBins } from './followed-bins.ts';
import { HEAP_MPROTECT_PAGES, HEAP_PAGES, HEAP_PREV, type Heaps } from './heap.ts';
import {
  MAX_MMAPPED_MEM,
  MAX_N_MMAPS,
  MMAP_THRESHOLD,
  MMAPPED_MEM,
  N_MMAPS,
  NARENAS,
  TRIM_THRESHOLD,
} from './parameters.ts';
import { TCACHE_MAX_BINS, TCACHE_SHIFT } from './tcache.ts';

/** malloc_info() sums sizes with their flag bits: a free chunk's one is PREV_INUSE. */
const PREV_INUSE = 1;

export interface SizeRow extends AllocatorStats {
  readonly from: number;
  readonly to: number;
  readonly total: number;
  readonly count: number;
}

/** One arena as malloc_info() prints it, under its names. */
export interface HeapStats extends AllocatorStats {
  readonly nr: number;
  readonly number: number;
  readonly attachedThreads: number;
  readonly sizes: readonly SizeRow[];
  readonly unsorted: SizeRow | null;
  readonly fast: { readonly count: number; readonly size: number };
  readonly rest: { readonly count: number; readonly size: number };
  readonly system: { readonly current: number; readonly max: number };
  readonly aspace: { readonly total: number; readonly mprotect: number; readonly subheaps: number | null };
  /** What malloc_stats() prints of it. */
  readonly inUse: number;
}

/** mallinfo2() by its field names, `heaps` as malloc_info() lists them, and what lies beyond both. */
export interface GlibcStats extends AllocatorStats {
  readonly arena: number;
  readonly ordblks: number;
  readonly smblks: number;
  readonly hblks: number;
  readonly hblkhd: number;
  readonly usmblks: number;
  readonly fsmblks: number;
  readonly uordblks: number;
  readonly fordblks: number;
  readonly keepcost: number;
  readonly heaps: readonly HeapStats[];
  readonly mmap: { readonly count: number; readonly size: number; readonly maxCount: number; readonly maxSize: number };
  readonly narenas: number;
  readonly mmapThreshold: number;
  readonly trimThreshold: number;
  readonly tcaches: number;
  readonly tcacheChunks: number;
  readonly tcacheBytes: number;
}

export function createStats(context: Context, heapsApi: Heaps, followed: FollowedBins): () => GlibcStats {
  const { words, parameters, tcache, tcacheChunk } = context;
  const { ints, doubles } = parameters;
  const { heaps, heapOf } = heapsApi;

  const bytesOf = (p: number): number => (words[p + SIZE]! >>> UNIT_SHIFT) * UNIT_BYTES;

  function walkBin(arena: number, i: number): BinFigures {
    const bin = arena + BINS + 2 * i;
    let count = 0;
    let units = 0;
    let smallest = Infinity;
    let largest = 0;
    for (let p = words[bin + FD]!; p !== bin; p = words[p + FD]!) {
      const size = words[p + SIZE]! >>> UNIT_SHIFT;
      count++;
      units += size;
      smallest = Math.min(smallest, size);
      largest = Math.max(largest, size);
    }
    return { count, units, smallest, largest };
  }

  function heapStats(arena: number, nr: number): HeapStats & { readonly avail: number; readonly blocks: number } {
    const isFollowed = followed.isCurrent();
    const sizes: SizeRow[] = [];
    const fast = { count: 0, size: 0 };
    for (let i = 0; i < NFASTBINS; i++) {
      let count = 0;
      for (let p = words[arena + FASTBINS + i]!; p !== 0; p = words[p + FD]!) count++;
      if (count === 0) continue;
      const size = (i + 2) * UNIT_BYTES;
      sizes.push({ from: size - 15, to: size, total: count * size, count });
      fast.count += count;
      fast.size += count * size;
    }
    const top = words[arena + TOP]!;
    const topBytes = top === 0 ? 0 : bytesOf(top);
    let blocks = 1; // the top always exists
    let withFlags = topBytes;
    let avail = topBytes;
    let unsorted: SizeRow | null = null;
    for (let i = 1; i < NBINS; i++) {
      const { count, units, smallest, largest } = isFollowed ? followed.binFigures(arena, i) : walkBin(arena, i);
      if (count === 0) continue;
      const total = units * UNIT_BYTES + count * PREV_INUSE;
      const row = {
        from: smallest * UNIT_BYTES + PREV_INUSE,
        to: largest * UNIT_BYTES + PREV_INUSE,
        total,
        count,
      };
      if (i === 1) unsorted = row;
      else sizes.push(row);
      blocks += count;
      withFlags += total;
      avail += total - count * PREV_INUSE;
    }
    const system = words[arena + SYSTEM_PAGES]! * 4096;
    const aspace =
      arena === MAIN_ARENA ? { total: system, mprotect: system, subheaps: null } : addressSpace(heapOf(top));
    return {
      nr,
      number: words[arena + NUMBER]!,
      attachedThreads: words[arena + ATTACHED_THREADS]!,
      sizes,
      unsorted,
      fast,
      rest: { count: blocks, size: withFlags },
      system: { current: system, max: words[arena + MAX_SYSTEM_PAGES]! * 4096 },
      aspace,
      inUse: system - avail - fast.size,
      avail: avail + fast.size,
      blocks,
    };
  }

  function addressSpace(lastHeap: number): { total: number; mprotect: number; subheaps: number } {
    let total = 0;
    let mprotect = 0;
    let subheaps = 0;
    for (let heap = lastHeap; heap !== 0; heap = heaps[heap + HEAP_PREV]!) {
      total += heaps[heap + HEAP_PAGES]! * 4096;
      mprotect += heaps[heap + HEAP_MPROTECT_PAGES]! * 4096;
      subheaps++;
    }
    return { total, mprotect, subheaps };
  }

  function cached(): { tcaches: number; tcacheChunks: number; tcacheBytes: number } {
    const sum = { tcaches: 0, tcacheChunks: 0, tcacheBytes: 0 };
    for (let t = 0; t < tcacheChunk.length; t++) {
      if (tcacheChunk[t] === 0) continue;
      sum.tcaches++;
      for (let bin = 0; bin < TCACHE_MAX_BINS; bin++) {
        for (let p = tcache[(t << TCACHE_SHIFT) + 2 * bin]!; p !== 0; p = words[p + FD]!) {
          sum.tcacheChunks++;
          sum.tcacheBytes += bytesOf(p);
        }
      }
    }
    return sum;
  }

  return function stats(): GlibcStats {
    const list: HeapStats[] = [];
    const sum = { arena: 0, ordblks: 0, smblks: 0, fsmblks: 0, uordblks: 0, fordblks: 0 };
    let arena = MAIN_ARENA;
    do {
      const { avail, blocks, ...row } = heapStats(arena, list.length);
      list.push(row as HeapStats);
      sum.arena += row.system.current;
      sum.ordblks += blocks;
      sum.smblks += row.fast.count;
      sum.fsmblks += row.fast.size;
      sum.fordblks += avail;
      sum.uordblks += row.system.current - avail;
      arena = words[arena + NEXT_ARENA]!;
    } while (arena !== MAIN_ARENA);
    const mainTop = words[MAIN_ARENA + TOP]!;
    return {
      ...sum,
      hblks: ints[N_MMAPS]!,
      hblkhd: doubles[MMAPPED_MEM]!,
      usmblks: 0,
      keepcost: mainTop === 0 ? 0 : bytesOf(mainTop),
      heaps: list,
      mmap: {
        count: ints[N_MMAPS]!,
        size: doubles[MMAPPED_MEM]!,
        maxCount: ints[MAX_N_MMAPS]!,
        maxSize: doubles[MAX_MMAPPED_MEM]!,
      },
      narenas: ints[NARENAS]!,
      mmapThreshold: doubles[MMAP_THRESHOLD]!,
      trimThreshold: doubles[TRIM_THRESHOLD]!,
      ...cached(),
    };
  };
}

import type { AllocatorStats, ThreadSlot } from '../../sim/contract/allocator.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { Kernel } from '../../sim/kernel/kernel.ts';
import {
  CACHED_CHUNKS_COUNT,
  CHUNK_PAGES,
  CHUNKS_COUNT,
  GC_RUNS,
  HUGE_PAGES_COUNT,
  heapBase,
  PEAK_CHUNKS_COUNT,
  REAL_PEAK,
  REAL_SIZE,
  REQUESTS,
  SLOT_SHIFT_WORDS,
  START_PAGE,
  type ZendState,
} from './layout.ts';
import { cachedChunksOf, chunksOf, heapThreads, hugeBlocksOf } from './walk.ts';

/** One heap's numbers: usage to real_peak as memory_get_usage() and memory_get_peak_usage() return them. */
export function heapStats(state: ZendState, t: ThreadSlot): AllocatorStats {
  const { heaps, sizes, peaks, averages, slots, machine } = state;
  const { residency } = machine.kernel;
  const heap = heapBase(t);
  const chunks = [...chunksOf(state, t), ...cachedChunksOf(state, t)];
  const huge = hugeBlocksOf(state, t);
  let rssPages = 0;
  let hugePages = 0;
  for (const slot of [...chunks, ...huge]) {
    const record = slot << SLOT_SHIFT_WORDS;
    const start = slots[record + START_PAGE]!;
    const pages = slots[record + HUGE_PAGES_COUNT]! || CHUNK_PAGES;
    rssPages += residency.residentIn(start, start + pages);
    hugePages += slots[record + HUGE_PAGES_COUNT]!;
  }
  return {
    thread: t,
    usage: sizes[t]! * 8,
    real_usage: heaps[heap + REAL_SIZE]! * 4096,
    peak: peaks[t]! * 8,
    real_peak: heaps[heap + REAL_PEAK]! * 4096,
    chunks: heaps[heap + CHUNKS_COUNT]!,
    peak_chunks: heaps[heap + PEAK_CHUNKS_COUNT]!,
    cached_chunks: heaps[heap + CACHED_CHUNKS_COUNT]!,
    avg_chunks: averages[t]!,
    huge_blocks: huge.length,
    huge_bytes: hugePages * 4096,
    mapped: (chunks.length * CHUNK_PAGES + hugePages) * 4096,
    rss: rssPages * 4096,
    resident: rssPages * 4096,
    gc_runs: heaps[heap + GC_RUNS]!,
    requests: heaps[heap + REQUESTS]!,
  };
}

export const allHeapStats = (state: ZendState): AllocatorStats[] => heapThreads(state).map((t) => heapStats(state, t));

/** The sum of one number over the heaps. */
export function sumOf(heaps: readonly AllocatorStats[], name: string): Bytes {
  return heaps.reduce((sum, heap) => sum + (heap[name] as number), 0);
}

/**
 * What PHP tells of itself, summed over its heaps, beside what the process really has: memory that libraries take by
 * malloc is in `process_rss` and in nothing that PHP shows.
 */
export function phpNumbers(kernel: Kernel, heaps: readonly AllocatorStats[]): AllocatorStats {
  const processRss = kernel.residency.residentPages() * 4096;
  const processMapped = kernel.mappedPages() * 4096;
  return {
    memory_get_usage: sumOf(heaps, 'usage'),
    memory_get_usage_real: sumOf(heaps, 'real_usage'),
    memory_get_peak_usage: sumOf(heaps, 'peak'),
    memory_get_peak_usage_real: sumOf(heaps, 'real_peak'),
    heaps_mapped: sumOf(heaps, 'mapped'),
    heaps_rss: sumOf(heaps, 'resident'),
    process_mapped: processMapped,
    process_rss: processRss,
    /** Resident, and not in any Zend heap: what memory_get_usage() and memory_limit do not see. */
    unseen_rss: processRss - sumOf(heaps, 'resident'),
    heaps,
  };
}

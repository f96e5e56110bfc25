import type { WordSink } from '../../sim/contract/allocator.ts';
import { createAlikePlaces } from './alike-places.ts';
import {
  ATTACHED_THREADS,
  BINMAP,
  BINS,
  FASTBINS,
  FLAGS,
  HAVE_FASTCHUNKS,
  LAST_REMAINDER,
  NEXT_FREE,
  NUMBER,
  SYSTEM_PAGES,
  TOP,
} from './arena-layout.ts';
import { NBINS, NFASTBINS } from './bin-index.ts';
import { ADDR, BK, FD, NEXT, SIZE } from './chunk.ts';
import { type Context, MAPPED_LIST } from './context.ts';
import type { Heaps } from './heap.ts';
import {
  FREE_LIST,
  MAX_MMAPPED_MEM,
  MAX_N_MMAPS,
  MMAPPED_GUARD,
  MMAPPED_LIST,
  NEXT_TO_USE,
  SEGMENT_COUNT,
} from './parameters.ts';
import { SEGMENT_PAGE, type SystemMalloc } from './sysmalloc.ts';
import { TCACHE_MAX_BINS, TCACHE_SHIFT } from './tcache.ts';
import type { Walking } from './walk.ts';

/** Words of `ints` that are indices of records or arenas, or that only statistics read. */
const NOT_AS_THEY_ARE: ReadonlySet<number> = new Set([
  FREE_LIST,
  NEXT_TO_USE,
  MAX_N_MMAPS,
  MMAPPED_LIST,
  MMAPPED_GUARD,
]);

/**
 * The heap as glibc itself has it: addresses, sizes and the order of lists. Which record stands for which chunk is this model's own
 * matter and decides nothing, so two heaps that differ in that alone give the same words; nor do high-water marks.
 */
export function createDecidingState(context: Context, heapsApi: Heaps, systemMalloc: SystemMalloc, walking: Walking) {
  const { words, parameters, threadArena, tcache, tcacheChunk } = context;
  const { ints, doubles } = parameters;
  const { segments } = systemMalloc;
  const { heaps, heapWords } = heapsApi;
  const alikePlaces = createAlikePlaces(context, heapsApi, walking);

  const numberOf = (arena: number): number => (arena === 0 ? -1 : words[arena + NUMBER]!);
  const addressOf = (p: number): number => (p === 0 ? 0 : words[p + ADDR]!);

  /** A list linked through FD, up to `end`. */
  function list(sink: WordSink, first: number, end: number): void {
    for (let p = first; p !== end; p = words[p + FD]!) sink(words[p + ADDR]!);
    sink(-1);
  }

  function arena(sink: WordSink, a: number): void {
    for (const word of [NUMBER, FLAGS, HAVE_FASTCHUNKS, ATTACHED_THREADS, SYSTEM_PAGES]) sink(words[a + word]!);
    for (let i = 0; i < 4; i++) sink(words[a + BINMAP + i]!);
    sink(addressOf(words[a + TOP]!));
    sink(numberOf(words[a + NEXT_FREE]!));
    for (let i = 0; i < NFASTBINS; i++) list(sink, words[a + FASTBINS + i]!, 0);
  }

  function bins(sink: WordSink, a: number): void {
    for (let i = 1; i < NBINS; i++) {
      const bin = a + BINS + 2 * i;
      if (words[bin + FD] === bin) continue;
      sink(i);
      list(sink, words[bin + FD]!, bin);
    }
    sink(words[a + LAST_REMAINDER]!);
  }

  function threads(sink: WordSink): void {
    for (let t = 0; t < threadArena.length; t++) {
      sink(numberOf(threadArena[t]!));
      const cache = tcacheChunk[t]!;
      sink(addressOf(cache));
      if (cache === 0) continue;
      for (let bin = 0; bin < TCACHE_MAX_BINS; bin++) {
        const at = (t << TCACHE_SHIFT) + 2 * bin;
        sink(tcache[at + 1]!);
        list(sink, tcache[at]!, 0);
      }
    }
  }

  function mappedChunks(sink: WordSink): void {
    const found: number[] = [];
    for (let p = words[MAPPED_LIST]!; p !== 0; p = words[p + NEXT]!) found.push(p);
    found.sort((x, y) => words[x + ADDR]! - words[y + ADDR]!);
    for (const p of found) {
      sink(words[p + ADDR]!);
      sink(words[p + FD]!);
      sink(words[p + BK]!);
    }
    sink(-1);
  }

  return function decidingState(sink: WordSink, keepsLive = false): boolean {
    for (const [i, value] of ints.entries()) sink(NOT_AS_THEY_ARE.has(i) ? 0 : value);
    sink(numberOf(ints[FREE_LIST]!));
    sink(numberOf(ints[NEXT_TO_USE]!));
    const asWords = new Int32Array(doubles.buffer, doubles.byteOffset, doubles.length * 2);
    for (const [i, value] of asWords.entries()) sink(i >> 1 === MAX_MMAPPED_MEM ? 0 : value);
    const binsOf = keepsLive ? alikePlaces() : bins;
    walking.eachArena((a) => {
      arena(sink, a);
      binsOf(sink, a);
    });
    for (let heap = heapWords; heap < heaps.length; heap += heapWords) {
      if (heaps[heap] === 0) continue;
      sink(heap);
      sink(numberOf(heaps[heap]!));
      for (let i = 1; i <= 4; i++) sink(heaps[heap + i]!);
    }
    for (let i = 0; i < ints[SEGMENT_COUNT]!; i++) sink(segments[2 * i + SEGMENT_PAGE]!);
    walking.eachArea((area) => {
      sink(area.startUnit);
      sink(addressOf(area.first));
      for (let p = area.first; p !== 0; p = words[p + NEXT]!) sink(words[p + SIZE]!);
    });
    threads(sink);
    mappedChunks(sink);
    return true;
  };
}

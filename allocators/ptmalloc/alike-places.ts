import type { WordSink } from '../../sim/contract/allocator.ts';
import { RESIDENT } from '../../sim/kernel/residency.ts';
import { BINS, LAST_REMAINDER } from './arena-layout.ts';
import { NBINS } from './bin-index.ts';
import { ADDR, FD, INUSE, LG_RECORD_WORDS, NEXT, PAGE_UNIT_SHIFT, PREV, SIZE, UNIT_SHIFT } from './chunk.ts';
import type { Context } from './context.ts';
import { HEAP_ARENA, HEAP_FENCEPOST, type Heaps } from './heap.ts';
import { IN_USE, IS_TCACHE, type Walking } from './walk.ts';

// Where live blocks stay for good, a free chunk between two of them is a place of its own: what is carved from it goes back to it, and no neighbour
// ever joins. Two such places of one size in one arena, with all pages resident, differ in their addresses alone, and glibc compares no addresses (but with
// last_remainder): its bins go by sizes and by the order of frees. So of two heaps that are alike but for
//
//   bin of 1921 units   ─► place at 0x…a0 ─► place at 0x…c8          one
//                       ─► place at 0x…c8 ─► place at 0x…a0          the other
//
// each does what the other does, with the one address for the other: both feed the sizes.

/** Feeds the bins of an arena, and its last_remainder, with such places told by their sizes. */
export function createAlikePlaces(context: Context, { heaps, heapWords }: Heaps, walking: Walking) {
  const { words } = context;
  const { pages } = context.machine.kernel;

  return function alikePlaces(): (sink: WordSink, arena: number) => void {
    const inUse = walking.states();
    const fenceposts = new Set<number>();
    for (let heap = heapWords; heap < heaps.length; heap += heapWords)
      if (heaps[heap + HEAP_ARENA] !== 0) fenceposts.add(heaps[heap + HEAP_FENCEPOST]!);

    /** What is in a cache or a fastbin may be joined to its neighbours, and so may the fencepost of a heap whose successor goes. */
    const stays = (p: number): boolean => {
      if (p === 0 || (words[p + SIZE]! & INUSE) === 0) return false;
      const state = inUse[p >>> LG_RECORD_WORDS]!;
      return (state === IN_USE || state === IS_TCACHE) && words[p + NEXT] !== 0 && !fenceposts.has(p);
    };

    const isPlace = (p: number): boolean => {
      const behind = words[p + NEXT]!;
      if (!stays(words[p + PREV]!) || !stays(behind)) return false;
      const last = words[behind + ADDR]! >> PAGE_UNIT_SHIFT;
      for (let page = words[p + ADDR]! >> PAGE_UNIT_SHIFT; page <= last; page++)
        if (pages[page] !== RESIDENT) return false;
      return true;
    };

    return (sink, arena) => {
      const remainder = words[arena + LAST_REMAINDER]!;
      let remainderPlace = 0; // 0: in no place
      let places = 0;
      for (let i = 1; i < NBINS; i++) {
        const bin = arena + BINS + 2 * i;
        if (words[bin + FD] === bin) continue;
        sink(i);
        for (let p = words[bin + FD]!; p !== bin; p = words[p + FD]!) {
          if (!isPlace(p)) {
            sink(words[p + ADDR]!);
            continue;
          }
          const units = words[p + SIZE]! >>> UNIT_SHIFT;
          sink(-1 - units);
          places++;
          const offset = remainder - words[p + ADDR]!;
          if (offset < 0 || offset >= units) continue;
          remainderPlace = places;
          sink(offset);
        }
        sink(-1);
      }
      sink(remainderPlace === 0 ? remainder : -1 - remainderPlace);
    };
  };
}

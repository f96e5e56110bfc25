import { MADV_DONTNEED } from '../../sim/kernel/kernel.ts';
import { BINS, MUTEX, NEXT_ARENA, SYSTEM_PAGES, TOP, UNSORTED } from './arena-layout.ts';
import { largeBinIndex, NBINS } from './bin-index.ts';
import type { Bins } from './bins.ts';
import { ADDR, BK, MIN_UNITS, PAGE_UNIT_SHIFT, PAGE_UNITS, SIZE, UNIT_BYTES, UNIT_SHIFT } from './chunk.ts';
import { type Context, MAIN_ARENA } from './context.ts';
import type { Morecore } from './morecore.ts';
import { THP_PAGES } from './parameters.ts';

/** Units of struct malloc_chunk: what mtrim() leaves at the start of a free chunk. */
const MALLOC_CHUNK_UNITS = 3;

export type Trim = ReturnType<typeof createTrim>;

/** Giving memory back: the top of the main heap, and whole pages inside free chunks. */
export function createTrim(context: Context, bins: Bins, morecoreApi: Morecore) {
  const { words, machine, parameters } = context;
  const { kernel } = machine;
  const { acquire, release } = machine.locks;
  const { ints } = parameters;
  const { mallocConsolidate } = bins;
  const { morecore } = morecoreApi;

  /** systrim(): gives the end of the main heap back, all but `pad` bytes of it and a page or so. */
  function sysTrim(t: number, arena: number, pad: number): boolean {
    const top = words[arena + TOP]!;
    const granule = ints[THP_PAGES] || 1;
    if (top === 0) {
      // A top of no size counts as huge here, in size_t; glibc then finds that the break is not where it should be.
      morecore(t, 0);
      return false;
    }
    const units = words[top + SIZE]! >>> UNIT_SHIFT;
    const area = (units - MIN_UNITS) * UNIT_BYTES - 1;
    // glibc compares as size_t: a top of the least size passes, `extra` is negative, and the heap grows by as much.
    if (area >= 0 && area <= pad) return false;
    const extra = Math.floor((area - pad) / (4096 * granule)) * granule;
    if (extra === 0) return false;

    // Only where the end of memory is where it was left: another part of the program may have moved the break.
    const end = morecore(t, 0);
    if (end << PAGE_UNIT_SHIFT !== words[top + ADDR]! + units) return false;
    morecore(t, -extra);
    const released = end - morecore(t, 0);
    if (released === 0) return false;
    words[arena + SYSTEM_PAGES]! -= released;
    words[top + SIZE] = (units - (released << PAGE_UNIT_SHIFT)) << UNIT_SHIFT;
    return true;
  }

  /** mtrim(): gives back every whole page inside the free chunks of an arena. */
  function mtrim(t: number, arena: number, pad: number): boolean {
    mallocConsolidate(t, arena);
    let released = false;
    const firstBin = largeBinIndex(PAGE_UNITS);
    for (let i = 1; i < NBINS; i = i === 1 ? firstBin : i + 1) {
      const bin = i === 1 ? arena + UNSORTED : arena + BINS + 2 * i;
      for (let p = words[bin + BK]!; p !== bin; p = words[p + BK]!) {
        const start = words[p + ADDR]!;
        // The fence is unit 2^31: a chunk may end there.
        const end = start + (words[p + SIZE]! >>> UNIT_SHIFT);
        const firstPage = (start + MALLOC_CHUNK_UNITS + PAGE_UNITS - 1) >>> PAGE_UNIT_SHIFT;
        const pages = (end >>> PAGE_UNIT_SHIFT) - firstPage;
        if (pages > 0) {
          kernel.madvise(t, firstPage, pages, MADV_DONTNEED);
          released = true;
        }
      }
    }
    const shrunk = arena === MAIN_ARENA && sysTrim(t, arena, pad);
    return released || shrunk;
  }

  /** malloc_trim() */
  function mallocTrim(t: number, pad: number): boolean {
    let released = false;
    let arena = MAIN_ARENA;
    do {
      acquire(t, words[arena + MUTEX]!);
      if (mtrim(t, arena, pad)) released = true;
      release(t, words[arena + MUTEX]!);
      arena = words[arena + NEXT_ARENA]!;
    } while (arena !== MAIN_ARENA);
    return released;
  }

  return { sysTrim, mallocTrim };
}

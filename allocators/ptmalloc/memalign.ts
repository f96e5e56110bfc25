import { realAddress } from '../../sim/kernel/layout.ts';
import * as layout from './arena-layout.ts';
import type { Bins } from './bins.ts';
import * as chunk from './chunk.ts';
import type { Context } from './context.ts';
import type { IntFree } from './int-free.ts';
import type { IntMalloc } from './int-malloc.ts';
import type { Mapped } from './mapped.ts';

export type Memalign = ReturnType<typeof createMemalign>;

export function createMemalign(context: Context, bins: Bins, mapped: Mapped, inner: IntMalloc & IntFree) {
  const { CHUNK_FLAGS, TOP } = layout;
  const { ADDR, INUSE, mappedUnit, MIN_UNITS, MMAPPED, NEXT, SIZE, UNIT_BYTES, UNIT_SHIFT } = chunk;
  const { words } = context;
  const { splitChunk } = bins;
  const { intMalloc, intFree, mergeChunk, joinChunk } = inner;
  const { memalignFromCache } = context.features;

  /**
   * _int_memalign(): a chunk of `nb` units whose memory lies at a multiple of `align` units, a power of two of at least 2.
   * Asks for the worst case and gives back what lies before and behind.
   */
  function intMemalign(t: number, arena: number, align: number, nb: number): number {
    // nb + alignment + MINSIZE as a request of bytes, so it gets a header of its own.
    const wanted = nb + align + MIN_UNITS;
    let p = intMalloc(t, arena, wanted + 1, wanted * UNIT_BYTES);
    if (p === 0) return 0;
    // The real address: the break of the real process does not start at a multiple of the same powers of two.
    const isMapped = (words[p + SIZE]! & MMAPPED) !== 0;
    const unit = isMapped ? mappedUnit(words, p) : words[p + ADDR]!;
    const memory = realAddress((unit + 1) * UNIT_BYTES) / UNIT_BYTES;
    if (memory % align !== 0) {
      let lead = Math.ceil(memory / align) * align - memory;
      if (lead < MIN_UNITS) lead += align;
      if (isMapped) {
        mapped.startLater(p, lead);
        return p;
      }
      const flags = words[arena + CHUNK_FLAGS]! | INUSE;
      const units = (words[p + SIZE]! >>> UNIT_SHIFT) - lead;
      const aligned = splitChunk(arena, p, lead, units);
      words[aligned + SIZE] = (units << UNIT_SHIFT) | flags;
      words[p + SIZE] = (lead << UNIT_SHIFT) | flags;
      if (memalignFromCache) mergeChunk(t, arena, p, lead);
      else intFree(t, arena, p, true);
      p = aligned;
    }
    if (!isMapped) giveBackEnd(t, arena, p, nb);
    return p;
  }

  /** Frees what lies behind the `nb` units that are needed. */
  function giveBackEnd(t: number, arena: number, p: number, nb: number): void {
    const flags = words[arena + CHUNK_FLAGS]! | INUSE;
    const rest = (words[p + SIZE]! >>> UNIT_SHIFT) - nb;
    if (memalignFromCache) {
      // Also a rest that is too small for a chunk, where it can be joined with what follows.
      const next = words[p + NEXT]!;
      const joins = next === words[arena + TOP] || (words[next + SIZE]! & INUSE) === 0;
      if (rest === 0 || (rest < MIN_UNITS && !joins)) return;
      const remainder = splitChunk(arena, p, nb, rest);
      words[p + SIZE] = (nb << UNIT_SHIFT) | flags;
      joinChunk(t, arena, remainder, rest);
    } else if (rest > MIN_UNITS) {
      const remainder = splitChunk(arena, p, nb, rest);
      words[remainder + SIZE] = (rest << UNIT_SHIFT) | flags;
      words[p + SIZE] = (nb << UNIT_SHIFT) | flags;
      intFree(t, arena, remainder, true);
    }
  }

  return { intMemalign };
}

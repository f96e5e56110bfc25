import * as counters from '../../sim/contract/operations.ts';
import type { Arenas } from './arena.ts';
import * as layout from './arena-layout.ts';
import type { Bins } from './bins.ts';
import * as chunk from './chunk.ts';
import type { Context } from './context.ts';
import type { IntFree } from './int-free.ts';
import type { IntMalloc } from './int-malloc.ts';
import type { Malloc } from './malloc.ts';
import type { Mapped } from './mapped.ts';
import * as par from './parameters.ts';

export type Realloc = ReturnType<typeof createRealloc>;

export function createRealloc(
  context: Context,
  bins: Bins,
  mapped: Mapped,
  arenas: Arenas,
  inner: IntMalloc & IntFree,
  front: Pick<Malloc, 'malloc' | 'initCache' | 'usableSize'>,
) {
  const { OP_BYTES_COPIED } = counters;
  const { CHUNK_FLAGS, MUTEX, TOP } = layout;
  const {
    ADDR,
    INUSE,
    mappedUnit,
    mappedUnits,
    MIN_UNITS,
    MMAPPED,
    NEXT,
    requestUnits,
    RESIDENT_UNITS,
    SIZE,
    UNIT_BYTES,
    UNIT_SHIFT,
  } = chunk;
  const { MULTI_THREADED } = par;
  const { words, machine, parameters, writes, tcacheChunk } = context;
  const { operations } = machine;
  const { acquire, release } = machine.locks;
  const { ints } = parameters;
  const { unlinkChunk, absorb, splitChunk } = bins;
  const { touchFarBytes, readBytes } = writes;
  const { intMalloc, intFree } = inner;
  const { reallocKeepsClose } = context.features;

  const unitOf = (p: number): number => ((words[p + SIZE]! & MMAPPED) !== 0 ? mappedUnit(words, p) : words[p + ADDR]!);

  /** memcpy() of `bytes` between the memory of two chunks; where the target is small, so is the source. */
  function copy(from: number, to: number, bytes: number): void {
    operations[OP_BYTES_COPIED]! += bytes;
    if (words[to + SIZE]! >>> UNIT_SHIFT <= RESIDENT_UNITS) return;
    readBytes(unitOf(from) + 1, 0, bytes);
    touchFarBytes(unitOf(to) + 1, 0, bytes);
  }

  /** realloc() of a live block to more than 0 bytes; 0 where it fails and the block stays. */
  function realloc(t: number, p: number, bytes: number): number {
    if (reallocKeepsClose) {
      const excess = front.usableSize(p) - bytes;
      if (excess >= 0 && (excess < UNIT_BYTES || ((words[p + SIZE]! & MMAPPED) !== 0 && excess <= 4096))) return p;
    }
    const nb = requestUnits(bytes);
    if ((words[p + SIZE]! & MMAPPED) !== 0) return reallocMapped(t, p, nb, bytes);
    if (tcacheChunk[t] === 0) front.initCache(t);
    const arena = arenas.arenaForChunk(p);
    if (ints[MULTI_THREADED] === 0) return intRealloc(t, arena, p, nb);
    acquire(t, words[arena + MUTEX]!);
    const moved = intRealloc(t, arena, p, nb);
    release(t, words[arena + MUTEX]!);
    if (moved !== 0) return moved;
    // Another arena may have room.
    const other = front.malloc(t, bytes);
    if (other !== 0) {
      copy(p, other, (words[p + SIZE]! >>> UNIT_SHIFT) * UNIT_BYTES - 8);
      intFree(t, arena, p, false);
    }
    return other;
  }

  function reallocMapped(t: number, p: number, nb: number, bytes: number): number {
    if (mapped.mremapChunk(t, p, nb)) return p;
    const units = mappedUnits(words, p);
    if (units > nb) return p;
    const other = front.malloc(t, bytes);
    if (other === 0) return 0;
    copy(p, other, (units - 1) * UNIT_BYTES);
    mapped.munmapChunk(t, p);
    return other;
  }

  /** _int_realloc() */
  function intRealloc(t: number, arena: number, p: number, nb: number): number {
    const flags = words[arena + CHUNK_FLAGS]! | INUSE;
    const oldUnits = words[p + SIZE]! >>> UNIT_SHIFT;
    let units = oldUnits;
    if (oldUnits < nb) {
      const top = words[arena + TOP]!;
      const next = words[p + NEXT]!;
      const nextSize = words[next + SIZE]!;
      units = oldUnits + (nextSize >>> UNIT_SHIFT);
      if (next === top) {
        if (units >= nb + MIN_UNITS) {
          absorb(arena, p, next);
          words[arena + TOP] = splitChunk(arena, p, nb, units - nb);
          words[p + SIZE] = (nb << UNIT_SHIFT) | flags;
          return p;
        }
        units = 0;
      } else if ((nextSize & INUSE) === 0 && units >= nb) {
        unlinkChunk(next);
        absorb(arena, p, next);
      } else {
        units = 0;
      }
      if (units === 0) {
        const other = intMalloc(t, arena, nb, nb * UNIT_BYTES - 15);
        if (other === 0) return 0;
        if (words[other + ADDR] !== words[p + ADDR]! + oldUnits || (words[other + SIZE]! & MMAPPED) !== 0) {
          copy(p, other, oldUnits * UNIT_BYTES - 8);
          intFree(t, arena, p, true);
          return other;
        }
        // The new chunk lies right behind the old one: no copy.
        units = oldUnits + (words[other + SIZE]! >>> UNIT_SHIFT);
        absorb(arena, p, other);
      }
    }

    const rest = units - nb;
    if (rest < MIN_UNITS) {
      words[p + SIZE] = (units << UNIT_SHIFT) | flags;
      return p;
    }
    const remainder = splitChunk(arena, p, nb, rest);
    words[p + SIZE] = (nb << UNIT_SHIFT) | flags;
    words[remainder + SIZE] = (rest << UNIT_SHIFT) | flags;
    intFree(t, arena, remainder, true);
    return p;
  }

  return { realloc };
}

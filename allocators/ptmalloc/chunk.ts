import { UserError } from '../../sim/contract/assert.ts';
import type { Memory } from '../../sim/contract/memory.ts';

// The boundary-tagged chunk of glibc as one record of eight int32: a heap image would need a cell for each of its words,
// and a lookup for each neighbour.
//
//   record ─► ┌──────┬──────┬──────┬──────┬─────────────┬─────────────┬──────┬──────┐
//             │ SIZE │ ADDR │  FD  │  BK  │ FD_NEXTSIZE │ BK_NEXTSIZE │ PREV │ NEXT │
//             └──────┴──────┴──────┴──────┴─────────────┴─────────────┴──────┴──────┘
//
// SIZE         units << UNIT_SHIFT | NON_MAIN | MMAPPED | INUSE; a unit is 16 bytes, MALLOC_ALIGNMENT
// ADDR         simulated address of the chunk (not of its memory) / 16
// FD, BK       neighbours in a bin; FD alone in a fastbin, in a thread cache, in the list of spare records
// …_NEXTSIZE   neighbours in the list of first chunks of each size; 0 where glibc has NULL
// PREV, NEXT   physical neighbours; 0 at the ends of a contiguous area
//
// A chunk is named by the index of its first word: a multiple of 8. In glibc the bit that says whether a chunk is in use
// lies in the chunk behind it; here it lies in its own record (INUSE), which saves a write to a third record on most
// paths. A chunk in a fastbin or a thread cache is in use, as there. A free chunk in a bin has no bit set at all, so SIZE
// alone orders chunks by size. The top chunk has no bit set either.
//
// The factories of this folder copy the constants that they use into constants of their own: an imported one is loaded and
// checked at every use, a local one is folded into the code.
//
// A mapped chunk has SIZE = MMAPPED_SIZE; its units lie in FD, its distance from the start of the mapping (prev_size in
// glibc) in BK, both in units, and PREV, NEXT link all mapped chunks. Where the mapping lies in the far area (sim/kernel/far-area.ts),
// whose addresses have no room here, ADDR is its first page, negated, and FD its pages; mappedUnit() and mappedUnits() know both.
export const SIZE = 0;
export const ADDR = 1;
export const FD = 2;
export const BK = 3;
export const FD_NEXTSIZE = 4;
export const BK_NEXTSIZE = 5;
export const PREV = 6;
export const NEXT = 7;
export const LG_RECORD_WORDS = 3;
export const RECORD_WORDS = 1 << LG_RECORD_WORDS;

export const INUSE = 1;
export const MMAPPED = 2;
export const NON_MAIN = 4;
export const UNIT_SHIFT = 3;
/** Larger than any chunk of an arena, so that every test for a small size fails. */
export const MMAPPED_SIZE = (-1 << UNIT_SHIFT) | MMAPPED | INUSE;

export const UNIT_BYTES = 16;
/** MINSIZE, 32 bytes. */
export const MIN_UNITS = 2;
/** Units of a page, and how far to shift units to get pages. */
export const PAGE_UNITS = 256;
export const PAGE_UNIT_SHIFT = 8;
/**
 * A chunk of up to 4096 bytes has its own header and the next one on every page that it overlaps, and both were written:
 * its pages are always resident, whatever the program writes.
 */
export const RESIDENT_UNITS = 256;

/** checked_request2size() in units; beyond 32 GiB they are no int32 any more. */
export function requestUnits(bytes: number): number {
  return bytes <= 24 ? 2 : bytes <= 0x7fffffe0 ? (bytes + 23) >>> 4 : Math.floor((bytes + 23) / UNIT_BYTES);
}

/** Simulated address / 16 of a mapped chunk. */
export function mappedUnit(words: Int32Array, p: number): number {
  const unit = words[p + ADDR]!;
  return unit < 0 ? -unit * PAGE_UNITS + words[p + BK]! : unit;
}

/** Units of a mapped chunk. */
export function mappedUnits(words: Int32Array, p: number): number {
  return words[p + ADDR]! < 0 ? words[p + FD]! * PAGE_UNITS - words[p + BK]! : words[p + FD]!;
}

const MAX_WORDS = 2 ** 29;
/** Spare records that an arena takes at once from the common supply. */
const BATCH_RECORDS = 64;

/**
 * Spare records of a holder (an arena, the mapped chunks): three words of its own. First the list of dropped records, then
 * the next and the end of the fresh ones.
 */
export const SPARE_WORDS = 3;
const SPARE_LIST = 0;
const SPARE_NEXT = 1;
const SPARE_END = 2;

export type Chunks = ReturnType<typeof createChunks>;

/** The words of all records and arenas, and the supply of fresh ones. */
export function createChunks(memory: Memory) {
  const link = FD;
  const recordWords = RECORD_WORDS;
  const supply = memory.int32('ptmalloc.supply', 1);
  const words = memory.int32('ptmalloc.chunks', MAX_WORDS, () => Math.max(RECORD_WORDS, supply[0]!));
  if (!memory.attached) supply[0] = RECORD_WORDS; // 0 is null

  /** Fresh zero words, a multiple of a record. Atomic: arenas grow under locks of their own. */
  function reserve(count: number): number {
    const start = Atomics.add(supply, 0, count);
    if (start + count > words.length) throw new UserError('the run needs more chunks than this host has memory for');
    return start;
  }

  /** A record from the holder's spare ones, whose bookkeeping starts at word `holder`. */
  function newRecord(holder: number): number {
    const spare = words[holder + SPARE_LIST]!;
    if (spare !== 0) {
      words[holder + SPARE_LIST] = words[spare + link]!;
      return spare;
    }
    return freshRecord(holder);
  }

  function freshRecord(holder: number): number {
    let next = words[holder + SPARE_NEXT]!;
    if (next === words[holder + SPARE_END]) {
      next = reserve(BATCH_RECORDS * RECORD_WORDS);
      words[holder + SPARE_END] = next + BATCH_RECORDS * RECORD_WORDS;
    }
    words[holder + SPARE_NEXT] = next + recordWords;
    return next;
  }

  function dropRecord(holder: number, record: number): void {
    words[record] = 0; // SIZE
    words[record + link] = words[holder + SPARE_LIST]!;
    words[holder + SPARE_LIST] = record;
  }

  return { words, reserve, newRecord, dropRecord, wordsUsed: () => supply[0]! };
}

import { BK, FD } from './chunk.ts';

// malloc_state as words of the same array as the chunks, so that a bin header can pose as a chunk, as in glibc: the
// header of bin i is the index at which reading FD and BK gives the bin's first and last chunk.
//
//   arena ─► │ scalars │ fastbins │ binmap │ FD BK of bin 0 │ FD BK of bin 1 │ … │ FD BK of bin 127 │
//
// bin 1 is the unsorted one; bin 0 does not exist.
export const FLAGS = 0; // NONCONTIGUOUS
export const HAVE_FASTCHUNKS = 1;
/** The top chunk; 0 while the arena has no memory (glibc: initial_top). */
export const TOP = 2;
/** Address / 16 of the last remainder: glibc compares addresses, and a record may have been given to another chunk. */
export const LAST_REMAINDER = 3;
export const BINMAP = 4; // four words
export const FASTBINS = 8; // NFASTBINS words
export const NEXT_ARENA = 18; // circular list of all arenas
export const NEXT_FREE = 19; // list of arenas without a thread
export const ATTACHED_THREADS = 20;
export const SYSTEM_PAGES = 21; // system_mem
export const MAX_SYSTEM_PAGES = 22;
export const MUTEX = 23;
export const NUMBER = 24; // 0 is the main arena, then in the order of creation
export const SPARE_RECORDS = 25; // three words, see chunk.ts
/** NON_MAIN or 0: what is or'ed into the size of a chunk that is handed out. */
export const CHUNK_FLAGS = 28;
export const BIN_WORDS = 32;
/** Header of bin i: arena + BINS + 2 * i. */
export const BINS = BIN_WORDS - FD;
export const UNSORTED = BINS + 2;
export const ARENA_WORDS = 296;
/** sizeof (struct malloc_state); in a heap, the first chunk lies 8 bytes behind it, to be aligned. */
export const MALLOC_STATE_BYTES = 0x898;

export const NONCONTIGUOUS = 2;

/** malloc_init_state(): every bin is empty. */
export function initBins(words: Int32Array, arena: number): void {
  for (let i = 1; i < 128; i++) {
    const bin = arena + BINS + 2 * i;
    words[bin + FD] = bin;
    words[bin + BK] = bin;
  }
}

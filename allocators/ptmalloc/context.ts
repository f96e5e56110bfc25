import { AllocatorAbort } from '../../sim/contract/assert.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import { ARENA_WORDS, CHUNK_FLAGS, initBins } from './arena-layout.ts';
import { type BinLog, createBinLog } from './bin-log.ts';
import { type Chunks, createChunks, RECORD_WORDS, SPARE_WORDS } from './chunk.ts';
import { createParameters, type Parameters } from './parameters.ts';
import { createResidentWrites, type ResidentWrites } from './resident-writes.ts';
import type { Features } from './version.ts';

/** The main arena's place among the words, and that of the bookkeeping of mapped chunks. */
export const MAIN_ARENA = RECORD_WORDS;
export const MAPPED_HOLDER = MAIN_ARENA + ARENA_WORDS;
/** Words of the holder beyond its spare records: the first of all mapped chunks. */
export const MAPPED_LIST = MAPPED_HOLDER + SPARE_WORDS;
/** Taken by whoever changes the list of mapped chunks; a spin lock, since glibc has no lock there. */
export const MAPPED_GUARD = MAPPED_LIST + 1;

/** What every part of the model is built from. */
export interface Context {
  readonly machine: Machine;
  readonly features: Features;
  readonly chunks: Chunks;
  readonly words: Int32Array;
  readonly parameters: Parameters;
  readonly writes: ResidentWrites;
  /** No other worker shares the memory: what glibc does by atomic instructions needs none here. */
  readonly isAlone: boolean;
  /** Per thread: its arena (0: none) and its tcache's chunk (0: none). */
  readonly threadArena: Int32Array;
  readonly tcacheChunk: Int32Array;
  /** Per thread, 64 pairs: first chunk of the bin, and how many more it may take; see tcache.ts. */
  readonly tcache: Int32Array;
  readonly binLog: BinLog;
}

export function createContext(machine: Machine, features: Features): Context {
  const { memory, threadSlots } = machine;
  const chunks = createChunks(memory);
  const { words } = chunks;
  if (!memory.attached) {
    chunks.reserve(ARENA_WORDS + RECORD_WORDS);
    initBins(words, MAIN_ARENA);
    words[MAIN_ARENA + CHUNK_FLAGS] = 0;
  }
  return {
    machine,
    features,
    chunks,
    words,
    isAlone: !memory.attached,
    parameters: createParameters(memory),
    writes: createResidentWrites(machine.kernel),
    threadArena: memory.int32('ptmalloc.threadArena', threadSlots),
    tcacheChunk: memory.int32('ptmalloc.tcacheChunk', threadSlots),
    tcache: memory.int32('ptmalloc.tcache', threadSlots << 7),
    binLog: createBinLog(memory),
  };
}

/** malloc_printerr(): the message goes to stderr, then the process aborts. */
export function mallocPrinterr(message: string): never {
  throw new AllocatorAbort(message);
}

/**
 * What a call did, counted by the models and the kernel in `machine.operations`, priced in nanoseconds elsewhere. Only
 * slow paths count: the price of a hit in a thread cache is the price of the call itself.
 */
export const OPERATIONS = [
  'slowCalls', // calls that left the thread cache's fast path
  'binScanSteps', // chunks, extents or runs looked at in a search, beside a freed one, or as the slab of a flushed block
  'bitmapWords', // words of a bitmap scanned
  'treeSteps', // nodes of a heap or tree visited
  'splits',
  'coalesces',
  'listInserts', // insertions into and removals from linked lists
  'consolidations', // malloc_consolidate
  'cacheFills', // objects moved into a thread cache
  'cacheFlushes', // objects moved out of a thread cache
  'bytesCopied', // by realloc
  'bytesCleared', // filled by the allocator itself: calloc, and perturb, junk, zero
  'faults', // minor page faults
  'hugeFaults',
  'pagesReleased', // resident pages given back by munmap, madvise, brk
  'brk',
  'mmap',
  'munmap',
  'mremap',
  'madvise',
  'mprotect',
  'zeroPagesReplaced', // pages that were read before they were written: other processors have to forget the zero page
  'flushes', // calls that took resident pages away: the own processor forgets translations, and the way to pages nearby
  'brkShrinks', // calls of brk that gave memory back
  'mappingsEntered', // faults that were the first in their mappings: these get their page tables, and what ties pages to mappings
] as const;
export type Operation = (typeof OPERATIONS)[number];

export const OP_SLOW_CALLS = 0;
export const OP_BIN_SCAN_STEPS = 1;
export const OP_BITMAP_WORDS = 2;
export const OP_TREE_STEPS = 3;
export const OP_SPLITS = 4;
export const OP_COALESCES = 5;
export const OP_LIST_INSERTS = 6;
export const OP_CONSOLIDATIONS = 7;
export const OP_CACHE_FILLS = 8;
export const OP_CACHE_FLUSHES = 9;
export const OP_BYTES_COPIED = 10;
export const OP_BYTES_CLEARED = 11;
export const OP_FAULTS = 12;
export const OP_HUGE_FAULTS = 13;
export const OP_PAGES_RELEASED = 14;
export const OP_BRK = 15;
export const OP_MMAP = 16;
export const OP_MUNMAP = 17;
export const OP_MREMAP = 18;
export const OP_MADVISE = 19;
export const OP_MPROTECT = 20;
export const OP_ZERO_PAGES_REPLACED = 21;
export const OP_FLUSHES = 22;
export const OP_BRK_SHRINKS = 23;
export const OP_MAPPINGS_ENTERED = 24;

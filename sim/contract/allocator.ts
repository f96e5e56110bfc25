import type { Mallctl } from './mallctl.ts';
import type { ThreadSlot } from './thread-slot.ts';
import type { Addr, Bytes, Pages } from './units.ts';

export type { ThreadSlot } from './thread-slot.ts';

/**
 * Names a live block: an int32 that only its model understands (a chunk record, a slab and a region, a run). 0 is "no
 * block". It stays valid until the block is freed, and after a realloc that returned another handle.
 */
export type Handle = number & { readonly __unit?: 'handle' };

/**
 * A model of a real allocator. It is built from a `Machine` by one factory function that captures its views as `const`,
 * keeps *all* of its state in `machine.memory` (so that it can be shared by workers, snapshotted and restored), and
 * draws no number from anywhere but its options and the machine.
 *
 * Touching. The model marks the pages that the allocator itself writes (headers, links, its own structures) by
 * `kernel.touch`; the replay marks what the program writes (`touchBlock`), as the trace's `%touch` says.
 */
export interface Allocator {
  /** As in the report: 'glibc-2.36', 'jemalloc-5.3.0', 'zendmm-8.2'. */
  readonly name: string;
  /** A block of at least `size` bytes (0 to 2^32 - 1), or 0 when the simulated machine is out of memory. */
  malloc(t: ThreadSlot, size: Bytes): Handle;
  /** As malloc(count * size), 0 on overflow too; marks the pages that clearing writes. */
  calloc(t: ThreadSlot, count: number, size: Bytes): Handle;
  /**
   * `size` > 0 and `h` live. 0 = failed, and `h` is still live. Where the block moves, the model marks the pages that
   * the copy writes (and reads); what lies beyond the old requested size is the program's to write.
   */
  realloc(t: ThreadSlot, h: Handle, size: Bytes): Handle;
  /** posix_memalign: `align` is a power of two of at least 8. */
  memalign(t: ThreadSlot, align: Bytes, size: Bytes): Handle;
  /** Any thread may free. `h` is live, never 0. */
  free(t: ThreadSlot, h: Handle): void;
  /** Simulated byte address of the block. Not on a hot path. */
  addressOf(h: Handle): Addr;
  /** malloc_usable_size. Not on a hot path. */
  usableSize(h: Handle): Bytes;
  /**
   * Marks what the program writes into the block: bytes `from` to `to` - 1 (`full`: every byte; `first`: the first
   * byte, and the first byte of each further page). The replay calls it for every fresh block unless the trace says
   * `none`, so its single-page path must be short. A model that accounts for fully written blocks itself may do
   * nothing for `full`.
   */
  touchBlock(h: Handle, from: Bytes, to: Bytes): void;
  /**
   * Blocks of malloc of at most so many requested bytes lie on pages that the allocator itself has written to, so that
   * they need no `touchBlock`: boundary tags in front of and behind a block no longer than a page. 0 without it.
   */
  readonly selfTouchedBytes?: Bytes;
  /**
   * malloc, and touchBlock(h, 0, size) of what it returned: for a model that knows of most blocks that they lie on resident
   * pages. A replay that writes every fresh block may call it in place of both.
   */
  mallocTouched?(t: ThreadSlot, size: Bytes): Handle;
  /** The next run, in a machine that is used again, is with these options of the model's own shape (AllocatorModel.shape). */
  configure?(options: AllocatorOptions, given: AllocatorOptions): void;
  threadStart(t: ThreadSlot): void;
  /** The thread's destructors: flush its cache, give its arena back. */
  threadExit(t: ThreadSlot): void;
  /** The process is a copy of its parent, of whose threads `t` alone lives on: what the allocator does in a child after a fork. */
  forkChild?(t: ThreadSlot): void;
  /** malloc_trim(pad): whether memory was given back. Models without it return false. */
  trim(t: ThreadSlot, pad: Bytes): boolean;
  /** mallopt by malloc.h's names. Models without it ignore it, as the ground-truth replay does. */
  mallopt(t: ThreadSlot, name: string, value: number): void;
  /** jemalloc's mallctl. Models without it ignore it. What the real one answers with an error does nothing. */
  mallctl?(t: ThreadSlot, call: Mallctl): void;
  /**
   * `malloc(t, size)`, `free(t, h)` where they are served by what belongs to the thread alone (its cache): no lock, no counter,
   * nothing that another thread could see. Else 0, false, and nothing has happened. Virtual time lets such calls run ahead
   * of other threads, which saves most of its scheduling. Without them no call runs ahead.
   */
  mallocLocal?(t: ThreadSlot, size: Bytes): Handle;
  freeLocal?(t: ThreadSlot, h: Handle): boolean;
  /** The rest of `malloc`, `free` after these have returned 0, false. */
  mallocNotLocal?(t: ThreadSlot, size: Bytes): Handle;
  freeNotLocal?(t: ThreadSlot, h: Handle): void;
  /** Work that time alone causes (a background thread); called after the clock has moved. */
  advance?(t: ThreadSlot): void;
  /**
   * free of an address that is no live block, under --faithful-abort: does what the real code does, which is mostly to
   * throw an AllocatorAbort with the real message.
   */
  freeStale?(t: ThreadSlot, address: Addr): void;
  /** The real allocator's statistics under its own names; nested plain data. Walks; never inside a measured span. */
  stats(): AllocatorStats;
  /** What reading the statistics changes in the allocator's own memory (jemalloc's tables), without reading them. */
  refreshStats?(): void;
  /** Every range that the allocator holds, in any order, without overlap: what metrics and reports are made of. */
  walk(visit: RangeVisitor): void;
  /** Of `walk`, the ranges that are free or cached alone, in time that live blocks do not add to. */
  walkFree?(visit: RangeVisitor): void;
  /** The same in the time of what has changed since the last call, for samples that come often. */
  followFree?(visitors: FreeVisitors): FollowedFree;
  /**
   * What the allocator holds from the kernel, piece by piece as its users know them (a heap, an extent, a slab, a mapped
   * block), without overlap: what `explain` groups by. Without it, the mappings are the pieces.
   */
  areas?(visit: AreaVisitor): void;
  /**
   * Gives back all that the real one gives back on request: malloc_trim(0), jemalloc's `arena.<all>.purge`. Without it,
   * `trim` with no padding is what there is.
   */
  purge?(t: ThreadSlot): void;
  /** Empties the thread's own cache, where the real one can be asked to: jemalloc's `thread.tcache.flush`. */
  flushCache?(t: ThreadSlot): void;
  /**
   * Present values of what mallopt or the allocator itself changes while it runs, under the real names
   * (`mmap_threshold`). Cheap: asked before and after single events.
   */
  tunables?(): Readonly<Record<string, number>>;
  /**
   * Feeds whatever decides what the allocator will do and place from now on, and nothing else: two heaps that feed the same words,
   * on kernels with the same mappings and pages, answer every further call alike. False where the heap is not at rest in that sense,
   * or time decides; then what was fed says nothing.
   *
   * `keepsLive`: in what comes, no block that is live now is freed or resized, no thread exits, no call aligns or trims. Then answers may also
   * be alike but for which of several free places of one size and of resident pages serves a call.
   */
  decidingState?(sink: WordSink, keepsLive?: boolean): boolean;
  readonly threadCaches?: ThreadCaches;
  /** Verifies every invariant, or throws an InvariantError that names the structure and the place. */
  check(): void;
  /** What of the real allocator this model, with these options, leaves out; shown in the report. */
  notModelled(): readonly string[];
}

/** The emalloc family, above another allocator or straight above the kernel. */
export interface RequestAllocator extends Allocator {
  requestBegin(t: ThreadSlot): void;
  /** Frees all that is live in the request and keeps the cached chunks. The replay forgets the request's objects. */
  requestEnd(t: ThreadSlot): void;
  /**
   * shutdown_memory_manager() in full (absent: it stays), as PHP's engine ends: all that the thread's heap has goes back, and the heap with it. What is
   * allocated from it later begins another one.
   */
  shutdown?(t: ThreadSlot): void;
  /** gc_mem_caches(), where there is one (PHP 7 and 8): returns the bytes that it has freed. */
  gcMemCaches?(t: ThreadSlot): Bytes;
  /**
   * zend_set_memory_limit() of a recorded program, -1 for none. What the limit refuses is the recording's to say: here it only has
   * the effects that PHP's attempts to keep it have.
   */
  setMemoryLimit?(t: ThreadSlot, limit: Pages): void;
  /**
   * As decidingState, of this layer alone: each thread, the first pages of its chunks, -1. Two layers that feed the same words, with the same
   * pages resident in those chunks and the same answers of the kernel, do the same.
   */
  ownDecidingState?(sink: WordSink): boolean;
}

/**
 * The threads' own caches, for replays that leave out what they have met before: calls of malloc and free that the cache serves change nothing else.
 * Two caches that feed the same words, to which the same calls are made, serve the same ones of them, and their words change by the same
 * differences.
 */
export interface ThreadCaches {
  /**
   * Blocks by their places in the cache. False where the thread has no cache, or what it does is not told by these words, as when writing blocks of
   * `largest` bytes could fault.
   */
  decidingState(t: ThreadSlot, largest: Bytes, sink: WordSink): boolean;
  /** All of the thread's words, those that only count among them. Not a copy. */
  words(t: ThreadSlot): Int32Array;
  /** The blocks that are cached, in their order, and what is known of their pages. */
  blocks(t: ThreadSlot): Int32Array;
  /** Whether a call has gone beyond the cache since the words were `before`. */
  hasLeft(t: ThreadSlot, before: Int32Array): boolean;
}

export type WordSink = (word: number) => void;

/** By the real names. */
export type AllocatorOptions = Readonly<Record<string, number | boolean | string>>;

export interface AllocatorStats {
  readonly [name: string]:
    | number
    | string
    | boolean
    | null
    | AllocatorStats
    | readonly AllocatorStats[]
    | readonly number[];
}

/** A range of the simulated address space, as the allocator sees it. Metadata *inside* a block is a range of its own. */
export type RangeVisitor = (start: Addr, length: Bytes, kind: RangeKind, handle: Handle) => void;
/** A range that `come` has named is free until `gone` names it; those of `rest` are named at each call. */
export interface FreeVisitors {
  readonly come: RangeVisitor;
  readonly gone: RangeVisitor;
  readonly rest: RangeVisitor;
}
/** Of the ranges that have come and not gone. */
export interface FollowedFree {
  readonly bytes: Bytes;
  readonly largestBytes: Bytes;
}
export const RANGE_LIVE = 0; // usable bytes of a live block; `handle` names it
export const RANGE_METADATA = 1; // headers, arenas, tables
export const RANGE_CACHED = 2; // free, in a cache of a thread
export const RANGE_FREE = 3; // free
export const RANGE_FREE_WITHIN = 4; // free, in a slab or chunk that stands: no page of it is given back before all of it is free
export type RangeKind = 0 | 1 | 2 | 3 | 4;
export const isFreeRange = (kind: number | undefined): boolean => kind === RANGE_FREE || kind === RANGE_FREE_WITHIN;

/** `name` as in the report: 'main heap', 'arena 5, heap 2', 'slab of 320'; see Allocator.areas. */
export type AreaVisitor = (start: Addr, length: Bytes, name: string, kind: AreaKind) => void;
export type AreaKind = 'heap' | 'extent' | 'slab' | 'chunk' | 'mapped' | 'metadata';

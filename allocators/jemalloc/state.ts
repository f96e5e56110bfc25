import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import type { LockId } from '../../sim/contract/locks.ts';
import type { Addr, Ns } from '../../sim/contract/units.ts';
import { FAR_PAGES, FENCE_PAGE, realAddress } from '../../sim/kernel/layout.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import type { Config } from './config.ts';
import { DECAY_WORDS } from './decay.ts';
import { RTREE_LEAVES } from './layout.ts';
import { ESET_NPSIZES, NBINS, NSIZES } from './size-classes.ts';

/**
 * All state of the model, in named regions of typed arrays; each table below is one region (two where it also counts
 * in doubles). Index 0 is "none" where a table is linked by index.
 *
 *   extents   edata_t: a range of pages, its state, its links           EXTENT_WORDS each, the regions' bitmap apart
 *   pageMap   first and last page of every extent → extent              from the fence down, then the far area
 *   freeClass extentClass, as far as a free may rely on it            residency.ts
 *   caches    tcache_t: one head word group a bin                       one stretch a thread
 *   slots     the stacks of the cache bins                              one stretch a thread
 *   arenas    arena_t, with its base                                    ARENA_WORDS each
 *   bins      bin_t                                                     BIN_WORDS each, NBINS an arena
 *   esets     eset_t of the dirty, muzzy and retained extents           ESET_WORDS each, three an arena
 *   decay     decay_t of the dirty and muzzy extents                    two an arena
 */

// --- extents: an extent ─► start, pages, serial number, state, …
export const LG_EXTENT_WORDS = 4;
export const EXTENT_WORDS = 16;
export const E_START = 0; // page
export const E_SN = 1;
export const E_OFFSET = 2; // bytes from the first page's start to the block: 0 for slabs (cache_oblivious)
export const E_PAGES = 3;
export const E_STATE = 4;
export const E_ARENA = 5;
export const E_FLAGS = 6;
export const E_ESN = 7; // serial number of the base block that the edata_t lies in
export const E_PREV = 8; // pairing heap
export const E_NEXT = 9;
export const E_CHILD = 10;
export const E_OLDER = 11; // list of an eset, by age
export const E_NFREE = 11; // slabs, which are in no eset: free regions
export const E_YOUNGER = 12;
export const E_OWN = 13; // address of the edata_t itself / 128
/**
 * What heaps are ordered by, as one double in the last two words (number e << LG_EXTENT_KEYS | EXTENT_KEY of the region seen
 * as doubles): by serial number, then by address.
 */
export const LG_EXTENT_KEYS = 3;
export const EXTENT_KEY = 7;
/** More than there are pages, those of the far area among them. */
const STARTS = FENCE_PAGE + FAR_PAGES;
export const heapKey = (sn: number, start: number) => sn * STARTS + start;
/** Of an unused edata_t: by the block that it lies in, then by its own address. */
export const unusedKey = (esn: number, own: number) => esn * 2 ** 28 + own;

export const STATE_ACTIVE = 0;
export const STATE_DIRTY = 1;
export const STATE_MUZZY = 2;
export const STATE_RETAINED = 3;
export const STATE_UNUSED = 4; // an edata_t in the arena's edata_cache
export const STATE_ABANDONED = 5; // address space that no record could be had for

export const FLAG_ZEROED = 1;
export const FLAG_HEAD = 2; // first extent of a mapping: never merged into what lies below it
export const FLAG_SLAB = 4;

/** Extents have 22 bits in a handle, regions 9. */
export const HANDLE_SHIFT = 9;
export const REGION_MASK = 511;
export const MAX_EXTENTS = 2 ** 22;
export const LG_BITMAP_WORDS = 4;

// --- caches: thread ─► header, then CACHE_BIN_WORDS for each bin
export const T_STATE = 0;
export const T_ALLOC_LEFT = 1; // bytes until the next collector event of allocations
export const T_DALLOC_LEFT = 2; // … of deallocations
export const T_ARENA = 3; // index + 1
export const T_IARENA = 4; // index + 1, for internal allocations
export const T_TICKS = 5; // arena operations until the next look at decay
export const T_NEXT_GC_BIN = 6;
export const T_PRNG = 7; // two words
export const T_CACHE_BLOCK = 9; // block that holds the cache's stacks
export const T_CACHE_ARENA = 10; // index + 1 of the arena that fills the cache
export const T_REENTRANT = 11;
export const T_CACHE_PAGE = 12; // first page of that block
export const THREAD_HEADER_WORDS = 16;

export const THREAD_UNINITIALIZED = 0;
export const THREAD_MINIMAL = 1; // has only freed so far
export const THREAD_NOMINAL = 2;

export const LG_CACHE_BIN_WORDS = 3;
export const CACHE_BIN_WORDS = 8;
export const C_HEAD = 0; // slot of the next block to hand out; EMPTY where there is none
export const C_LOW_WATER = 1; // highest C_HEAD since the collector last looked
export const C_LIMIT = 2; // lowest slot that may be filled without looking: the stack's end or its page's
export const C_REQUESTS = 3; // tstats.nrequests
export const C_EMPTY = 4;
export const C_FILL_SHIFT = 5; // lg_fill_div
export const C_REFILLED = 6;
export const C_DELAY = 7; // bin_flush_delay_items

// --- arenas
export const ARENA_WORDS = 24;
export const A_INITIALIZED = 0;
export const A_NTHREADS = 1;
export const A_NTHREADS_INTERNAL = 2;
export const A_SN_NEXT = 4;
export const A_GROW_NEXT = 5; // exp_grow.next, a page size class
export const A_EDATA_COUNT = 7;
export const A_LAST_THREAD = 8; // last_thd: slot + 1
export const A_BLOCKS = 9; // base: number of blocks
export const A_PIND_LAST = 10;
export const A_AUTO_THP = 11;
export const A_CTL_TOUCHED = 12;
export const A_MAPPED = 13; // pac_mapped in pages
export const A_INTERNAL = 14; // bytes
export const A_EDATA_AVAIL = 16; // heap of unused edata_t

export const ARENA_COUNTERS = 16; // doubles
export const AC_ADDRESS = 0; // of arena_t
export const AC_DIRTY_NPURGE = 1; // npurge, nmadvise, purged
export const AC_MUZZY_NPURGE = 4;
export const AC_BASE_ALLOCATED = 7;
export const AC_BASE_RESIDENT = 8;
export const AC_BASE_MAPPED = 9;
export const AC_BASE_THP = 10;
export const AC_CREATED = 11; // ns
export const AC_CTL = 12; // address of its mallctl table
export const AC_ABANDONED = 13;

// --- base blocks, doubles
export const MAX_BASE_BLOCKS = 48;
export const BASE_BLOCK_WORDS = 4;
export const BB_START = 0;
export const BB_SIZE = 1;
export const BB_ADDRESS = 2; // of the unused end
export const BB_LEFT = 3; // its bytes

// --- bins
export const BIN_WORDS = 4;
export const B_SLABCUR = 0;
export const B_NONFULL = 1; // heap
export const BIN_COUNTERS = 10; // doubles
export const BC_NMALLOC = 0;
export const BC_NDALLOC = 1;
export const BC_NREQUESTS = 2;
export const BC_CURREGS = 3;
export const BC_NFILLS = 4;
export const BC_NFLUSHES = 5;
export const BC_NSLABS = 6;
export const BC_NRESLABS = 7;
export const BC_CURSLABS = 8;
export const BC_NONFULL_SLABS = 9;

// --- large classes
export const LARGE_CLASSES = NSIZES - NBINS;
export const LARGE_COUNTERS = 4;
export const LC_NMALLOC = 0;
export const LC_NDALLOC = 1;
export const LC_NREQUESTS = 2;
export const LC_NFLUSHES = 3;

// --- esets
export const ESET_BITMAP_WORDS = 7;
export const S_OLDEST = 7;
export const S_YOUNGEST = 8;
export const S_NPAGES = 9;
export const S_ROOTS = 16; // heaps
export const S_LEAST = S_ROOTS + 2 * ESET_NPSIZES; // heap_min: least key of each heap, a double
export const ESET_WORDS = S_LEAST + 2 * ESET_NPSIZES;

// --- locks of an arena, by what they guard
export const LOCK_NAMES = [
  'base',
  'tcache_ql',
  'arena_large',
  'edata_cache',
  'extents_dirty',
  'extents_muzzy',
  'extents_retained',
  'extent_grow',
  'decay_dirty',
  'decay_muzzy',
] as const;
export const LOCK_BASE = 0;
export const LOCK_TCACHE_LIST = 1;
export const LOCK_LARGE = 2;
export const LOCK_EDATA_CACHE = 3;
export const LOCK_EXTENTS_DIRTY = 4;
export const LOCK_GROW = 7;
export const LOCK_DECAY_DIRTY = 8;
export const LOCK_BINS = 10;
export const ARENA_LOCKS = LOCK_BINS + NBINS;

// --- whole process
export const G_EXTENTS = 0; // extents ever made
export const G_DEEPEST = 1; // places of the page map that are in use
export const G_THREADS = 2; // threads slots ever used
export const G_NARENAS_TOTAL = 3;
export const G_DSS_EXHAUSTED = 4;
export const G_DSS_BASE = 5; // page
export const G_DSS_MAX = 6; // page
export const G_CTL_INITIALIZED = 7;
export const G_BACKGROUND = 8; // threads started, a bit each
export const G_BOOTED = 9;
export const G_BACKGROUND_ENABLED = 10; // background_thread_enabled
export const G_MAX_BACKGROUND = 11; // max_background_threads

export type State = ReturnType<typeof createState>;

/** Reserves the regions and names the locks; the same in every worker of a run. */
export function createState(machine: Machine, config: Config) {
  const { memory, kernel, locks, operations, threadSlots } = machine;
  const { acquire, release, tryAcquire } = locks;
  const { arenaSlots, narenas, hugeArena, percpuArena, reservedBins, cacheBins, slots: slotCounts } = config;

  let slotTotal = 2; // the words before the first and behind the last stack
  for (let i = 0; i < cacheBins; i++) slotTotal += slotCounts[i]!;
  const threadWords = THREAD_HEADER_WORDS + reservedBins * CACHE_BIN_WORDS;

  const globals = memory.int32('jemalloc.globals', 16);
  const usedThreads = () => globals[G_THREADS]!;
  const extents = memory.int32(
    'jemalloc.extents',
    MAX_EXTENTS * EXTENT_WORDS,
    () => (globals[G_EXTENTS]! + 1) * EXTENT_WORDS,
  );
  const extentClass = new Uint8Array(
    memory.reserve('jemalloc.extentClass', MAX_EXTENTS, () => globals[G_EXTENTS]! + 1),
  );
  /** Whether caches know of their blocks that all pages are resident. Options that fill blocks, or no caches, make it useless. */
  const tracksPages =
    machine.touch !== 'none' && config.tcache && !config.zero && !config.junkAlloc && !config.junkFree;
  const freeClass = tracksPages
    ? new Uint8Array(memory.reserve('jemalloc.freeClass', MAX_EXTENTS, () => globals[G_EXTENTS]! + 1))
    : extentClass;
  const bitmaps = memory.int32(
    'jemalloc.bitmaps',
    MAX_EXTENTS << LG_BITMAP_WORDS,
    () => (globals[G_EXTENTS]! + 1) << LG_BITMAP_WORDS,
  );
  const pageMap = memory.int32('jemalloc.pageMap', kernel.pages.length, () => globals[G_DEEPEST]!);
  const caches = memory.int32('jemalloc.caches', threadSlots * threadWords, () => usedThreads() * threadWords);
  const slots = memory.int32('jemalloc.slots', threadSlots * slotTotal, () => usedThreads() * slotTotal);
  const arenas = memory.int32('jemalloc.arenas', arenaSlots * ARENA_WORDS);
  const arenaCounters = memory.float64('jemalloc.arenaCounters', arenaSlots * ARENA_COUNTERS);
  const baseBlocks = memory.float64('jemalloc.baseBlocks', arenaSlots * MAX_BASE_BLOCKS * BASE_BLOCK_WORDS);
  const bins = memory.int32('jemalloc.bins', arenaSlots * NBINS * BIN_WORDS);
  const binCounters = memory.float64('jemalloc.binCounters', arenaSlots * NBINS * BIN_COUNTERS);
  const largeCounters = memory.int32('jemalloc.largeCounters', arenaSlots * LARGE_CLASSES * LARGE_COUNTERS);
  const esets = memory.int32('jemalloc.esets', arenaSlots * 3 * ESET_WORDS);
  const decayWords = memory.float64('jemalloc.decay', arenaSlots * 2 * DECAY_WORDS);
  const decayJitter = memory.int32('jemalloc.decayJitter', arenaSlots * 2 * 2);
  const rtreeLeaves = memory.int32('jemalloc.rtreeLeaves', RTREE_LEAVES * 2);
  /** Decay times of arenas to come, in ms: dirty, muzzy. */
  const decayDefaults = memory.float64('jemalloc.decayDefaults', 2);
  const backgroundWakeups = memory.float64('jemalloc.background', config.maxBackgroundThreads * 4);

  // Locks in the same order in every worker; names as in the real code.
  let lockCount = 0;
  const made = (name: string): LockId => {
    lockCount++;
    return locks.create(name, 'spin-then-futex');
  };
  const arenasLock = made('arenas');
  const rtreeLock = made('rtree');
  const backgroundLock = made('background_thread_global');
  // Only for arenas that may come to be: a thread makes one while all that exist have threads, and there is the huge one.
  const usable = percpuArena === 'disabled' ? Math.min(narenas, threadSlots + 1) : narenas;
  const arenaLocks = new Int32Array(arenaSlots * ARENA_LOCKS).fill(-1);
  for (let a = 0; a < arenaSlots; a++) {
    if (a >= usable && a !== hugeArena) continue;
    LOCK_NAMES.forEach((name, i) => {
      arenaLocks[a * ARENA_LOCKS + i] = made(`arena ${a}: ${name}`);
    });
    for (let i = 0; i < NBINS; i++) arenaLocks[a * ARENA_LOCKS + LOCK_BINS + i] = made(`arena ${a}: bin ${i}`);
  }
  // malloc_mutex_prof: acquisitions, changes of owner, last owner + 1
  const lockCounters = memory.int32('jemalloc.lockCounters', lockCount * 3);
  const firstLock = arenasLock;

  /** malloc_mutex_lock */
  function lock(t: ThreadSlot, id: LockId): void {
    acquire(t, id);
    countLock(t, id);
  }

  function countLock(t: ThreadSlot, id: LockId): void {
    const p = (id - firstLock) * 3;
    lockCounters[p]!++;
    if (lockCounters[p + 2] !== t + 1) {
      lockCounters[p + 2] = t + 1;
      lockCounters[p + 1]!++;
    }
  }

  /** malloc_mutex_trylock, with the sense of the sane: true when it was got. */
  function tryLock(t: ThreadSlot, id: LockId): boolean {
    if (!tryAcquire(t, id)) return false;
    countLock(t, id);
    return true;
  }

  /** malloc_mutex_unlock */
  function unlock(t: ThreadSlot, id: LockId): void {
    release(t, id);
  }

  /** Atomic fetch-and-add; plain where no other worker shares the memory. */
  const fetchAdd = memory.attached
    ? (words: Int32Array, at: number, n: number): number => Atomics.add(words, at, n)
    : (words: Int32Array, at: number, n: number): number => {
        const old = words[at]!;
        words[at] = old + n;
        return old;
      };

  /** Makes a global at least `value`, also where other threads do the same. */
  function raise(field: number, value: number): void {
    for (let old = Atomics.load(globals, field); old < value; ) {
      const seen = Atomics.compareExchange(globals, field, old, value);
      if (seen === old) return;
      old = seen;
    }
  }

  // A background thread that wakes up while the clock makes a large step sees its own time.
  let pretendedNs: Ns = 0;

  return {
    nowNs: (): Ns => pretendedNs || kernel.nowNs(),
    pretendNow: (ns: Ns): void => {
      pretendedNs = ns;
    },
    machine,
    config,
    kernel,
    operations,
    globals,
    extents,
    extentKeys: new Float64Array(extents.buffer),
    extentClass,
    freeClass,
    tracksPages,
    bitmaps,
    pageMap,
    caches,
    slots,
    arenas,
    arenaCounters,
    baseBlocks,
    bins,
    binCounters,
    largeCounters,
    esets,
    decayDefaults,
    decayWords,
    decayJitter,
    rtreeLeaves,
    backgroundWakeups,
    threadWords,
    slotTotal,
    arenasLock,
    rtreeLock,
    backgroundLock,
    arenaLocks,
    lockCounters,
    firstLock,
    fetchAdd,
    raise,
    lock,
    tryLock,
    unlock,
    /** Of a structure in a base block: seeds depend on where the real process has it. */
    realAddress: (address: Addr) => realAddress(address) - config.mmapShiftBytes,
  };
}

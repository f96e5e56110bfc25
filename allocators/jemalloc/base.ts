import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { assert } from '../../sim/contract/assert.ts';
import type { Addr, Bytes } from '../../sim/contract/units.ts';
import { BASE_BLOCK_BYTES, BASE_BYTES, EDATA_BYTES } from './layout.ts';
import type { PageCalls } from './pages.ts';
import { CACHELINE, HUGEPAGE, PAGE, PAGE_CLASS, pagesToClass, QUANTUM, sizeToIndex } from './size-classes.ts';
import {
  A_AUTO_THP,
  A_BLOCKS,
  A_PIND_LAST,
  AC_BASE_ALLOCATED,
  AC_BASE_MAPPED,
  AC_BASE_RESIDENT,
  AC_BASE_THP,
  ARENA_COUNTERS,
  ARENA_LOCKS,
  ARENA_WORDS,
  BASE_BLOCK_WORDS,
  BB_ADDRESS,
  BB_LEFT,
  BB_SIZE,
  BB_START,
  E_ESN,
  E_OWN,
  EXTENT_WORDS,
  G_EXTENTS,
  LG_EXTENT_WORDS,
  LOCK_BASE,
  MAX_BASE_BLOCKS,
  MAX_EXTENTS,
  type State,
} from './state.ts';

const ceiling = (value: number, alignment: number) => Math.ceil(value / alignment) * alignment;
const HUGEPAGE_PAGES = HUGEPAGE / PAGE;

/** In metadata_thp:auto an arena's blocks become huge with the second one, arena 0's with the fifth. */
const AUTO_THP_THRESHOLD = 2;
const AUTO_THP_THRESHOLD_A0 = 5;

export type Base = ReturnType<typeof createBase>;

/**
 * The allocator of jemalloc's own structures (base.c): blocks of whole huge pages, used up from front to back; nothing is
 * ever given back.
 *
 *   block ─► │ base_block_t │ base_t (first block) │ used … │ unused end          │
 *                                                            ▲ BB_ADDRESS  BB_LEFT
 */
export function createBase(state: State, pages: PageCalls) {
  const { arenas, arenaCounters, baseBlocks, extents, globals, kernel, config, lock, unlock } = state;
  const { arenaLocks, fetchAdd } = state;
  const madvisesMetadata = config.metadataThp !== 'disabled' && config.systemThp === 'madvise';

  const blockAt = (a: number, block: number) => (a * MAX_BASE_BLOCKS + block) * BASE_BLOCK_WORDS;

  /** Marks [from, to) as written by the allocator. */
  function touch(from: Addr, to: Addr): void {
    kernel.touchRange(Math.floor(from / PAGE), Math.floor((to - 1) / PAGE));
  }

  /** base_map */
  function map(t: ThreadSlot, bytes: Bytes): Addr {
    const count = bytes / PAGE;
    const start = pages.pagesMap(t, 0, count, HUGEPAGE_PAGES);
    if (start < 0) return 0;
    pages.setThpState(t, start, count);
    return start * PAGE;
  }

  /** base_auto_thp_switch: called when a block is added. */
  function autoThpSwitch(t: ThreadSlot, a: number): void {
    const w = a * ARENA_WORDS;
    if (arenas[w + A_AUTO_THP] !== 0) return;
    const blocks = arenas[w + A_BLOCKS]! + 1;
    if (blocks !== (a === 0 ? AUTO_THP_THRESHOLD_A0 : AUTO_THP_THRESHOLD)) return;
    arenas[w + A_AUTO_THP] = 1;
    for (let i = arenas[w + A_BLOCKS]! - 1; i >= 0; i--) {
      const p = blockAt(a, i);
      pages.huge(t, baseBlocks[p + BB_START]! / PAGE, baseBlocks[p + BB_SIZE]! / PAGE);
      arenaCounters[a * ARENA_COUNTERS + AC_BASE_THP]! +=
        ceiling(baseBlocks[p + BB_SIZE]! - baseBlocks[p + BB_LEFT]!, HUGEPAGE) / HUGEPAGE;
    }
  }

  /** base_block_alloc: the new block's number, or -1. `isFirst`: base_new calls, which holds no lock. */
  function blockAlloc(t: ThreadSlot, a: number, size: Bytes, alignment: number, isFirst: boolean): number {
    const w = a * ARENA_WORDS;
    const gap = ceiling(BASE_BLOCK_BYTES, alignment) - BASE_BLOCK_BYTES;
    const least = Math.ceil((BASE_BLOCK_BYTES + gap + ceiling(size, alignment)) / PAGE);
    const leastBlock = ceiling(PAGE_CLASS[pagesToClass(least)]!, HUGEPAGE_PAGES);
    const nextBlock = ceiling(PAGE_CLASS[arenas[w + A_PIND_LAST]! + 1]!, HUGEPAGE_PAGES);
    const blockPages = Math.max(leastBlock, nextBlock);
    const start = map(t, blockPages * PAGE);
    if (start === 0) return -1;
    if (madvisesMetadata) {
      if (config.metadataThp === 'always') {
        pages.huge(t, start / PAGE, blockPages);
      } else if (!isFirst) {
        lock(t, arenaLocks[a * ARENA_LOCKS + LOCK_BASE]!);
        autoThpSwitch(t, a);
        if (arenas[w + A_AUTO_THP] !== 0) pages.huge(t, start / PAGE, blockPages);
        unlock(t, arenaLocks[a * ARENA_LOCKS + LOCK_BASE]!);
      }
    }
    arenas[w + A_PIND_LAST] = pagesToClass(blockPages);
    const block = arenas[w + A_BLOCKS]!;
    assert(block < MAX_BASE_BLOCKS, 'the table of base blocks is full');
    const p = blockAt(a, block);
    baseBlocks[p + BB_START] = start;
    baseBlocks[p + BB_SIZE] = blockPages * PAGE;
    baseBlocks[p + BB_ADDRESS] = start + BASE_BLOCK_BYTES;
    baseBlocks[p + BB_LEFT] = blockPages * PAGE - BASE_BLOCK_BYTES;
    arenas[w + A_BLOCKS] = block + 1;
    touch(start, start + BASE_BLOCK_BYTES);
    const c = a * ARENA_COUNTERS;
    arenaCounters[c + AC_BASE_ALLOCATED]! += BASE_BLOCK_BYTES;
    arenaCounters[c + AC_BASE_RESIDENT]! += PAGE;
    arenaCounters[c + AC_BASE_MAPPED]! += blockPages * PAGE;
    if (madvisesMetadata && (config.metadataThp === 'always' || (!isFirst && arenas[w + A_AUTO_THP] !== 0))) {
      arenaCounters[c + AC_BASE_THP]! += 1;
    }
    return block;
  }

  /** base_extent_bump_alloc: takes from the front of a block's unused end. */
  function bumpAlloc(a: number, block: number, size: Bytes, alignment: number): Addr {
    const p = blockAt(a, block);
    const unused = baseBlocks[p + BB_ADDRESS]!;
    const address = ceiling(unused, alignment);
    const gap = address - unused;
    baseBlocks[p + BB_ADDRESS] = address + size;
    baseBlocks[p + BB_LEFT]! -= gap + size;
    const c = a * ARENA_COUNTERS;
    arenaCounters[c + AC_BASE_ALLOCATED]! += size;
    arenaCounters[c + AC_BASE_RESIDENT]! += ceiling(address + size, PAGE) - ceiling(unused, PAGE);
    if (madvisesMetadata && (config.metadataThp === 'always' || arenas[a * ARENA_WORDS + A_AUTO_THP] !== 0)) {
      arenaCounters[c + AC_BASE_THP]! += (ceiling(address + size, HUGEPAGE) - ceiling(unused, HUGEPAGE)) / HUGEPAGE;
    }
    return address;
  }

  /** base_new: false when out of memory. */
  function create(t: ThreadSlot, a: number): boolean {
    if (blockAlloc(t, a, BASE_BYTES, QUANTUM, true) < 0) return false;
    const size = ceiling(BASE_BYTES, CACHELINE);
    const address = bumpAlloc(a, 0, size, CACHELINE);
    touch(address, address + BASE_BYTES);
    return true;
  }

  /**
   * The block whose unused end has the smallest class that is large enough; among equals the oldest block. (The real
   * one keeps a heap for each class; a base has few blocks.)
   */
  function fittingBlock(a: number, bytes: Bytes): number {
    const wanted = sizeToIndex(bytes);
    const blocks = arenas[a * ARENA_WORDS + A_BLOCKS]!;
    let best = -1;
    let bestIndex = 0;
    for (let i = 0; i < blocks; i++) {
      const left = baseBlocks[blockAt(a, i) + BB_LEFT]!;
      if (left < bytes) continue;
      const index = sizeToIndex(left + 1) - 1;
      if (index >= wanted && (best < 0 || index < bestIndex)) {
        best = i;
        bestIndex = index;
      }
    }
    return best;
  }

  /** base_alloc_impl; `lastBlock()` then tells the block's serial number. 0 when out of memory. */
  let lastBlock = 0;
  function alloc(t: ThreadSlot, a: number, size: Bytes, alignment: number): Addr {
    const usable = ceiling(size, alignment);
    lock(t, arenaLocks[a * ARENA_LOCKS + LOCK_BASE]!);
    let block = fittingBlock(a, usable + alignment - QUANTUM);
    if (block < 0) {
      // base_extent_alloc drops the lock around the mapping.
      unlock(t, arenaLocks[a * ARENA_LOCKS + LOCK_BASE]!);
      block = blockAlloc(t, a, usable, alignment, false);
      lock(t, arenaLocks[a * ARENA_LOCKS + LOCK_BASE]!);
    }
    const address = block < 0 ? 0 : bumpAlloc(a, block, usable, alignment);
    lastBlock = block;
    unlock(t, arenaLocks[a * ARENA_LOCKS + LOCK_BASE]!);
    return address;
  }

  /** base_alloc_edata: a new extent record, or 0. */
  function allocExtent(t: ThreadSlot, a: number): number {
    const address = alloc(t, a, EDATA_BYTES, EDATA_BYTES);
    if (address === 0) return 0;
    touch(address, address + EDATA_BYTES);
    const e = fetchAdd(globals, G_EXTENTS, 1) + 1;
    assert(e < MAX_EXTENTS, `more than ${MAX_EXTENTS} extents`);
    const p = e << LG_EXTENT_WORDS;
    extents.fill(0, p, p + EXTENT_WORDS);
    extents[p + E_OWN] = address / EDATA_BYTES;
    extents[p + E_ESN] = lastBlock;
    return e;
  }

  return { create, alloc, allocExtent, touch };
}

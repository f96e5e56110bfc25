import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import { assert } from '../../sim/contract/assert.ts';
import { OP_BIN_SCAN_STEPS, OP_SLOW_CALLS } from '../../sim/contract/operations.ts';
import type { Bytes, Pages } from '../../sim/contract/units.ts';
import { binOf } from './bins.ts';
import { DEBUG_INFO_BYTES } from './debug.ts';
import type { Gc } from './gc.ts';
import type { Large } from './large.ts';
import {
  CELL_MASK,
  HUGE_LIST,
  HUGE_PAGES_COUNT,
  handleOf,
  heapBase,
  NODE_BLOCK,
  NODE_BYTES,
  NODE_NEXT,
  NODE_PAGES,
  REAL_PEAK,
  REAL_SIZE,
  SLOT_SHIFT_WORDS,
  START_PAGE,
  slotOf,
  type ZendState,
} from './layout.ts';
import type { Limits, Refusals } from './limit.ts';
import type { Small } from './small.ts';
import type { Storage } from './storage.ts';

export type Huge = ReturnType<typeof createHuge>;

/** Blocks with a mapping of their own, on a list whose nodes are small blocks of the same heap. */
export function createHuge(
  state: ZendState,
  storage: Storage,
  gc: Gc,
  large: Large,
  small: Small,
  refusals: Refusals,
  limits: Limits,
  debug: boolean,
) {
  const { heaps, sizes, slots, cells, machine } = state;
  const { operations } = machine;
  // A debug build's node carries the block's debug information, and has its own like every block.
  const nodeBin = binOf(debug ? NODE_BYTES + 2 * DEBUG_INFO_BYTES : NODE_BYTES);
  const reportsPages = state.version !== '7.1';

  /** Whether `pages` more may be mapped; zend_mm_gc is tried first. */
  function withinLimit(t: ThreadSlot, pages: Pages, requested: Bytes): boolean {
    const real = heapBase(t) + REAL_SIZE;
    const fits = () => limits.allows(t, heaps[real]! + pages);
    if (fits() || (gc(t) > 0 && fits()) || !limits.refuses(heaps[real]! + pages)) return true;
    refusals.overLimit(t, limits.bytes(t), reportsPages ? pages * 4096 : requested);
    return false;
  }

  function growReal(heap: number, pages: Pages): void {
    const real = heaps[heap + REAL_SIZE]! + pages;
    heaps[heap + REAL_SIZE] = real;
    if (real > heaps[heap + REAL_PEAK]!) heaps[heap + REAL_PEAK] = real;
  }

  /** zend_mm_alloc_huge. */
  function allocHuge(t: ThreadSlot, size: Bytes): Handle {
    operations[OP_SLOW_CALLS]!++;
    const heap = heapBase(t);
    const pages = Math.ceil(size / 4096);
    if (!withinLimit(t, pages, size)) return 0;
    let start = storage.allocate(t, pages);
    if (start < 0 && gc(t) > 0) start = storage.allocate(t, pages);
    const slot = start < 0 ? 0 : state.takeHugeSlot(t);
    if (slot === 0) {
      if (start >= 0) storage.release(t, start, pages);
      refusals.outOfMemory(t, heaps[heap + REAL_SIZE]! * 4096, size);
      return 0;
    }
    const block = handleOf(slot, 0);
    // zend_mm_add_huge_block
    const node = small.allocSmall(t, nodeBin);
    if (node === 0) {
      storage.release(t, start, pages);
      state.giveSlot(t, slot);
      return 0;
    }
    const cell = node & CELL_MASK;
    cells[cell + NODE_BLOCK] = block;
    cells[cell + NODE_PAGES] = pages;
    cells[cell + NODE_NEXT] = heaps[heap + HUGE_LIST]!;
    heaps[heap + HUGE_LIST] = node;
    const record = slot << SLOT_SHIFT_WORDS;
    slots[record + START_PAGE] = start;
    slots[record + HUGE_PAGES_COUNT] = pages;
    growReal(heap, pages);
    large.grow(t, pages * 512);
    return block;
  }

  /** zend_mm_del_huge_block: the length in pages; the node goes back to its bin. */
  function unlist(t: ThreadSlot, block: Handle): Pages {
    const heap = heapBase(t);
    let previous = 0;
    for (let node = heaps[heap + HUGE_LIST]!; node !== 0; ) {
      operations[OP_BIN_SCAN_STEPS]!++;
      const cell = node & CELL_MASK;
      const next = cells[cell + NODE_NEXT]!;
      if (cells[cell + NODE_BLOCK] === block) {
        if (previous === 0) heaps[heap + HUGE_LIST] = next;
        else cells[(previous & CELL_MASK) + NODE_NEXT] = next;
        const pages = cells[cell + NODE_PAGES]!;
        small.freeSmall(t, node, nodeBin);
        return pages;
      }
      previous = node;
      node = next;
    }
    assert(false, 'a huge block is missing from its heap’s list');
  }

  /** zend_mm_free_huge. */
  function freeHuge(t: ThreadSlot, block: Handle): void {
    operations[OP_SLOW_CALLS]!++;
    const heap = heapBase(t);
    const slot = slotOf(block);
    const pages = unlist(t, block);
    storage.release(t, slots[(slot << SLOT_SHIFT_WORDS) + START_PAGE]!, pages);
    state.giveSlot(t, slot);
    heaps[heap + REAL_SIZE]! -= pages;
    sizes[t]! -= pages * 512;
  }

  /** zend_mm_change_huge_block_size. */
  function setPages(t: ThreadSlot, block: Handle, pages: Pages): void {
    slots[(slotOf(block) << SLOT_SHIFT_WORDS) + HUGE_PAGES_COUNT] = pages;
    let node = heaps[heapBase(t) + HUGE_LIST]!;
    while (cells[(node & CELL_MASK) + NODE_BLOCK] !== block) node = cells[(node & CELL_MASK) + NODE_NEXT]!;
    cells[(node & CELL_MASK) + NODE_PAGES] = pages;
  }

  /** zend_mm_realloc_huge, as far as the block stays where it is. */
  function resizeInPlace(t: ThreadSlot, block: Handle, size: Bytes): Resize {
    operations[OP_SLOW_CALLS]!++;
    const heap = heapBase(t);
    const record = slotOf(block) << SLOT_SHIFT_WORDS;
    const oldPages = slots[record + HUGE_PAGES_COUNT]!;
    const start = slots[record + START_PAGE]!;
    const newPages = Math.ceil(size / 4096);
    const more = newPages - oldPages;
    if (more === 0) return 'stays';
    if (more < 0) {
      storage.truncate(t, start, oldPages, newPages);
      heaps[heap + REAL_SIZE]! += more;
      sizes[t]! += more * 512;
    } else {
      if (!withinLimit(t, more, size)) return 'refused';
      if (!storage.extend(t, start, oldPages, newPages)) return 'moves';
      growReal(heap, more);
      large.grow(t, more * 512);
    }
    setPages(t, block, newPages);
    return 'stays';
  }

  return {
    allocHuge,
    freeHuge,
    resizeInPlace,
    pagesOf: (block: Handle): Pages => slots[(slotOf(block) << SLOT_SHIFT_WORDS) + HUGE_PAGES_COUNT]!,
  };
}

/** What became of a wish for another length: done in place, to be done by a copy, or forbidden by the limit. */
export type Resize = 'stays' | 'moves' | 'refused';

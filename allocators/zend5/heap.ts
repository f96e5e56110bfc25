import type { Allocator, Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import { AllocatorAbort } from '../../sim/contract/assert.ts';
import { OP_BYTES_CLEARED } from '../../sim/contract/operations.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import { CELL_MASK, LAYER_BIT } from '../zend/layout.ts';
import { createAlloc } from './alloc.ts';
import {
  ADDRESS,
  HEAP_HANDLE,
  heapBase,
  LARGEST_BLOCK,
  LENGTH,
  REQUESTED,
  STORAGE_HANDLE,
  TREE_OF_BLOCK,
  UNIT,
  UNIT_PAGE_SHIFT,
} from './layout.ts';
import { createParts, type Heap5Options } from './parts.ts';
import { createRealloc } from './realloc.ts';
import { createRequests } from './request.ts';

/** The blocks of PHP 5's heaps as the layer above sees them. */
export function createHeaps(machine: Machine, below: Allocator, options: Heap5Options) {
  const parts = createParts(machine, below, options);
  const { geometry, state, refusals, dataOf } = parts;
  const { heaps, blocks, trees, touchUnit, ownerOf } = state;
  const { kernel, operations } = machine;
  const { pages: pageStates, fault, touchRange } = kernel;
  const alloc = createAlloc(parts);
  const { allocate, release, isCached, isCacheable } = alloc;
  const { resize } = createRealloc(parts, alloc);
  const { begin, end, destroy } = createRequests(parts, alloc);
  const { header } = geometry;
  const { debug } = options;

  const handleOf = (block: number): Handle => (block === 0 ? 0 : block | LAYER_BIT);

  /** The debug build keeps the requested size, and writes a magic number behind the data. */
  function note(block: number, size: Bytes): void {
    trees[(block >> TREE_OF_BLOCK) + REQUESTED] = size | 0;
    touchUnit(Math.floor((dataOf(block) + size) / UNIT));
  }

  function malloc(t: ThreadSlot, size: Bytes): Handle {
    if (size > LARGEST_BLOCK) return 0;
    const block = allocate(t, size);
    if (debug && block !== 0) note(block, size);
    return handleOf(block);
  }

  function free(t: ThreadSlot, h: Handle): void {
    const block = h & CELL_MASK;
    if (ownerOf(block) !== t) foreign(t, block);
    if (debug) touchBlock(h, 0, trees[(block >> TREE_OF_BLOCK) + REQUESTED]! >>> 0);
    release(t, block);
  }

  function realloc(t: ThreadSlot, h: Handle, size: Bytes): Handle {
    const block = h & CELL_MASK;
    if (ownerOf(block) !== t) foreign(t, block);
    if (size > LARGEST_BLOCK) return 0;
    const result = resize(t, block, size);
    if (debug && result !== 0) note(result, size);
    return handleOf(result);
  }

  /**
   * A block in the hands of another thread's heap. The real one has no such check without debugging: both heaps would be
   * damaged.
   */
  function foreign(t: ThreadSlot, block: number): never {
    throw new AllocatorAbort(
      `zend_mm_heap corrupted (thread slot ${t} gives back a block of thread slot ${ownerOf(block)}’s heap)`,
    );
  }

  /** _ecalloc: the requested bytes are cleared. */
  function calloc(t: ThreadSlot, count: number, size: Bytes): Handle {
    const bytes = count * size;
    if (bytes >= 2 ** 64) {
      refusals.overflow(t, count, size);
      return 0;
    }
    const h = malloc(t, bytes);
    if (h !== 0 && bytes > 0) {
      operations[OP_BYTES_CLEARED]! += bytes;
      touchBlock(h, 0, bytes);
    }
    return h;
  }

  function touchBlock(h: Handle, from: Bytes, to: Bytes): void {
    if (to <= from) return;
    const unit = (blocks[(h & CELL_MASK) + ADDRESS]! >>> 0) + header;
    const first = (unit + Math.floor(from / UNIT)) >>> UNIT_PAGE_SHIFT;
    const last = (unit + Math.floor((to - 1) / UNIT)) >>> UNIT_PAGE_SHIFT;
    if (first === last) {
      if (pageStates[first] !== 1) fault(first);
    } else {
      touchRange(first, last);
    }
  }

  /** Where the cache has such a block: nothing but the thread's own heap is touched. */
  function mallocLocal(t: ThreadSlot, size: Bytes): Handle {
    return debug || !isCached(t, size) ? 0 : malloc(t, size);
  }

  function freeLocal(t: ThreadSlot, h: Handle): boolean {
    const block = h & CELL_MASK;
    if (debug || !isCacheable(t, block) || ownerOf(block) !== t) return false;
    free(t, h);
    return true;
  }

  /** _zend_mm_block_size: with the header, but for a debug build, where it is what was asked for. */
  function usableSize(h: Handle): Bytes {
    if (debug) return trees[((h & CELL_MASK) >> TREE_OF_BLOCK) + REQUESTED]! >>> 0;
    return blocks[(h & CELL_MASK) + LENGTH]! * UNIT;
  }

  return {
    state,
    refusals,
    malloc,
    calloc,
    realloc,
    free,
    touchBlock,
    mallocLocal,
    freeLocal,
    usableSize,
    addressOf: (h: Handle) => dataOf(h & CELL_MASK),
    begin,
    end,
    destroy,
    ownStructures: (t: ThreadSlot): Handle[] => [
      heaps[heapBase(t) + STORAGE_HANDLE]!,
      heaps[heapBase(t) + HEAP_HANDLE]!,
    ],
  };
}

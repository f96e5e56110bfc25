import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import { AllocatorAbort } from '../../sim/contract/assert.ts';
import { OP_BYTES_CLEARED } from '../../sim/contract/operations.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import { BIN_BY_UNITS, BIN_SIZE, MAX_SMALL_SIZE } from './bins.ts';
import { createChunks } from './chunk.ts';
import { createDebug, DEBUG_INFO_BYTES } from './debug.ts';
import { createGc } from './gc.ts';
import { createHuge } from './huge.ts';
import { createLarge } from './large.ts';
import {
  addressOf,
  BIN_MASK,
  CELL_MASK,
  CHUNK_PAGES,
  createState,
  FREE_SLOT,
  HEAP_SHIFT,
  heapBase,
  IS_SRUN,
  LRUN_PAGES_MASK,
  MAIN_CHUNK,
  MAX_LARGE_SIZE,
  OFFSET_MASK,
  OWNER,
  PAGE_CELL_SHIFT,
  SLOT_SHIFT,
  SLOT_SHIFT_WORDS,
  START_PAGE,
  type ZendVersion,
} from './layout.ts';
import { createLimits, createRefusals } from './limit.ts';
import { createRealloc } from './realloc.ts';
import { createRequests } from './request.ts';
import { createSmall } from './small.ts';
import { createStorage } from './storage.ts';

export interface HeapOptions {
  /** Bytes; Infinity for none. */
  readonly memoryLimit: Bytes;
  readonly hugePages: boolean;
  readonly debug: boolean;
}

/** Blocks of the largest size that fits a handle's arithmetic; PHP itself would stop at its memory limit long before. */
const MAX_REQUEST = 2 ** 35;

/** One heap for each thread that asks for memory (zend_mm_startup at the first request). */
export function createHeaps(machine: Machine, version: ZendVersion, options: HeapOptions) {
  const state = createState(machine, version);
  const { heaps, sizes, peaks, slots, map, cells } = state;
  const { kernel, operations } = machine;
  const { pages: pageStates, fault, touchRange } = kernel;
  const { debug } = options;
  const limits = createLimits(machine, options.memoryLimit);
  const storage = createStorage(state, options);
  const chunks = createChunks(state, storage);
  const gc = createGc(state, chunks);
  const refusals = createRefusals(machine, version === '7.1' ? '' : ' bytes');
  const large = createLarge(state, storage, chunks, gc, refusals, limits);
  const small = createSmall(state, large);
  const huge = createHuge(state, storage, gc, large, small, refusals, limits, debug);
  const requests = createRequests(state, storage, chunks, limits);
  const debugInfo = createDebug(state);
  const units = small.units;

  /** zend_mm_alloc_heap. */
  function malloc(t: ThreadSlot, size: Bytes): Handle {
    if (size > MAX_SMALL_SIZE) return allocBig(t, size);
    const bin = BIN_BY_UNITS[(size + 7) >>> 3]!;
    const heap = t << HEAP_SHIFT;
    const list = heap + FREE_SLOT + bin;
    const element = heaps[list]!;
    if (element === 0) return allocFirst(t, bin);
    heaps[list] = cells[element & CELL_MASK]!;
    const used = sizes[t]! + units[bin]!;
    sizes[t] = used;
    if (used > peaks[t]!) peaks[t] = used;
    return element;
  }

  function allocFirst(t: ThreadSlot, bin: number): Handle {
    return hasHeap(t) ? small.allocSmall(t, bin) : 0;
  }

  function allocBig(t: ThreadSlot, size: Bytes): Handle {
    if (size > MAX_LARGE_SIZE) return allocHuge(t, size);
    return hasHeap(t) ? large.allocLarge(t, size) : 0;
  }

  function allocHuge(t: ThreadSlot, size: Bytes): Handle {
    return size <= MAX_REQUEST && hasHeap(t) ? huge.allocHuge(t, size) : 0;
  }

  function hasHeap(t: ThreadSlot): boolean {
    return heaps[heapBase(t) + MAIN_CHUNK] !== 0 || requests.start(t);
  }

  /** zend_mm_free_heap. */
  function free(t: ThreadSlot, h: Handle): void {
    const cell = h & CELL_MASK;
    const info = map[cell >>> PAGE_CELL_SHIFT]!;
    if (slots[((cell >>> SLOT_SHIFT) << SLOT_SHIFT_WORDS) + OWNER] !== t + 1) foreign(t, cell >>> SLOT_SHIFT);
    if (info < 0) {
      const bin = info & BIN_MASK;
      const heap = t << HEAP_SHIFT;
      const list = heap + FREE_SLOT + bin;
      sizes[t]! -= units[bin]!;
      cells[cell] = heaps[list]!;
      heaps[list] = h;
    } else {
      freeBig(t, h, info);
    }
  }

  function freeBig(t: ThreadSlot, h: Handle, info: number): void {
    if ((h & OFFSET_MASK) === 0) {
      huge.freeHuge(t, h);
    } else {
      const page = ((h & CELL_MASK) >>> PAGE_CELL_SHIFT) & (CHUNK_PAGES - 1);
      large.freeLarge(t, (h & CELL_MASK) >>> SLOT_SHIFT, page, info & LRUN_PAGES_MASK);
    }
  }

  /** The check of chunk->heap: a block goes back to the heap that it came from, or the process ends. */
  function foreign(t: ThreadSlot, slot: number): never {
    const owner = slots[(slot << SLOT_SHIFT_WORDS) + OWNER]! - 1;
    throw new AllocatorAbort(
      `zend_mm_heap corrupted (thread slot ${t} gives back a block of thread slot ${owner}’s heap)`,
    );
  }

  const padded = debug
    ? (size: Bytes) => Math.ceil(Math.max(size, 1) / 8) * 8 + DEBUG_INFO_BYTES
    : (size: Bytes) => size;

  /** The debug build's zend_mm_alloc_heap: small and large blocks are longer; a huge one has room in its node. */
  function mallocDebug(t: ThreadSlot, size: Bytes): Handle {
    const needed = padded(size);
    const h = needed > MAX_LARGE_SIZE ? allocHuge(t, size) : malloc(t, needed);
    if (h !== 0) debugInfo.record(t, h, size);
    return h;
  }

  function freeDebug(t: ThreadSlot, h: Handle): void {
    if (slots[(((h & CELL_MASK) >>> SLOT_SHIFT) << SLOT_SHIFT_WORDS) + OWNER] === t + 1) debugInfo.record(t, h, 0);
    free(t, h);
  }

  const allocate = debug ? mallocDebug : malloc;
  const release = debug ? freeDebug : free;
  const reallocHeap = createRealloc(state, large, small, huge, {
    malloc: allocate,
    free: release,
    padded,
    requested: debug ? debugInfo.record : () => {},
  });

  function realloc(t: ThreadSlot, h: Handle, size: Bytes): Handle {
    const slot = (h & CELL_MASK) >>> SLOT_SHIFT;
    if (slots[(slot << SLOT_SHIFT_WORDS) + OWNER] !== t + 1) foreign(t, slot);
    if (size > MAX_REQUEST) return 0;
    return reallocHeap(t, h, size);
  }

  /** _ecalloc: the requested bytes are cleared. */
  function calloc(t: ThreadSlot, count: number, size: Bytes): Handle {
    const bytes = count * size;
    if (bytes >= 2 ** 64) {
      refusals.overflow(t, count, size);
      return 0;
    }
    const h = allocate(t, bytes);
    if (h !== 0 && bytes > 0) {
      operations[OP_BYTES_CLEARED]! += bytes;
      touchBlock(h, 0, bytes);
    }
    return h;
  }

  /** The pages of a run are resident since its links were written; only large and huge blocks can have new ones. */
  function touchBlock(h: Handle, from: Bytes, to: Bytes): void {
    const page = (h & CELL_MASK) >>> PAGE_CELL_SHIFT;
    if (map[page]! < 0) return;
    const start =
      slots[(((h & CELL_MASK) >>> SLOT_SHIFT) << SLOT_SHIFT_WORDS) + START_PAGE]! + (page & (CHUNK_PAGES - 1));
    const first = start + (from >>> 12);
    const last = start + ((to - 1) >>> 12);
    if (first === last) {
      if (pageStates[first] !== 1) fault(first);
    } else {
      touchRange(first, last);
    }
  }

  /** Where an element is at hand: nothing but the thread's own heap is touched. */
  function mallocLocal(t: ThreadSlot, size: Bytes): Handle {
    const needed = padded(size);
    if (needed > MAX_SMALL_SIZE) return 0;
    return heaps[heapBase(t) + FREE_SLOT + BIN_BY_UNITS[(needed + 7) >>> 3]!] === 0 ? 0 : allocate(t, size);
  }

  function freeLocal(t: ThreadSlot, h: Handle): boolean {
    const cell = h & CELL_MASK;
    if (map[cell >>> PAGE_CELL_SHIFT]! >= 0) return false;
    if (slots[((cell >>> SLOT_SHIFT) << SLOT_SHIFT_WORDS) + OWNER] !== t + 1) return false;
    release(t, h);
    return true;
  }

  function usableSize(h: Handle): Bytes {
    if ((h & OFFSET_MASK) === 0) return huge.pagesOf(h) * 4096;
    const info = map[(h & CELL_MASK) >>> PAGE_CELL_SHIFT]!;
    return info & IS_SRUN ? BIN_SIZE[info & BIN_MASK]! : (info & LRUN_PAGES_MASK) * 4096;
  }

  return {
    state,
    refusals,
    malloc: allocate,
    free: release,
    realloc,
    calloc,
    touchBlock,
    mallocLocal,
    freeLocal,
    usableSize,
    addressOf: (h: Handle) => addressOf(state, h),
    begin: (t: ThreadSlot): void => void hasHeap(t),
    end: requests.end,
    destroy: requests.destroy,
    setMemoryLimit: requests.setMemoryLimit,
    gc: (t: ThreadSlot): Bytes => (heaps[heapBase(t) + MAIN_CHUNK] === 0 ? 0 : gc(t)),
    leaksOf: debugInfo.leaksOf,
  };
}

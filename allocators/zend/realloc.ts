import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import { OP_BYTES_COPIED } from '../../sim/contract/operations.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import { BIN_SIZE, binOf, MAX_SMALL_SIZE } from './bins.ts';
import { isFreeRange, resetRange, setRange } from './bitmap.ts';
import type { Huge } from './huge.ts';
import type { Large } from './large.ts';
import {
  BIN_MASK,
  CELL_MASK,
  CHUNK_PAGES,
  FREE_MAP,
  FREE_PAGES,
  heapBase,
  IS_SRUN,
  LRUN_PAGES_MASK,
  lrun,
  MAX_LARGE_SIZE,
  OFFSET_MASK,
  offsetOf,
  PAGE_CELL_SHIFT,
  REAL_PEAK,
  REAL_SIZE,
  SLOT_SHIFT_WORDS,
  slotOf,
  type ZendState,
} from './layout.ts';
import type { Small } from './small.ts';

export interface ReallocCalls {
  readonly malloc: (t: ThreadSlot, size: Bytes) => Handle;
  readonly free: (t: ThreadSlot, h: Handle) => void;
  /** What a request of `size` takes of a small or large block: more than `size` in a debug build. */
  readonly padded: (size: Bytes) => Bytes;
  /** A debug build writes the requested size into the block. */
  readonly requested: (t: ThreadSlot, h: Handle, size: Bytes) => void;
}

/** zend_mm_realloc_heap: in place where the rules allow it, else a new block, a copy and a free. */
export function createRealloc(state: ZendState, large: Large, small: Small, huge: Huge, calls: ReallocCalls) {
  const { heaps, sizes, peaks, slots, map, machine } = state;
  const { kernel, operations } = machine;
  const restoresRealPeak = state.version === '7.1';
  const staysWhileItFits = state.version !== '7.1';

  /** memcpy: the source is read, the target written. */
  function copy(from: Handle, to: Handle, bytes: Bytes): void {
    if (bytes === 0) return;
    operations[OP_BYTES_COPIED]! += bytes;
    const source = state.startPageOf(from) * 4096 + offsetOf(from);
    const target = state.startPageOf(to) * 4096 + offsetOf(to);
    kernel.readRange(Math.floor(source / 4096), Math.floor((source + bytes - 1) / 4096));
    kernel.touchRange(Math.floor(target / 4096), Math.floor((target + bytes - 1) / 4096));
  }

  /** zend_mm_realloc_slow: while both blocks are live the peak does not count. */
  function move(t: ThreadSlot, h: Handle, size: Bytes, copied: Bytes): Handle {
    const heap = heapBase(t);
    const peak = peaks[t]!;
    const realPeak = heaps[heap + REAL_PEAK]!;
    const moved = calls.malloc(t, size);
    if (moved === 0) return 0;
    copy(h, moved, copied);
    calls.free(t, h);
    peaks[t] = Math.max(peak, sizes[t]!);
    if (restoresRealPeak) heaps[heap + REAL_PEAK] = Math.max(realPeak, heaps[heap + REAL_SIZE]!);
    return moved;
  }

  function reallocSmall(t: ThreadSlot, h: Handle, size: Bytes, bin: number): Handle {
    const oldSize = BIN_SIZE[bin]!;
    const needed = calls.padded(size);
    if (needed > MAX_SMALL_SIZE) return move(t, h, size, Math.min(oldSize, size));
    if (staysWhileItFits) {
      const grows = needed > oldSize;
      // A block shrinks only where it fits into a smaller bin.
      if (!grows && !(bin > 0 && needed < BIN_SIZE[bin - 1]!)) return h;
      const peak = peaks[t]!;
      const moved = small.allocSmall(t, binOf(needed));
      if (moved === 0) return 0;
      copy(h, moved, grows ? oldSize : needed);
      small.freeSmall(t, h, bin);
      if (grows) peaks[t] = Math.max(peak, sizes[t]!);
      return moved;
    }
    return binOf(needed) === bin ? h : move(t, h, size, Math.min(oldSize, size));
  }

  function reallocLarge(t: ThreadSlot, h: Handle, size: Bytes, oldPages: number): Handle {
    const needed = calls.padded(size);
    if (needed > MAX_SMALL_SIZE && needed <= MAX_LARGE_SIZE) {
      const newPages = Math.ceil(needed / 4096);
      const record = slotOf(h) << SLOT_SHIFT_WORDS;
      const index = (h & CELL_MASK) >>> PAGE_CELL_SHIFT;
      const page = index & (CHUNK_PAGES - 1);
      const more = newPages - oldPages;
      if (more === 0) return h;
      if (more < 0) {
        // The tail becomes free pages; free_tail keeps its value, and an emptied chunk cannot come of it.
        sizes[t]! += more * 512;
        map[index] = lrun(newPages);
        slots[record + FREE_PAGES]! -= more;
        resetRange(slots, record + FREE_MAP, page + newPages, -more);
        return h;
      }
      if (page + newPages <= CHUNK_PAGES && isFreeRange(slots, record + FREE_MAP, page + oldPages, more)) {
        large.grow(t, more * 512);
        slots[record + FREE_PAGES]! -= more;
        setRange(slots, record + FREE_MAP, page + oldPages, more);
        map[index] = lrun(newPages);
        return h;
      }
    }
    return move(t, h, size, Math.min(oldPages * 4096, size));
  }

  function resize(t: ThreadSlot, h: Handle, size: Bytes): Handle {
    if ((h & OFFSET_MASK) === 0) {
      const outcome = calls.padded(size) > MAX_LARGE_SIZE ? huge.resizeInPlace(t, h, size) : 'moves';
      if (outcome === 'stays') return h;
      if (outcome === 'refused') return 0;
      return move(t, h, size, Math.min(huge.pagesOf(h) * 4096, size));
    }
    const info = map[(h & CELL_MASK) >>> PAGE_CELL_SHIFT]!;
    if (info & IS_SRUN) return reallocSmall(t, h, size, info & BIN_MASK);
    return reallocLarge(t, h, size, info & LRUN_PAGES_MASK);
  }

  return function realloc(t: ThreadSlot, h: Handle, size: Bytes): Handle {
    const result = resize(t, h, size);
    if (result !== 0) calls.requested(t, result, size);
    return result;
  };
}

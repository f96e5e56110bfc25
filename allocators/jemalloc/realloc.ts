import type { Handle, ThreadSlot } from '../../sim/contract/allocator.ts';
import * as counters from '../../sim/contract/operations.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { Heap } from './heap.ts';
import * as classes from './size-classes.ts';
import { sizeToIndex } from './size-classes.ts';
import * as tables from './state.ts';

/** realloc (jemalloc.c: do_rallocx, arena.c: arena_ralloc), on top of what malloc and free end in. */
export function createRealloc(
  heap: Heap,
  inner: {
    arenaMalloc(t: ThreadSlot, size: Bytes, sizeClass: number, zeroed: boolean): number;
    arenaDalloc(t: ThreadSlot, h: Handle): void;
  },
) {
  const { arenaMalloc, arenaDalloc } = inner;
  const { OP_BYTES_CLEARED, OP_BYTES_COPIED, OP_SLOW_CALLS } = counters;
  const { CACHELINE, INDEX_SIZE, LARGE_MINCLASS, NSIZES, PAGE, SMALL_MAXCLASS } = classes;
  const { E_ARENA, E_START, HANDLE_SHIFT, LG_EXTENT_WORDS } = tables;
  const { arenas, large, threads } = heap;
  const { handOut, touchBlock, offsetOf } = heap.blockPages;
  const { config, extentClass, extents, kernel, operations } = heap.state;

  /** arena_ralloc: in place where the class stays, or where a large block can grow or shrink; else moved. */
  function arenaRalloc(t: ThreadSlot, h: Handle, usable: Bytes): Handle {
    const e = h >> HANDLE_SHIFT;
    const oldUsable = INDEX_SIZE[extentClass[e]!]!;
    const zeroed = config.zero;
    if (usable <= SMALL_MAXCLASS && oldUsable === usable) {
      arenas.decayTicks(t, extents[(e << LG_EXTENT_WORDS) + E_ARENA]!, 1); // arena_ralloc_no_move
      return h;
    }
    let moved: Handle;
    if (oldUsable >= LARGE_MINCLASS && usable >= LARGE_MINCLASS) {
      if (large.rallocNoMove(t, e, usable, zeroed)) return h; // large_ralloc
      moved = large.palloc(t, -1, sizeToIndex(usable), CACHELINE, zeroed);
    } else {
      moved = handOut(arenaMalloc(t, usable, sizeToIndex(usable), zeroed)); // arena_ralloc_move_helper
    }
    if (moved === 0) return 0;
    copy(moved, h, Math.min(usable, oldUsable));
    arenaDalloc(t, h);
    return moved;
  }

  /** memcpy */
  function copy(to: Handle, from: Handle, length: Bytes): void {
    operations[OP_BYTES_COPIED]! += length;
    const start = extents[((from >> HANDLE_SHIFT) << LG_EXTENT_WORDS) + E_START]!;
    const offset = offsetOf(from);
    kernel.readRange(start + (offset >> 12), start + Math.floor((offset + length - 1) / PAGE));
    touchBlock(to, 0, length);
  }

  /** do_rallocx */
  function realloc(t: ThreadSlot, h: Handle, size: Bytes): Handle {
    operations[OP_SLOW_CALLS]!++;
    if (!threads.fetch(t)) return 0;
    const oldClass = extentClass[h >> HANDLE_SHIFT]!;
    const sizeClass = sizeToIndex(size);
    if (sizeClass >= NSIZES) return 0;
    const moved = arenaRalloc(t, h, INDEX_SIZE[sizeClass]!);
    if (moved === 0) return 0;
    threads.allocEvent(t, sizeClass);
    threads.dallocEvent(t, oldClass);
    if (config.junkAlloc && !config.zero && INDEX_SIZE[sizeClass]! > INDEX_SIZE[oldClass]!) {
      operations[OP_BYTES_CLEARED]! += INDEX_SIZE[sizeClass]! - INDEX_SIZE[oldClass]!;
      touchBlock(moved, INDEX_SIZE[oldClass]!, INDEX_SIZE[sizeClass]!);
    }
    return moved;
  }

  return { realloc };
}

import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { OP_COALESCES, OP_SPLITS } from '../../sim/contract/operations.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import type { FreeLists } from './free-lists.ts';
import { ADDRESS, AFTER, BEFORE, FREE, type Geometry, LENGTH, SEGMENT, STATE, type Zend5State } from './layout.ts';
import type { Segments } from './segment.ts';

/** The lists and segments that the blocks of a heap lie in. */
export type Blocks = ReturnType<typeof createBlocks>;

/** Blocks cut and joined (zend_alloc.c: zend_mm_create_block, ZEND_MM_NEXT_BLOCK and what their callers do with them). */
export function createBlocks(
  machine: Machine,
  geometry: Geometry,
  state: Zend5State,
  lists: FreeLists,
  segments: Segments,
  isDebug: boolean,
) {
  const { blocks, touchUnit, touchUnits } = state;
  const { operations } = machine;
  const { header, minimum } = geometry;

  /** Cuts `block` to `units` if a block can be made of the rest, which is returned: free, on no list. 0: it stays whole. */
  function split(heap: number, block: number, units: number): number {
    const rest = blocks[block + LENGTH]! - units;
    // A block's _size and _prev have been written when the block was made; the rest of a debug build's header has not.
    if (isDebug) touchUnit((blocks[block + ADDRESS]! >>> 0) + header - 1);
    if (rest < minimum) return 0;
    operations[OP_SPLITS]!++;
    const tail = state.takeRecord(heap);
    const after = blocks[block + AFTER]!;
    blocks[block + LENGTH] = units;
    blocks[block + AFTER] = tail;
    blocks[tail + LENGTH] = rest;
    blocks[tail + ADDRESS] = blocks[block + ADDRESS]! + units;
    blocks[tail + STATE] = FREE;
    blocks[tail + BEFORE] = block;
    blocks[tail + AFTER] = after;
    blocks[tail + SEGMENT] = 0;
    if (after !== 0) blocks[after + BEFORE] = tail;
    touchUnits(blocks[tail + ADDRESS]! >>> 0, 2);
    return tail;
  }

  /** `block` swallows the one behind it, which is on no list. */
  function absorb(heap: number, block: number, behind: number): void {
    operations[OP_COALESCES]!++;
    const after = blocks[behind + AFTER]!;
    blocks[block + LENGTH]! += blocks[behind + LENGTH]!;
    blocks[block + AFTER] = after;
    if (after !== 0) blocks[after + BEFORE] = block;
    state.giveRecord(heap, behind);
  }

  function isFree(block: number): boolean {
    return blocks[block + STATE] === FREE;
  }

  /** The block with a free one behind it, which leaves its list. */
  function joinNext(heap: number, block: number): number {
    const after = blocks[block + AFTER]!;
    if (isFree(after)) {
      lists.remove(heap, after);
      absorb(heap, block, after);
    }
    return block;
  }

  function joinPrevious(heap: number, block: number): number {
    const before = blocks[block + BEFORE]!;
    if (!isFree(before)) return block;
    lists.remove(heap, before);
    absorb(heap, before, block);
    return before;
  }

  /** A joined block becomes free; a segment that is free as a whole goes back to where it came from. */
  function list(t: ThreadSlot, heap: number, block: number): void {
    if (blocks[block + SEGMENT] !== 0 && blocks[block + AFTER] === 0) {
      segments.remove(t, heap, block);
      return;
    }
    blocks[block + STATE] = FREE;
    lists.add(heap, block);
  }

  return { split, absorb, isFree, joinNext, joinPrevious, list };
}

import {
  type Allocator,
  type AreaVisitor,
  type Handle,
  RANGE_CACHED,
  RANGE_FREE,
  RANGE_LIVE,
  RANGE_METADATA,
  type RangeVisitor,
  type ThreadSlot,
} from '../../sim/contract/allocator.ts';
import { LAYER_BIT } from '../zend/layout.ts';
import {
  ADDRESS,
  AFTER,
  addressOfUnit,
  BASELINE_HANDLE,
  CACHED,
  FREE,
  HEAP_HANDLE,
  heapBase,
  LENGTH,
  REQUESTED,
  RESERVE,
  SEGMENT_ADDRESS,
  SEGMENT_FIRST,
  SEGMENT_HANDLE,
  SEGMENT_LENGTH,
  SEGMENT_NEXT,
  SEGMENTS,
  STARTED,
  STATE,
  STORAGE_HANDLE,
  segmentAt,
  TREE_OF_BLOCK,
  UNIT,
  type Zend5State,
} from './layout.ts';

/** Threads that have a heap. */
export function heapThreads(state: Zend5State): ThreadSlot[] {
  const list: ThreadSlot[] = [];
  for (let t = 0; t < state.machine.threadSlots; t++) if (state.heaps[heapBase(t) + STARTED] !== 0) list.push(t);
  return list;
}

/** The heap's segments, the newest first. */
export function segmentsOf(state: Zend5State, t: ThreadSlot): number[] {
  const list: number[] = [];
  let segment = state.heaps[heapBase(t) + SEGMENTS]!;
  for (; segment !== 0; segment = state.segments[segmentAt(segment) + SEGMENT_NEXT]!) list.push(segment);
  return list;
}

/** Calls `visit` for each block of a segment, in order of address. */
export function forEachBlock(state: Zend5State, segment: number, visit: (block: number) => void): void {
  const { blocks, segments } = state;
  for (let b = segments[segmentAt(segment) + SEGMENT_FIRST]!; b !== 0; b = blocks[b + AFTER]!) visit(b);
}

/**
 * Every byte of every heap in exactly one range. _zend_mm_block_size() counts a block's header; so that ranges and usable
 * sizes agree, a block's range begins at its data and ends with the header of the next one.
 */
export function walkHeaps(state: Zend5State, below: Allocator, ofMalloc: boolean, visit: RangeVisitor): void {
  const { heaps, blocks, trees, segments, geometry } = state;
  const isDebug = geometry.endMagic > 0; // its _zend_mm_block_size() is what was asked for
  const headerBytes = geometry.header * UNIT;
  for (const handle of structuresOf(state)) {
    visit(below.addressOf(handle), below.usableSize(handle), RANGE_METADATA, 0);
  }
  for (const t of heapThreads(state)) {
    const reserve = heaps[heapBase(t) + RESERVE]!;
    for (const segment of segmentsOf(state, t)) {
      const s = segmentAt(segment);
      const start = addressOfUnit(segments[s + SEGMENT_ADDRESS]!);
      const length = segments[s + SEGMENT_LENGTH]! * UNIT;
      visit(start, geometry.segment * UNIT + headerBytes, RANGE_METADATA, 0);
      forEachBlock(state, segment, (block) => {
        const data = addressOfUnit(blocks[block + ADDRESS]!) + headerBytes;
        const bytes = blocks[block + LENGTH]! * UNIT;
        const kind = blocks[block + STATE];
        if (kind === FREE) visit(data, bytes, RANGE_FREE, 0);
        else if (kind === CACHED) visit(data, bytes, RANGE_CACHED, 0);
        else if (block === reserve) visit(data, bytes, RANGE_METADATA, 0);
        else {
          const usable = isDebug ? trees[(block >> TREE_OF_BLOCK) + REQUESTED]! >>> 0 : bytes;
          visit(data, usable, RANGE_LIVE, block | LAYER_BIT);
          if (bytes > usable) visit(data + usable, bytes - usable, RANGE_METADATA, 0);
        }
      });
      const tail = tailOf(segments[s + SEGMENT_HANDLE]!, start, length, below, ofMalloc);
      if (tail > 0) visit(start + length, tail, RANGE_METADATA, 0);
    }
  }
}

/** Of these, what is free or cached. Blocks of the running requests are passed on the way; those of malloc are not. */
export function walkFreeHeaps(state: Zend5State, visit: RangeVisitor): void {
  const { blocks, geometry } = state;
  for (const t of heapThreads(state)) {
    for (const segment of segmentsOf(state, t)) {
      forEachBlock(state, segment, (block) => {
        const kind = blocks[block + STATE];
        if (kind !== FREE && kind !== CACHED) return;
        const data = addressOfUnit(blocks[block + ADDRESS]!) + geometry.header * UNIT;
        visit(data, blocks[block + LENGTH]! * UNIT, kind === FREE ? RANGE_FREE : RANGE_CACHED, 0);
      });
    }
  }
}

/** What the layer below gave beyond a segment's length: up to its usable size, or to the end of the page. */
function tailOf(handle: Handle, start: number, length: number, below: Allocator, ofMalloc: boolean): number {
  if (ofMalloc) return below.addressOf(handle) + below.usableSize(handle) - (start + length);
  return Math.ceil(length / 4096) * 4096 - length;
}

/** Blocks of the layer below that hold the real heaps' structures, and the one for the rest of the process. */
function structuresOf(state: Zend5State): Handle[] {
  const { heaps } = state;
  const handles = [heaps[BASELINE_HANDLE]!];
  for (const t of heapThreads(state)) {
    handles.push(heaps[heapBase(t) + STORAGE_HANDLE]!, heaps[heapBase(t) + HEAP_HANDLE]!);
  }
  return handles.filter((handle) => handle !== 0);
}

/** Blocks of the layer below that belong to this one. */
export function heldHandles(state: Zend5State, ofMalloc: boolean): Set<Handle> {
  const held = new Set(structuresOf(state));
  for (const t of heapThreads(state)) {
    if (ofMalloc) for (const s of segmentsOf(state, t)) held.add(state.segments[segmentAt(s) + SEGMENT_HANDLE]!);
  }
  return held;
}

/** Segments as pieces of address space; those from malloc are pieces of the layer below. */
export function areasOf(state: Zend5State, ofMalloc: boolean, visit: AreaVisitor): void {
  if (ofMalloc) return;
  for (const t of heapThreads(state)) {
    segmentsOf(state, t).forEach((segment, i) => {
      const s = segmentAt(segment);
      const bytes = Math.ceil((state.segments[s + SEGMENT_LENGTH]! * UNIT) / 4096) * 4096;
      visit(addressOfUnit(state.segments[s + SEGMENT_ADDRESS]!), bytes, `Zend segment ${i + 1}`, 'mapped');
    });
  }
}

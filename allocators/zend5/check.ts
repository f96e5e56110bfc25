import type { ThreadSlot } from '../../sim/contract/allocator.ts';
import { assert } from '../../sim/contract/assert.ts';
import {
  ADDRESS,
  AFTER,
  BEFORE,
  BUCKETS,
  CACHE,
  CACHED,
  CACHED_SIZE,
  CHILD,
  FORGOTTEN,
  FREE,
  heapBase,
  LARGE_BITMAP,
  LARGE_BUCKETS,
  LENGTH,
  NEXT_FREE,
  PARENT,
  PEAK,
  PREV_FREE,
  REAL_PEAK,
  REAL_SIZE,
  RECORD_WORDS,
  REST_BLOCK,
  REST_COUNT,
  REST_SENTINEL,
  SEGMENT,
  SEGMENT_ADDRESS,
  SEGMENT_FIRST,
  SEGMENT_LENGTH,
  SENTINELS,
  SIZE,
  STATE,
  segmentAt,
  TREE_OF_BLOCK,
  type Zend5State,
} from './layout.ts';
import { forEachBlock, heapThreads, segmentsOf } from './walk.ts';

/** Every invariant of every heap, or an InvariantError that names the heap and the place. */
export function checkHeaps(state: Zend5State): void {
  for (const t of heapThreads(state)) checkHeap(state, t);
}

function checkHeap(state: Zend5State, t: ThreadSlot): void {
  const { heaps, segments } = state;
  const heap = heapBase(t);
  const where = `heap of thread slot ${t}`;
  const free = new Set<number>();
  const cached = new Set<number>();
  let real = 0;
  let used = 0;
  for (const segment of segmentsOf(state, t)) {
    real += segments[segmentAt(segment) + SEGMENT_LENGTH]!;
    used += checkSegment(state, t, segment, free, cached, where);
  }
  assert(real === heaps[heap + REAL_SIZE], `${where}: real_size and the segments differ`);
  assert(real <= heaps[heap + REAL_PEAK]!, `${where}: real_size above its peak`);
  assert(
    used + heaps[heap + FORGOTTEN]! === heaps[heap + SIZE],
    `${where}: size is ${heaps[heap + SIZE]}, found ${used} units in use`,
  );
  assert(heaps[heap + SIZE]! <= heaps[heap + PEAK]!, `${where}: size above its peak`);
  checkCache(state, heap, cached, where);
  const listed = new Set<number>();
  checkLists(state, heap, free, listed, where);
  for (let bucket = 0; bucket < 32; bucket++) {
    const root = heaps[heap + LARGE_BUCKETS + bucket]!;
    assert(
      (root !== 0) === (((heaps[heap + LARGE_BITMAP]! >>> bucket) & 1) === 1),
      `${where}: large bitmap, bit ${bucket}`,
    );
    if (root !== 0) checkTree(state, heap, root, -1 - bucket, bucket, free, listed, where);
  }
  assert(listed.size === free.size, `${where}: ${free.size} free blocks, ${listed.size} of them on lists`);
}

/** Returns the units of the segment's blocks that heap->size counts: used and cached. */
function checkSegment(
  state: Zend5State,
  t: ThreadSlot,
  segment: number,
  free: Set<number>,
  cached: Set<number>,
  where: string,
): number {
  const { blocks, segments, geometry } = state;
  const s = segmentAt(segment);
  const place = `${where}, segment ${segment}`;
  const start = segments[s + SEGMENT_ADDRESS]! >>> 0;
  let address = start + geometry.segment;
  let before = 0;
  let wasFree = false;
  let counted = 0;
  assert(blocks[segments[s + SEGMENT_FIRST]! + SEGMENT] === segment, `${place}: its first block is of another`);
  forEachBlock(state, segment, (block) => {
    assert(blocks[block + ADDRESS]! >>> 0 === address, `${place}, block ${block}: a gap or an overlap`);
    assert(blocks[block + BEFORE] === before, `${place}, block ${block}: does not know the one before it`);
    assert(before === 0 || blocks[block + SEGMENT] === 0, `${place}, block ${block}: marked as a first block`);
    assert(blocks[block + LENGTH]! >= geometry.minimum, `${place}, block ${block}: too short`);
    assert(state.ownerOf(block) === t, `${place}, block ${block}: of another heap`);
    const kind = blocks[block + STATE]!;
    assert(!(wasFree && kind === FREE), `${place}, block ${block}: two free blocks side by side`);
    wasFree = kind === FREE;
    if (kind === FREE) free.add(block);
    else counted += blocks[block + LENGTH]!;
    if (kind === CACHED) cached.add(block);
    address += blocks[block + LENGTH]!;
    before = block;
  });
  assert(blocks[before + AFTER] === 0, `${place}: the last block is not the last`);
  assert(address + geometry.header === start + segments[s + SEGMENT_LENGTH]!, `${place}: its blocks do not fill it`);
  return counted;
}

function checkCache(state: Zend5State, heap: number, cached: ReadonlySet<number>, where: string): void {
  const { heaps, blocks, geometry } = state;
  let count = 0;
  let units = 0;
  for (let index = 0; index < BUCKETS; index++) {
    for (let b = heaps[heap + CACHE + index]!; b !== 0; b = blocks[b + PREV_FREE]!) {
      assert(cached.has(b) && blocks[b + LENGTH] === index + geometry.minimum, `${where}: cache bucket ${index}`);
      units += blocks[b + LENGTH]!;
      count++;
    }
  }
  assert(count === cached.size && units === heaps[heap + CACHED_SIZE], `${where}: cached does not add up`);
}

/** The small buckets and the rest list. */
function checkLists(
  state: Zend5State,
  heap: number,
  free: ReadonlySet<number>,
  listed: Set<number>,
  where: string,
): void {
  const { heaps, blocks, trees, geometry } = state;
  let restCount = 0;
  for (let list = 0; list <= REST_SENTINEL; list++) {
    const sentinel = heaps[heap + SENTINELS]! + list * RECORD_WORDS;
    let previous = sentinel;
    for (let b = blocks[sentinel + NEXT_FREE]!; b !== sentinel; b = blocks[b + NEXT_FREE]!) {
      assert(blocks[b + PREV_FREE] === previous, `${where}, list ${list}: broken at block ${b}`);
      assert(free.has(b) && !listed.has(b), `${where}, list ${list}: block ${b} is not free, or on two lists`);
      listed.add(b);
      const length = blocks[b + LENGTH]!;
      if (list < REST_SENTINEL)
        assert(length === list + geometry.minimum, `${where}, list ${list}: block of ${length} units`);
      else if (length >= geometry.minimum + BUCKETS) {
        assert(
          trees[(b >> TREE_OF_BLOCK) + PARENT] === REST_BLOCK,
          `${where}: block ${b} of the rest list is not marked`,
        );
        restCount++;
      }
      previous = b;
    }
    assert(blocks[sentinel + PREV_FREE] === previous, `${where}, list ${list}: its end`);
  }
  assert(
    restCount === heaps[heap + REST_COUNT],
    `${where}: rest_count is ${heaps[heap + REST_COUNT]}, found ${restCount}`,
  );
}

function checkTree(
  state: Zend5State,
  heap: number,
  node: number,
  pointer: number,
  bucket: number,
  free: ReadonlySet<number>,
  listed: Set<number>,
  where: string,
): void {
  const { blocks, trees } = state;
  const place = `${where}, tree ${bucket}, node ${node}`;
  const length = blocks[node + LENGTH]!;
  assert(31 - Math.clz32(length) === bucket, `${place}: ${length} units are of another tree`);
  assert(trees[(node >> TREE_OF_BLOCK) + PARENT] === pointer, `${place}: does not know what points to it`);
  let member = node;
  do {
    assert(free.has(member) && !listed.has(member), `${place}: member ${member} is not free, or on two lists`);
    listed.add(member);
    assert(blocks[member + LENGTH] === length, `${place}: its ring has another length`);
    const next = blocks[member + NEXT_FREE]!;
    assert(blocks[next + PREV_FREE] === member, `${place}: its ring is broken`);
    member = next;
  } while (member !== node);
  for (let child = 0; child < 2; child++) {
    const next = trees[(node >> TREE_OF_BLOCK) + CHILD + child]!;
    if (next !== 0) checkTree(state, heap, next, node * 2 + child, bucket, free, listed, where);
  }
}

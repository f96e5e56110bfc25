import { OP_LIST_INSERTS, OP_TREE_STEPS } from '../../sim/contract/operations.ts';
import {
  ADDRESS,
  BUCKETS,
  CHILD,
  LARGE_BITMAP,
  LARGE_BUCKETS,
  LENGTH,
  NEXT_FREE,
  PARENT,
  PREV_FREE,
  RECORD_WORDS,
  REST_BLOCK,
  REST_COUNT,
  REST_SENTINEL,
  SENTINELS,
  SMALL_BITMAP,
  TREE_OF_BLOCK,
  type Zend5State,
} from './layout.ts';

/** ZEND_MM_MAX_REST_BLOCKS. */
const MAX_REST_BLOCKS = 16;

export type FreeLists = ReturnType<typeof createFreeLists>;

/**
 * Free blocks: 64 lists for the small lengths, one each; for the larger ones a tree for each power of two, whose branches
 * go by the length's bits below the highest, and where blocks of one length form a ring of which one is in the tree;
 * and the rest list, for what a large allocation left over in a segment of its own.
 */
export function createFreeLists(state: Zend5State) {
  const { heaps, blocks, trees, geometry, touchUnits, machine } = state;
  const { operations } = machine;
  const { minimum, links } = geometry;
  const isSmall = (length: number) => length < minimum + BUCKETS;

  /** The links of a free block may lie on a page that nobody has written yet. */
  function touchLinks(record: number, words: number): void {
    touchUnits((blocks[record + ADDRESS]! >>> 0) + links, words);
  }

  /** A pointer to a node, as PARENT holds it. */
  function readPointer(heap: number, pointer: number): number {
    if (pointer < 0) return heaps[heap + LARGE_BUCKETS - 1 - pointer]!;
    return trees[((pointer >> 1) >> TREE_OF_BLOCK) + CHILD + (pointer & 1)]!;
  }

  function writePointer(heap: number, pointer: number, node: number): void {
    if (pointer < 0) heaps[heap + LARGE_BUCKETS - 1 - pointer] = node;
    else trees[((pointer >> 1) >> TREE_OF_BLOCK) + CHILD + (pointer & 1)] = node;
  }

  function becomeNode(heap: number, record: number, pointer: number): void {
    writePointer(heap, pointer, record);
    trees[(record >> TREE_OF_BLOCK) + PARENT] = pointer;
    blocks[record + PREV_FREE] = record;
    blocks[record + NEXT_FREE] = record;
  }

  function insertLarge(heap: number, record: number, length: number): void {
    const bucket = 31 - Math.clz32(length);
    const tree = record >> TREE_OF_BLOCK;
    trees[tree + CHILD] = 0;
    trees[tree + CHILD + 1] = 0;
    touchLinks(record, 5);
    let pointer = -1 - bucket;
    let node = readPointer(heap, pointer);
    if (node === 0) {
      becomeNode(heap, record, pointer);
      heaps[heap + LARGE_BITMAP]! |= 1 << bucket;
      return;
    }
    for (let bit = bucket - 1; ; bit--) {
      operations[OP_TREE_STEPS]!++;
      if (blocks[node + LENGTH] === length) {
        // A ring of equal lengths: behind the one that is in the tree.
        const next = blocks[node + NEXT_FREE]!;
        blocks[node + NEXT_FREE] = record;
        blocks[next + PREV_FREE] = record;
        blocks[record + NEXT_FREE] = next;
        blocks[record + PREV_FREE] = node;
        trees[tree + PARENT] = 0;
        return;
      }
      pointer = node * 2 + (bit < 0 ? 0 : (length >>> bit) & 1);
      node = readPointer(heap, pointer);
      if (node === 0) {
        becomeNode(heap, record, pointer);
        return;
      }
    }
  }

  /** zend_mm_add_to_free_list. */
  function add(heap: number, record: number): void {
    operations[OP_LIST_INSERTS]!++;
    const length = blocks[record + LENGTH]!;
    if (!isSmall(length)) {
      insertLarge(heap, record, length);
      return;
    }
    const index = length - minimum;
    const sentinel = heaps[heap + SENTINELS]! + index * RECORD_WORDS;
    if (blocks[sentinel + PREV_FREE] === sentinel) heaps[heap + SMALL_BITMAP + (index >> 5)]! |= 1 << (index & 31);
    const next = blocks[sentinel + NEXT_FREE]!;
    blocks[record + PREV_FREE] = sentinel;
    blocks[record + NEXT_FREE] = next;
    blocks[sentinel + NEXT_FREE] = record;
    blocks[next + PREV_FREE] = record;
    touchLinks(record, 2);
  }

  /** A tree node that stands alone in its ring: its deepest descendant on the side of the larger takes its place. */
  function removeNode(heap: number, record: number): void {
    const tree = record >> TREE_OF_BLOCK;
    let child = trees[tree + CHILD + 1] !== 0 ? 1 : 0;
    let owner = record;
    let heir = trees[tree + CHILD + child]!;
    if (heir === 0) {
      const pointer = trees[tree + PARENT]!;
      writePointer(heap, pointer, 0);
      const bucket = 31 - Math.clz32(blocks[record + LENGTH]!);
      if (pointer === -1 - bucket) heaps[heap + LARGE_BITMAP]! &= ~(1 << bucket);
      return;
    }
    for (;;) {
      operations[OP_TREE_STEPS]!++;
      const further = trees[(heir >> TREE_OF_BLOCK) + CHILD + 1] !== 0 ? 1 : 0;
      const next = trees[(heir >> TREE_OF_BLOCK) + CHILD + further]!;
      if (next === 0) break;
      owner = heir;
      child = further;
      heir = next;
    }
    trees[(owner >> TREE_OF_BLOCK) + CHILD + child] = 0;
    substitute(heap, record, heir);
  }

  /** `heir` takes the place of `record` in the tree. */
  function substitute(heap: number, record: number, heir: number): void {
    const tree = record >> TREE_OF_BLOCK;
    const pointer = trees[tree + PARENT]!;
    writePointer(heap, pointer, heir);
    trees[(heir >> TREE_OF_BLOCK) + PARENT] = pointer;
    for (let child = 0; child < 2; child++) {
      const node = trees[tree + CHILD + child]!;
      trees[(heir >> TREE_OF_BLOCK) + CHILD + child] = node;
      if (node !== 0) trees[(node >> TREE_OF_BLOCK) + PARENT] = heir * 2 + child;
    }
  }

  /** zend_mm_remove_from_free_list: from whichever list the block is on. */
  function remove(heap: number, record: number): void {
    operations[OP_LIST_INSERTS]!++;
    const previous = blocks[record + PREV_FREE]!;
    const next = blocks[record + NEXT_FREE]!;
    if (previous === record) {
      removeNode(heap, record);
      return;
    }
    blocks[previous + NEXT_FREE] = next;
    blocks[next + PREV_FREE] = previous;
    const length = blocks[record + LENGTH]!;
    if (isSmall(length)) {
      if (previous !== next) return;
      // The real test holds for a bucket with a single block too, where a small block leaves an otherwise empty rest list.
      const index = length - minimum;
      const sentinel = heaps[heap + SENTINELS]! + index * RECORD_WORDS;
      if (blocks[sentinel + PREV_FREE] === blocks[sentinel + NEXT_FREE]) {
        heaps[heap + SMALL_BITMAP + (index >> 5)]! &= ~(1 << (index & 31));
      }
      return;
    }
    const parent = trees[(record >> TREE_OF_BLOCK) + PARENT]!;
    if (parent === REST_BLOCK) heaps[heap + REST_COUNT]!--;
    else if (parent !== 0) substitute(heap, record, previous);
  }

  /** zend_mm_add_to_rest_list: the oldest make room where there are 16 large ones. */
  function addRest(heap: number, record: number): void {
    const sentinel = heaps[heap + SENTINELS]! + REST_SENTINEL * RECORD_WORDS;
    while (heaps[heap + REST_COUNT]! >= MAX_REST_BLOCKS) {
      const oldest = blocks[sentinel + NEXT_FREE]!;
      if (!isSmall(blocks[oldest + LENGTH]!)) heaps[heap + REST_COUNT]!--;
      const previous = blocks[oldest + PREV_FREE]!;
      const next = blocks[oldest + NEXT_FREE]!;
      blocks[previous + NEXT_FREE] = next;
      blocks[next + PREV_FREE] = previous;
      add(heap, oldest);
    }
    const large = !isSmall(blocks[record + LENGTH]!);
    if (large) {
      trees[(record >> TREE_OF_BLOCK) + PARENT] = REST_BLOCK;
      heaps[heap + REST_COUNT]!++;
    }
    const last = blocks[sentinel + PREV_FREE]!;
    blocks[record + PREV_FREE] = last;
    blocks[record + NEXT_FREE] = sentinel;
    blocks[last + NEXT_FREE] = record;
    blocks[sentinel + PREV_FREE] = record;
    touchLinks(record, large ? 3 : 2);
  }

  /** zend_mm_init: all lists empty. */
  function clear(heap: number): void {
    state.takeSentinels(heap);
    heaps.fill(0, heap + SMALL_BITMAP, heap + LARGE_BITMAP + 1);
    heaps.fill(0, heap + LARGE_BUCKETS, heap + LARGE_BUCKETS + 32);
    heaps[heap + REST_COUNT] = 0;
    for (let i = 0; i <= REST_SENTINEL; i++) {
      const sentinel = heaps[heap + SENTINELS]! + i * RECORD_WORDS;
      blocks[sentinel + PREV_FREE] = sentinel;
      blocks[sentinel + NEXT_FREE] = sentinel;
    }
  }

  /** The oldest block of the smallest small bucket from `index` on that has one; 0 where none has. */
  function takeableSmall(heap: number, index: number): number {
    for (let word = index >> 5; word < 2; word++) {
      let bits = heaps[heap + SMALL_BITMAP + word]!;
      if (word === index >> 5) bits &= -1 << (index & 31);
      if (bits === 0) continue;
      const bucket = (word << 5) + 31 - Math.clz32(bits & -bits);
      return blocks[heaps[heap + SENTINELS]! + bucket * RECORD_WORDS + PREV_FREE]!;
    }
    return 0;
  }

  /** zend_mm_search_large_block: the best fit of the tree, or of the next ones; the second of its ring. 0 for none. */
  function searchLarge(heap: number, length: number): number {
    let bucket = 31 - Math.clz32(length);
    let bitmap = heaps[heap + LARGE_BITMAP]! >>> bucket;
    if (bitmap === 0) return 0;
    if (bitmap & 1) {
      const best = bestOfTree(heap, length, bucket);
      if (best !== 0) return blocks[best + NEXT_FREE]!;
      bitmap >>>= 1;
      if (bitmap === 0) return 0;
      bucket++;
    }
    let node = heaps[heap + LARGE_BUCKETS + bucket + 31 - Math.clz32(bitmap & -bitmap)]!;
    let best = node;
    while ((node = otherChild(node)) !== 0) {
      if (blocks[node + LENGTH]! < blocks[best + LENGTH]!) best = node;
    }
    return blocks[best + NEXT_FREE]!;
  }

  /** As the real search steps down to smaller lengths: to the second child, and only where there is a first one. */
  function otherChild(node: number): number {
    operations[OP_TREE_STEPS]!++;
    const tree = node >> TREE_OF_BLOCK;
    return trees[tree + CHILD] !== 0 ? trees[tree + CHILD + 1]! : 0;
  }

  function bestOfTree(heap: number, length: number, bucket: number): number {
    let best = 0;
    let bestLength = Infinity;
    let rest = 0;
    let node = heaps[heap + LARGE_BUCKETS + bucket]!;
    for (let bit = bucket - 1; ; bit--) {
      operations[OP_TREE_STEPS]!++;
      const found = blocks[node + LENGTH]!;
      if (found === length) return node;
      if (found > length && found < bestLength) {
        bestLength = found;
        best = node;
      }
      const tree = node >> TREE_OF_BLOCK;
      const larger = trees[tree + CHILD + 1]!;
      if (bit < 0 || ((length >>> bit) & 1) === 0) {
        if (larger !== 0) rest = larger;
        const smaller = trees[tree + CHILD]!;
        if (smaller === 0) break;
        node = smaller;
      } else if (larger !== 0) {
        node = larger;
      } else {
        break;
      }
    }
    for (node = rest; node !== 0; node = otherChild(node)) {
      const found = blocks[node + LENGTH]!;
      if (found === length) return node;
      if (found > length && found < bestLength) {
        bestLength = found;
        best = node;
      }
    }
    return best;
  }

  /** Near the memory limit: the best fit of the rest list, the youngest first; 0 for none. */
  function searchRest(heap: number, length: number): number {
    const sentinel = heaps[heap + SENTINELS]! + REST_SENTINEL * RECORD_WORDS;
    let best = 0;
    let bestLength = Infinity;
    for (let r = blocks[sentinel + PREV_FREE]!; r !== sentinel; r = blocks[r + PREV_FREE]!) {
      const found = blocks[r + LENGTH]!;
      if (found === length) return r;
      if (found > length && found < bestLength) {
        bestLength = found;
        best = r;
      }
    }
    return best;
  }

  return { isSmall, add, remove, addRest, clear, takeableSmall, searchLarge, searchRest };
}

import * as counters from '../../sim/contract/operations.ts';
import * as tables from './state.ts';

export type ExtentHeap = ReturnType<typeof createExtentHeap>;

/**
 * Pairing heaps of extents (ph.h), linked through the extents themselves, by their keys. A heap is two words of its owner's:
 *
 *   words[at]        root, or 0
 *   words[at + 1]    insertions since the last merge of the auxiliary list
 *
 * What is inserted waits in a list behind the root (through E_NEXT) until somebody asks for the first. The real one has a
 * flaw that is kept: `remove` of a root without children makes the next of that list the root, unseen; an insertion that
 * is less than this one then takes the whole list for its children, though some may be less still. So the first of a heap
 * is the oldest and lowest nearly always, and no other order gives the same extents.
 */
export function createExtentHeap(extents: Int32Array, extentKeys: Float64Array, operations: Float64Array) {
  const { OP_TREE_STEPS } = counters;
  const { E_CHILD, E_NEXT, E_PREV, EXTENT_KEY, LG_EXTENT_KEYS, LG_EXTENT_WORDS } = tables;

  function isLess(a: number, b: number): boolean {
    return extentKeys[(a << LG_EXTENT_KEYS) + EXTENT_KEY]! < extentKeys[(b << LG_EXTENT_KEYS) + EXTENT_KEY]!;
  }

  /** phn_merge: of two trees the lesser, which has the other one as its first child now; its own siblings stay. */
  function link(a: number, b: number): number {
    let parent = b;
    let child = a;
    if (isLess(a, b)) {
      parent = a;
      child = b;
    }
    const p = parent << LG_EXTENT_WORDS;
    const c = child << LG_EXTENT_WORDS;
    const first = extents[p + E_CHILD]!;
    extents[c + E_NEXT] = first;
    extents[c + E_PREV] = parent;
    if (first !== 0) extents[(first << LG_EXTENT_WORDS) + E_PREV] = child;
    extents[p + E_CHILD] = child;
    return parent;
  }

  /**
   * phn_merge_siblings: one tree of a list. A queue of trees, of which the first two become one that goes to its end, again
   * and again; it is filled with pairs of the list.
   */
  function mergeSiblings(first: number): number {
    const second = extents[(first << LG_EXTENT_WORDS) + E_NEXT]!;
    if (second === 0) return first;
    const third = extents[(second << LG_EXTENT_WORDS) + E_NEXT]!;
    const pair = link(first, second);
    const merged = third === 0 ? pair : mergeQueue(pair, third);
    extents[(merged << LG_EXTENT_WORDS) + E_PREV] = 0;
    extents[(merged << LG_EXTENT_WORDS) + E_NEXT] = 0;
    operations[OP_TREE_STEPS]!++;
    return merged;
  }

  function mergeQueue(front: number, others: number): number {
    let steps = 0;
    let tail = front;
    let rest = others;
    while (rest !== 0) {
      let one = rest;
      const two = extents[(one << LG_EXTENT_WORDS) + E_NEXT]!;
      rest = 0;
      if (two !== 0) {
        rest = extents[(two << LG_EXTENT_WORDS) + E_NEXT]!;
        one = link(one, two);
        steps++;
      }
      extents[(tail << LG_EXTENT_WORDS) + E_NEXT] = one;
      tail = one;
    }
    let one = front;
    let two = extents[(one << LG_EXTENT_WORDS) + E_NEXT]!;
    extents[(tail << LG_EXTENT_WORDS) + E_NEXT] = 0;
    for (;;) {
      const next = extents[(two << LG_EXTENT_WORDS) + E_NEXT]!;
      one = link(one, two);
      steps++;
      if (next === 0) break;
      extents[(tail << LG_EXTENT_WORDS) + E_NEXT] = one;
      extents[(one << LG_EXTENT_WORDS) + E_NEXT] = 0;
      tail = one;
      one = next;
      two = extents[(one << LG_EXTENT_WORDS) + E_NEXT]!;
    }
    operations[OP_TREE_STEPS]! += steps;
    return one;
  }

  /** ph_merge_aux; the root. */
  function mergeWaiting(words: Int32Array, at: number): number {
    const root = words[at]!;
    words[at + 1] = 0;
    const waiting = extents[(root << LG_EXTENT_WORDS) + E_NEXT]!;
    return waiting === 0 ? root : mergeAll(words, at, root, waiting);
  }

  function mergeAll(words: Int32Array, at: number, root: number, waiting: number): number {
    const r = root << LG_EXTENT_WORDS;
    extents[r + E_PREV] = 0;
    extents[r + E_NEXT] = 0;
    extents[(waiting << LG_EXTENT_WORDS) + E_PREV] = 0;
    operations[OP_TREE_STEPS]!++;
    const merged = link(root, mergeSiblings(waiting));
    words[at] = merged;
    return merged;
  }

  /** ph_merge_children: what takes the place of `e`, or 0. */
  function mergeChildren(e: number): number {
    const child = extents[(e << LG_EXTENT_WORDS) + E_CHILD]!;
    return child === 0 ? 0 : mergeSiblings(child);
  }

  /** ph_try_aux_merge_pair: makes one of the first two that wait behind the root; whether there are no more. */
  function mergePair(root: number): boolean {
    const r = root << LG_EXTENT_WORDS;
    const one = extents[r + E_NEXT]!;
    if (one === 0) return true;
    const two = extents[(one << LG_EXTENT_WORDS) + E_NEXT]!;
    if (two === 0) return true;
    const rest = extents[(two << LG_EXTENT_WORDS) + E_NEXT]!;
    operations[OP_TREE_STEPS]!++;
    const merged = link(one, two);
    extents[(merged << LG_EXTENT_WORDS) + E_NEXT] = rest;
    if (rest !== 0) extents[(rest << LG_EXTENT_WORDS) + E_PREV] = merged;
    extents[r + E_NEXT] = merged;
    extents[(merged << LG_EXTENT_WORDS) + E_PREV] = root;
    return rest === 0;
  }

  /** ph_first: 0 where the heap is empty. */
  function first(words: Int32Array, at: number): number {
    return words[at] === 0 ? 0 : mergeWaiting(words, at);
  }

  /** ph_insert */
  function insert(words: Int32Array, at: number, e: number): void {
    const p = e << LG_EXTENT_WORDS;
    const root = words[at]!;
    extents[p + E_PREV] = root;
    extents[p + E_CHILD] = 0;
    if (root === 0) {
      extents[p + E_NEXT] = 0;
      words[at] = e;
      return;
    }
    const r = root << LG_EXTENT_WORDS;
    if (isLess(e, root)) {
      extents[p + E_PREV] = 0;
      extents[p + E_NEXT] = 0;
      extents[p + E_CHILD] = root;
      extents[r + E_PREV] = e;
      words[at] = e;
      words[at + 1] = 0;
      return;
    }
    const count = words[at + 1]! + 1;
    words[at + 1] = count;
    const waiting = extents[r + E_NEXT]!;
    extents[p + E_NEXT] = waiting;
    if (waiting !== 0) extents[(waiting << LG_EXTENT_WORDS) + E_PREV] = e;
    extents[r + E_NEXT] = e;
    if (count > 1) mergePairs(root, count - 1);
  }

  /** As many pairs as `count` has zeros at its end. */
  function mergePairs(root: number, count: number): void {
    for (let bits = count; (bits & 1) === 0; bits >>= 1) if (mergePair(root)) return;
  }

  /** ph_remove_first: 0 where the heap is empty. */
  function removeFirst(words: Int32Array, at: number): number {
    if (words[at] === 0) return 0;
    const root = mergeWaiting(words, at);
    words[at] = mergeChildren(root);
    return root;
  }

  /** ph_remove */
  function remove(words: Int32Array, at: number, e: number): void {
    const p = e << LG_EXTENT_WORDS;
    if (words[at] === e) {
      if (extents[p + E_CHILD] === 0) {
        const root = extents[p + E_NEXT]!;
        words[at] = root;
        if (root !== 0) extents[(root << LG_EXTENT_WORDS) + E_PREV] = 0;
        return;
      }
      if (mergeWaiting(words, at) === e) {
        words[at] = mergeChildren(e);
        return;
      }
    }
    const prev = extents[p + E_PREV]!;
    const q = prev << LG_EXTENT_WORDS;
    const isFirstChild = extents[q + E_CHILD] === e;
    const next = extents[p + E_NEXT]!;
    let replacement = mergeChildren(e);
    if (replacement !== 0) {
      extents[(replacement << LG_EXTENT_WORDS) + E_PREV] = prev;
      extents[(replacement << LG_EXTENT_WORDS) + E_NEXT] = next;
      if (next !== 0) extents[(next << LG_EXTENT_WORDS) + E_PREV] = replacement;
    } else {
      replacement = next;
      if (next !== 0) extents[(next << LG_EXTENT_WORDS) + E_PREV] = prev;
    }
    extents[q + (isFirstChild ? E_CHILD : E_NEXT)] = replacement;
  }

  /** Calls `visit` for every element, in no order. */
  function forEach(root: number, visit: (e: number) => void): void {
    const pending = root === 0 ? [] : [root];
    for (let e = pending.pop(); e !== undefined; e = pending.pop()) {
      const p = e << LG_EXTENT_WORDS;
      if (extents[p + E_NEXT] !== 0) pending.push(extents[p + E_NEXT]!);
      if (extents[p + E_CHILD] !== 0) pending.push(extents[p + E_CHILD]!);
      visit(e);
    }
  }

  return { isLess, first, insert, removeFirst, remove, forEach };
}

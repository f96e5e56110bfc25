import * as counters from '../../sim/threads/operations.ts';
import * as tables from './state.ts';

export type ExtentHeap = ReturnType<typeof createExtentHeap>;

/**
 * A pairing heap of extents, linked through the extents themselves (ph.h), by their keys. So the root is the oldest, and the
 * lowest among those. The caller keeps the root and stores what the functions return.
 *
 * The real one defers the merging of new elements. As no two keys are equal, that changes its cost but never its minimum.
 */
export function createExtentHeap(extents: Int32Array, extentKeys: Float64Array, operations: Float64Array) {
  const { OP_TREE_STEPS } = counters;
  const { E_CHILD, E_NEXT, E_PREV, EXTENT_KEY, LG_EXTENT_KEYS, LG_EXTENT_WORDS } = tables;

  function isLess(a: number, b: number): boolean {
    return extentKeys[(a << LG_EXTENT_KEYS) + EXTENT_KEY]! < extentKeys[(b << LG_EXTENT_KEYS) + EXTENT_KEY]!;
  }

  /** Of two roots the lesser, which has the other one as its first child now. Neither's own siblings are changed. */
  function link(a: number, b: number): number {
    let parent = a;
    let child = b;
    if (isLess(b, a)) {
      parent = b;
      child = a;
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

  /** Two heaps, or none. */
  function merge(a: number, b: number): number {
    if (a === 0) return b;
    if (b === 0) return a;
    operations[OP_TREE_STEPS]!++;
    return link(a, b);
  }

  /** Makes one heap of a list of siblings: pairs from left to right, then all of them from right to left. */
  function mergeSiblings(first: number): number {
    if (first === 0) return 0;
    let steps = 0;
    let paired = 0; // list of pairs, linked through E_NEXT, last pair first
    let rest = first;
    while (rest !== 0) {
      let pair = rest;
      const second = extents[(pair << LG_EXTENT_WORDS) + E_NEXT]!;
      rest = 0;
      if (second !== 0) {
        rest = extents[(second << LG_EXTENT_WORDS) + E_NEXT]!;
        pair = link(pair, second);
        steps++;
      }
      extents[(pair << LG_EXTENT_WORDS) + E_NEXT] = paired;
      paired = pair;
    }
    let root = paired;
    let next = extents[(root << LG_EXTENT_WORDS) + E_NEXT]!;
    while (next !== 0) {
      const pair = next;
      next = extents[(pair << LG_EXTENT_WORDS) + E_NEXT]!;
      root = link(root, pair);
      steps++;
    }
    extents[(root << LG_EXTENT_WORDS) + E_NEXT] = 0;
    extents[(root << LG_EXTENT_WORDS) + E_PREV] = 0;
    operations[OP_TREE_STEPS]! += steps;
    return root;
  }

  /** ph_insert; the new root. */
  function insert(root: number, e: number): number {
    const p = e << LG_EXTENT_WORDS;
    extents[p + E_PREV] = 0;
    extents[p + E_NEXT] = 0;
    extents[p + E_CHILD] = 0;
    return merge(root, e);
  }

  /** ph_remove_first: takes the root away; the new root. */
  function removeFirst(root: number): number {
    return mergeSiblings(extents[(root << LG_EXTENT_WORDS) + E_CHILD]!);
  }

  /** ph_remove; the new root. */
  function remove(root: number, e: number): number {
    if (e === root) return removeFirst(root);
    const p = e << LG_EXTENT_WORDS;
    const prev = extents[p + E_PREV]!;
    const next = extents[p + E_NEXT]!;
    const q = prev << LG_EXTENT_WORDS;
    if (extents[q + E_CHILD] === e) extents[q + E_CHILD] = next;
    else extents[q + E_NEXT] = next;
    if (next !== 0) extents[(next << LG_EXTENT_WORDS) + E_PREV] = prev;
    return merge(root, mergeSiblings(extents[p + E_CHILD]!));
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

  return { isLess, insert, removeFirst, remove, forEach };
}

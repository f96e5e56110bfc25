import * as counters from '../../sim/threads/operations.ts';
import * as tables from './state.ts';

export type ExtentHeap = ReturnType<typeof createExtentHeap>;

/**
 * A pairing heap of extents, linked through the extents themselves (ph.h): by serial number, then by address, so that
 * its root is the oldest and among those the lowest. The caller keeps the root and stores what the functions return.
 * (An unused edata_t has no pages: edata-cache.ts writes its own key into the same two fields.)
 *
 * The real one defers the merging of new elements. As no two keys are equal, that changes its cost but never its minimum.
 */
export function createExtentHeap(extents: Int32Array, operations: Float64Array) {
  const { OP_TREE_STEPS } = counters;
  const { E_CHILD, E_NEXT, E_PREV, E_SN, E_START, LG_EXTENT_WORDS } = tables;
  function isLess(a: number, b: number): boolean {
    const p = a << LG_EXTENT_WORDS;
    const q = b << LG_EXTENT_WORDS;
    const sn = extents[p + E_SN]! - extents[q + E_SN]!;
    return sn < 0 || (sn === 0 && extents[p + E_START]! < extents[q + E_START]!);
  }

  /** Two roots without siblings. */
  function merge(a: number, b: number): number {
    if (a === 0) return b;
    if (b === 0) return a;
    operations[OP_TREE_STEPS]!++;
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

  /** Makes one heap of a list of siblings: pairs from left to right, then all of them from right to left. */
  function mergeSiblings(first: number): number {
    if (first === 0) return 0;
    const only = first << LG_EXTENT_WORDS;
    if (extents[only + E_NEXT] === 0) {
      extents[only + E_PREV] = 0;
      return first;
    }
    let paired = 0; // list of pairs, linked through E_NEXT, last pair first
    for (let a = first; a !== 0; ) {
      const pa = a << LG_EXTENT_WORDS;
      const b = extents[pa + E_NEXT]!;
      extents[pa + E_NEXT] = 0;
      extents[pa + E_PREV] = 0;
      let rest = 0;
      if (b !== 0) {
        const pb = b << LG_EXTENT_WORDS;
        rest = extents[pb + E_NEXT]!;
        extents[pb + E_NEXT] = 0;
        extents[pb + E_PREV] = 0;
      }
      const pair = merge(a, b);
      extents[(pair << LG_EXTENT_WORDS) + E_NEXT] = paired;
      paired = pair;
      a = rest;
    }
    let root = 0;
    while (paired !== 0) {
      const p = paired << LG_EXTENT_WORDS;
      const next = extents[p + E_NEXT]!;
      extents[p + E_NEXT] = 0;
      root = merge(root, paired);
      paired = next;
    }
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

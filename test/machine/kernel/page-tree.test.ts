import { expect, test } from 'vitest';
import { PageTree } from '../../../machine/kernel/page-tree.ts';

/** Levels that an index needs: none for 0, one below 64, and so on. */
const levelsOf = (index: number): number => (index === 0 ? 0 : Math.floor(Math.log2(index) / 6) + 1);

/** Nodes above the entries, as many levels as the last one needs. */
function nodesOf(entries: ReadonlySet<number>): number {
  const levels = levelsOf(Math.max(0, ...entries));
  let nodes = 0;
  for (let level = 1; level <= levels; level++)
    nodes += new Set([...entries].map((index) => Math.floor(index / 64 ** level))).size;
  return nodes;
}

test('a page at the beginning needs no node; a file of 7,680 pages has 120, two and one', () => {
  const tree = new PageTree();
  let nodes = 0;
  for (let index = 0; index < 7680; index++) {
    nodes += tree.add(index, 0);
    if (index === 0) expect(nodes).toBe(0);
  }
  expect(nodes).toBe(123);
});

test('whatever comes and goes, there are the nodes above what is there, each paid back by who paid', () => {
  const tree = new PageTree();
  const entries = new Set<number>();
  const paid = [0, 0, 0];
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  for (let step = 0; step < 800; step++) {
    const index = random(4) === 0 ? random(300_000) : random(130);
    const group = random(3);
    if (entries.delete(index)) for (const of of tree.remove(index)) paid[of]!--;
    else {
      entries.add(index);
      paid[group]! += tree.add(index, group);
    }
    expect(paid[0]! + paid[1]! + paid[2]!).toBe(nodesOf(entries));
    expect(Math.min(...paid)).toBeGreaterThanOrEqual(0);
  }
  for (const of of tree.clear()) paid[of]!--;
  expect(paid).toEqual([0, 0, 0]);
});

/** lib/xarray.c: the nodes of the tree that holds an object's pages and shadows, each with who pays for it. */

const SLOTS = 64;

/** Of a node: entries, and the group that its making was charged to. */
interface Node {
  used: number;
  readonly group: number;
}

/** A node right above entries, of which some are shadows; it is on a list while all are (private_list). */
export interface Leaf extends Node {
  shadows: number;
  listed: boolean;
}

const newLeaf = (group: number): Leaf => ({ used: 1, group, shadows: 0, listed: false });

export class PageTree {
  /** Nodes by number, from the leaves up. A page at index 0 alone needs none: it is the head. */
  private readonly levels: Map<number, Leaf>[] = [];
  private hasFirst = false;
  private entries = 0;
  /** The leaf that an entry came to last, which the next one mostly comes to as well; no longer one of the tree where nothing is left in it. */
  private lastLeaf: Leaf | undefined;
  private lastLeafAt = 0;

  /** xas_expand, xas_create: an entry comes to be. @returns the number of nodes made for it. */
  add(index: number, group: number): number {
    const leafAt = Math.floor(index / SLOTS);
    if (this.lastLeaf && this.lastLeaf.used > 0 && leafAt === this.lastLeafAt) {
      this.lastLeaf.used++;
      this.entries++;
      if (index === 0) this.hasFirst = true;
      return 0;
    }
    const { levels } = this;
    let made = 0;
    for (let room = SLOTS ** levels.length; index >= room; room *= SLOTS) {
      levels.push(new Map());
      // What there was hangs in the first place of a node on top; a tree that was empty begins at the top.
      if (this.entries === 0) continue;
      levels.at(-1)!.set(0, newLeaf(group));
      made++;
    }
    for (let level = 0; level < levels.length; level++) {
      const at = Math.floor(index / SLOTS ** (level + 1));
      const node = levels[level]!.get(at);
      if (node) {
        node.used++;
        break;
      }
      levels[level]!.set(at, newLeaf(group));
      made++;
    }
    this.entries++;
    if (index === 0) this.hasFirst = true;
    this.lastLeaf = levels[0]?.get(leafAt);
    this.lastLeafAt = leafAt;
    return made;
  }

  /** xas_delete_node, xas_shrink: an entry goes. @returns who is given back the memory of a node, once for each that is freed. */
  remove(index: number): readonly number[] {
    const { levels } = this;
    this.entries--;
    if (index === 0) this.hasFirst = false;
    const freed: number[] = [];
    for (let level = 0; level < levels.length; level++) {
      const at = Math.floor(index / SLOTS ** (level + 1));
      const node = levels[level]!.get(at)!;
      if (--node.used > 0) {
        if (level === levels.length - 1) this.shrink(freed);
        break;
      }
      levels[level]!.delete(at);
      freed.push(node.group);
    }
    if (this.entries === 0) levels.length = 0;
    return freed;
  }

  /** The leaf with the entry; a page at index 0 alone has none. */
  leafOf(index: number): Leaf | undefined {
    const at = Math.floor(index / SLOTS);
    if (this.lastLeaf && this.lastLeaf.used > 0 && at === this.lastLeafAt) return this.lastLeaf;
    return this.levels[0]?.get(at);
  }

  /** All leaves. */
  leaves(): Iterable<Leaf> {
    return this.levels[0]?.values() ?? [];
  }

  /** @returns as `remove` does. */
  clear(): readonly number[] {
    const groups = this.levels.flatMap((level) => [...level.values()].map(({ group }) => group));
    this.levels.length = 0;
    this.entries = 0;
    this.hasFirst = false;
    this.lastLeaf = undefined;
    return groups;
  }

  /** The top goes while its first place is the only one in use. */
  private shrink(freed: number[]): void {
    const { levels } = this;
    for (;;) {
      const top = levels.at(-1)?.get(0);
      const below = levels.at(-2);
      if (top?.used !== 1 || !(below ? below.has(0) : this.hasFirst)) return;
      freed.push(top.group);
      levels.pop();
      this.lastLeaf = undefined;
    }
  }
}

import type { Objects } from './objects.ts';

/**
 * The live e-blocks of each thread number, in the order of their allocation: what the end of its request frees. A list belongs to the number for
 * good: it outlives the thread.
 */
export class RequestBlocks {
  private readonly objects: Objects;
  /** By list, its first and last slot; 0: it is empty. */
  private readonly head: number[] = [];
  private readonly tail: number[] = [];
  /** The ids of e-blocks by slot: a request's end kills ids that no line names. */
  private idOf = new Uint32Array(0);
  private freedSlots = new Int32Array(1024);
  /** Slots that ends of requests have freed. */
  freed = 0;

  constructor(objects: Objects) {
    this.objects = objects;
  }

  newList(): number {
    this.tail.push(0);
    return this.head.push(0) - 1;
  }

  append(list: number, s: number, id: number): void {
    const { owner, previous, next } = this.objects;
    const tail = this.tail[list]!;
    owner[s] = 1 + list;
    previous[s] = tail;
    next[s] = 0;
    if (tail === 0) this.head[list] = s;
    else next[tail] = s;
    this.tail[list] = s;
    if (s >= this.idOf.length) this.growIds(s);
    this.idOf[s] = id;
  }

  unlink(s: number): void {
    const { owner, previous, next } = this.objects;
    const list = owner[s]! - 1;
    const before = previous[s]!;
    const after = next[s]!;
    if (before === 0) this.head[list] = after;
    else next[before] = after;
    if (after === 0) this.tail[list] = before;
    else previous[after] = before;
  }

  /** The request ends: all blocks of the list die, and are noted from place `freed` on. */
  freeAll(list: number): void {
    for (let s = this.head[list]!; s !== 0; s = this.head[list]!) {
      if (this.freed === this.freedSlots.length) {
        const grown = new Int32Array(this.freedSlots.length * 2);
        grown.set(this.freedSlots);
        this.freedSlots = grown;
      }
      this.freedSlots[this.freed++] = s;
      this.unlink(s);
      this.objects.remove(this.idOf[s]!, s);
    }
  }

  /** The slots that ends of requests have freed, in order. */
  get frees(): Int32Array {
    return this.freedSlots.subarray(0, this.freed);
  }

  /** Costs nothing until there is an e-block. */
  private growIds(s: number): void {
    const grown = new Uint32Array(Math.max(1024, s * 2));
    grown.set(this.idOf);
    this.idOf = grown;
  }
}

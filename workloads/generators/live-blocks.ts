import type { Random } from '../../sim/contract/random.ts';
import type { BlockId, EventBuilder } from '../builder.ts';

/**
 * The live blocks of a program that frees what it likes: a builder's calls, and beside them a list from which a random
 * block is drawn in constant time.
 */
export class LiveBlocks {
  bytes = 0;
  private readonly events: EventBuilder;
  private readonly random: Random;
  private readonly list: BlockId[] = [];
  /** Place in `list` by block. */
  private readonly place: number[] = [];

  constructor(events: EventBuilder, random: Random) {
    this.events = events;
    this.random = random;
  }

  get count(): number {
    return this.list.length;
  }

  /** A random one; there must be one. */
  any(): BlockId {
    return this.list[this.random.integer(0, this.list.length - 1)]!;
  }

  malloc(thread: number, size: number): BlockId {
    return this.add(this.events.malloc(thread, size));
  }

  calloc(thread: number, count: number, size: number): BlockId {
    return this.add(this.events.calloc(thread, count, size));
  }

  memalign(thread: number, align: number, size: number): BlockId {
    return this.add(this.events.memalign(thread, align, size));
  }

  realloc(thread: number, block: BlockId, size: number): void {
    if (size === 0) this.remove(block);
    else this.bytes += size - this.sizeOf(block);
    this.events.realloc(thread, block, size);
  }

  free(thread: number, block: BlockId): void {
    this.remove(block);
    this.events.free(thread, block);
  }

  sizeOf(block: BlockId): number {
    return this.events.sizeOf(block);
  }

  /** Frees that share of all, in random order. */
  freeShare(thread: number, share: number): void {
    for (let left = Math.floor(this.list.length * share); left > 0; left--) this.free(thread, this.any());
  }

  private add(block: BlockId): BlockId {
    this.place[block] = this.list.length;
    this.list.push(block);
    this.bytes += this.sizeOf(block);
    return block;
  }

  private remove(block: BlockId): void {
    this.bytes -= this.sizeOf(block);
    const last = this.list.pop()!;
    const at = this.place[block]!;
    if (last !== block) {
      this.list[at] = last;
      this.place[last] = at;
    }
  }
}

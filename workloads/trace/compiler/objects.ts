import type { CommonLines } from '../common-lines.ts';
import { createIdTable, type IdTable } from './id-table.ts';
import { U32_MAX } from './limits.ts';

/** In `owner`: the object came from malloc. Otherwise 1 + the list of e-blocks that it is in. */
export const MALLOC_OWNED = 0;
/** Indices into `bytes`: doubles kept in a typed array, since a field would box each new value. */
export const LIVE_BYTES = 0;
export const PEAK_BYTES = 1;

/**
 * The objects of a trace under construction, by slot. A free slot's `next` leads to the slot that was freed before it; an e-block's `next` and
 * `previous` are its neighbours in its list (`request-blocks.ts`).
 */
export class Objects {
  size: Uint32Array;
  next: Int32Array;
  previous: Int32Array;
  owner: Int32Array;
  readonly ids: IdTable;
  /** Slots ever used + 1; slots start at 1. */
  slots = 1;
  /** 0: none. */
  freeSlot = 0;
  readonly bytes = new Float64Array(2);
  /** By slot, the exact size of a block of 2^32 bytes or more; in `size` it is U32_MAX. */
  readonly wideSizes = new Map<number, number>();
  capacity: number;

  constructor(lines: CommonLines | undefined) {
    this.ids = createIdTable(lines?.slotOfId);
    this.capacity = lines?.sizes.length ?? 4096;
    this.size = lines?.sizes ?? new Uint32Array(this.capacity);
    this.next = lines?.next ?? new Int32Array(this.capacity);
    this.previous = lines?.previous ?? new Int32Array(this.capacity);
    this.owner = lines?.owner ?? new Int32Array(this.capacity);
  }

  /** The slot that the next new object gets. */
  get nextSlot(): number {
    return this.freeSlot !== 0 ? this.freeSlot : this.slots;
  }

  /** A new object, of malloc. */
  add(id: number, bytes: number): number {
    let s = this.freeSlot;
    if (s !== 0) {
      this.freeSlot = this.next[s]!;
    } else {
      s = this.slots++;
      if (s === this.capacity) this.grow();
    }
    this.ids.set(id, s);
    this.setSize(s, bytes);
    this.owner[s] = MALLOC_OWNED;
    this.addLive(bytes);
    return s;
  }

  resize(s: number, bytes: number): void {
    const old = this.sizeOf(s);
    this.setSize(s, bytes);
    this.addLive(bytes - old);
  }

  remove(id: number, s: number): void {
    this.ids.clear(id);
    this.bytes[LIVE_BYTES]! -= this.sizeOf(s);
    if (this.size[s] === U32_MAX) this.wideSizes.delete(s);
    this.next[s] = this.freeSlot;
    this.freeSlot = s;
  }

  sizeOf(s: number): number {
    return (this.size[s] === U32_MAX ? this.wideSizes.get(s) : undefined) ?? this.size[s]!;
  }

  grow(): void {
    this.capacity *= 2;
    const grown = <T extends Int32Array | Uint32Array>(old: T, longer: T) => {
      longer.set(old);
      return longer;
    };
    this.size = grown(this.size, new Uint32Array(this.capacity));
    this.next = grown(this.next, new Int32Array(this.capacity));
    this.previous = grown(this.previous, new Int32Array(this.capacity));
    this.owner = grown(this.owner, new Int32Array(this.capacity));
  }

  private setSize(s: number, bytes: number): void {
    this.size[s] = Math.min(bytes, U32_MAX);
    if (bytes > U32_MAX) this.wideSizes.set(s, bytes);
    else if (this.wideSizes.size > 0) this.wideSizes.delete(s);
  }

  private addLive(bytes: number): void {
    const live = this.bytes[LIVE_BYTES]! + bytes;
    this.bytes[LIVE_BYTES] = live;
    if (live > this.bytes[PEAK_BYTES]!) this.bytes[PEAK_BYTES] = live;
  }
}

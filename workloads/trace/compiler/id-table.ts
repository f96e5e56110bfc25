import { IDS_MAX } from '../lines/layout.ts';

/** Maps the live object ids of a trace to their slots (> 0). */
export interface IdTable {
  /** 0 for an id that is not in the table. */
  get(id: number): number;
  /** `id` must not be in the table. */
  set(id: number, slot: number): void;
  /** `id` must be in the table. */
  clear(id: number): void;
  /** The part that is an index, for loops that keep it at hand: valid until the next `set`. */
  direct(): Int32Array;
}

/** Ids below this are an index: real traces count from 1. The table of 128 MiB is committed only as far as it is used. */
const DIRECT_IDS = IDS_MAX;

/**
 * Small ids index an array; the others lie in a hash table with open addressing and linear probing, which holds live ids
 * only, so its size follows the number of live objects however many ids a trace has. `first`
 * is the array for as long as it is long enough.
 */
export function createIdTable(first: Int32Array = new Int32Array(65536)): IdTable {
  let direct = first;

  let mask = 1023;
  let shift = 22; // 32 - log2 of the length: the upper bits of the product are the mixed ones
  let keys = new Uint32Array(1024);
  let slots = new Int32Array(1024); // 0: the place is empty
  let used = 0;

  function home(id: number): number {
    return Math.imul(id, 0x9e3779b1) >>> shift;
  }

  function find(id: number): number {
    let i = home(id);
    while (slots[i] !== 0 && keys[i] !== id) i = (i + 1) & mask;
    return i;
  }

  function growDirect(id: number): void {
    // Eight times as long at once: what is not used is not committed, but what is copied is.
    const grown = new Int32Array(Math.min(DIRECT_IDS, Math.max(direct.length * 8, 2 ** (32 - Math.clz32(id)))));
    grown.set(direct);
    direct = grown;
  }

  function growHash(): void {
    const oldKeys = keys;
    const oldSlots = slots;
    keys = new Uint32Array(oldKeys.length * 2);
    slots = new Int32Array(oldKeys.length * 2);
    mask = keys.length - 1;
    shift--;
    for (let i = 0; i < oldKeys.length; i++) {
      if (oldSlots[i] === 0) continue;
      const place = find(oldKeys[i]!);
      keys[place] = oldKeys[i]!;
      slots[place] = oldSlots[i]!;
    }
  }

  function setHigh(id: number, slot: number): void {
    if (id < DIRECT_IDS) {
      growDirect(id);
      direct[id] = slot;
      return;
    }
    if (++used * 2 > mask) growHash();
    const place = find(id);
    keys[place] = id;
    slots[place] = slot;
  }

  /** Moves later entries of the run back into the hole, so that no marks of deleted entries pile up. */
  function clearHigh(id: number): void {
    used--;
    let hole = find(id);
    for (let i = (hole + 1) & mask; slots[i] !== 0; i = (i + 1) & mask) {
      const distance = (i - home(keys[i]!)) & mask;
      if (distance < ((i - hole) & mask)) continue;
      keys[hole] = keys[i]!;
      slots[hole] = slots[i]!;
      hole = i;
    }
    slots[hole] = 0;
  }

  return {
    get: (id) => (id < direct.length ? direct[id]! : id < DIRECT_IDS ? 0 : slots[find(id)]!),
    set(id, slot) {
      if (id < direct.length) direct[id] = slot;
      else setHigh(id, slot);
    },
    clear(id) {
      if (id < direct.length) direct[id] = 0;
      else clearHigh(id);
    },
    direct: () => direct,
  };
}

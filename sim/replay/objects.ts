import type { Handle } from '../contract/allocator.ts';
import { assert } from '../contract/assert.ts';
import type { Memory } from '../contract/memory.ts';
import type { Bytes } from '../contract/units.ts';

/** The program's live blocks: by object slot (event.ts) << lgStride, the model's handle and what was asked for. Slot 0 is not used. */
export interface ObjectTable {
  readonly slots: () => number;
  readonly lgStride: number;
  /** 0 where the slot is dead or its allocation failed. */
  readonly handles: Int32Array;
  /** Of a block of 4 GiB or more LARGEST_REQUESTED; its size is in `wide`. */
  readonly requested: Uint32Array;
  /** Pairs of object slot and requested bytes; the slots may be dead. */
  readonly wide: Float64Array;
  /** By object slot: 0, BURIED or REFUSED. */
  readonly buried: Uint8Array;
}

/** The block ended with the heap that it came from, though the program still names it. */
export const BURIED = 1;
/** The allocation failed; `requested` has whose it was: the thread slot + 1, or 0 where that thread is no more. */
export const REFUSED = 2;

export const LARGEST_REQUESTED: Bytes = 0xffffffff;
/** More blocks of 4 GiB than any simulated address space has room for. */
const WIDE_BLOCKS = 1024;

/** `slots` says how many of up to `limit` have been used. */
export function createObjectTable(memory: Memory, limit: number, slots = () => limit): ObjectTable {
  return {
    slots,
    lgStride: 0,
    handles: memory.int32('replay.handles', limit, slots),
    requested: new Uint32Array(memory.reserve('replay.requested', limit * 4, () => slots() * 4)),
    wide: memory.float64('replay.wide', 2 * WIDE_BLOCKS),
    buried: new Uint8Array(memory.reserve('replay.buried', limit, slots)),
  };
}

/**
 * The same with what free-running threads must know of each other's uses. What nearly every event looks at is in one entry, as small
 * as can be: where blocks are many, the table is what the host's caches have no room for.
 *
 *   ┌──────┬──────┬────────┬───────────┐    uses   how many there were
 *   │ uses │ last │ handle │ requested │    last   who used it and who waits for it (free-running.ts)
 *   └──────┴──────┴────────┴───────────┘    16 bytes
 */
export interface SharedObjectTable extends ObjectTable {
  readonly uses: Int32Array;
  readonly last: Int32Array;
  /** By object slot: when the last of its uses so far ended. */
  readonly ended: Float64Array;
  /** And the last of its allocations and reallocs, once it has been written to since. */
  readonly made: Float64Array;
}

export const LG_ENTRY_WORDS = 2;
const ENTRY_BYTES = 16;
/** A large buffer begins 16 bytes behind the beginning of a line, where malloc is glibc's. */
const TO_LINE_BYTES = 48;

/** `slots` says how many of up to `limit` have been used. */
export function createSharedObjectTable(memory: Memory, limit: number, slots: () => number): SharedObjectTable {
  const bytesOf = (count: number) => TO_LINE_BYTES + count * ENTRY_BYTES;
  const buffer = memory.reserve('replay.objects', bytesOf(limit), () => bytesOf(slots()));
  assert(buffer.byteLength >= bytesOf(limit), 'the host has no room for the table of objects');
  const times = (name: string) => new Float64Array(memory.reserve(name, limit * 8, () => slots() * 8));
  return {
    slots,
    lgStride: LG_ENTRY_WORDS,
    uses: new Int32Array(buffer, TO_LINE_BYTES),
    last: new Int32Array(buffer, TO_LINE_BYTES + 4),
    handles: new Int32Array(buffer, TO_LINE_BYTES + 8),
    requested: new Uint32Array(buffer, TO_LINE_BYTES + 12),
    wide: memory.float64('replay.wide', 2 * WIDE_BLOCKS),
    buried: new Uint8Array(memory.reserve('replay.buried', limit, slots)),
    ended: times('replay.ended'),
    made: times('replay.made'),
  };
}

/** The block in `slot` has been asked for with so many bytes; `slot` has its handle already. */
export function setRequested({ requested, wide, handles, lgStride }: ObjectTable, slot: number, size: Bytes): void {
  requested[slot << lgStride] = Math.min(size, LARGEST_REQUESTED);
  if (size < LARGEST_REQUESTED) return;
  let place = 0;
  while (place < wide.length && wide[place] !== slot) place += 2;
  for (let i = 0; place === wide.length; i += 2) if (handles[wide[i]! << lgStride] === 0) place = i;
  wide[place] = slot;
  wide[place + 1] = size;
}

/** What the live block in `slot` was asked for with. */
export function requestedOf({ requested, wide, lgStride }: ObjectTable, slot: number): Bytes {
  const size = requested[slot << lgStride]!;
  if (size < LARGEST_REQUESTED) return size;
  for (let i = 0; i < wide.length; i += 2) if (wide[i] === slot) return wide[i + 1]!;
  return size;
}

/** Calls `visit` for every live block, in slot order. */
export function forEachLive(
  objects: ObjectTable,
  visit: (slot: number, handle: Handle, requested: Bytes) => void,
): void {
  const { handles, lgStride } = objects;
  const slots = objects.slots();
  for (let slot = 1; slot < slots; slot++) {
    const handle = handles[slot << lgStride]!;
    if (handle !== 0) visit(slot, handle, requestedOf(objects, slot));
  }
}

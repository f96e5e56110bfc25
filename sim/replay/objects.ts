import type { Handle } from '../allocator.ts';
import { assert } from '../assert.ts';
import type { Memory } from '../memory.ts';
import type { Bytes } from '../units.ts';

/** The program's live blocks: by object slot (event.ts) << lgStride, the model's handle and what was asked for. Slot 0 is not used. */
export interface ObjectTable {
  readonly slots: () => number;
  readonly lgStride: number;
  /** 0 where the slot is dead or its allocation failed. */
  readonly handles: Int32Array;
  readonly requested: Uint32Array;
}

export function createObjectTable(memory: Memory, slots: number): ObjectTable {
  return {
    slots: () => slots,
    lgStride: 0,
    handles: memory.int32('replay.handles', slots),
    requested: new Uint32Array(memory.reserve('replay.requested', slots * 4)),
  };
}

/**
 * The same with what free-running threads must know of each other's uses: all of an object in one line of the host's caches.
 *
 *   ┌──────┬────────┬────────┬───────────┬──────────────┬──────────────┐
 *   │ uses │ last   │ handle │ requested │ ended, f64   │ made, f64    │   32 bytes
 *   └──────┴────────┴────────┴───────────┴──────────────┴──────────────┘
 *
 *   uses   how many there were        last   who used it and who waits for it (free-running.ts)
 *   ended  when the last of its uses so far ended        made   and the last of its allocations and reallocs
 */
export interface SharedObjectTable extends ObjectTable {
  readonly uses: Int32Array;
  readonly last: Int32Array;
  readonly ended: Float64Array;
  readonly made: Float64Array;
}

export const LG_ENTRY_WORDS = 3;
export const LG_ENTRY_DOUBLES = 2;
const ENTRY_BYTES = 32;
/** A large buffer begins 16 bytes behind the beginning of a line, where malloc is glibc's. */
const TO_LINE_BYTES = 48;

/** `slots` says how many of up to `limit` have been used. */
export function createSharedObjectTable(memory: Memory, limit: number, slots: () => number): SharedObjectTable {
  const bytesOf = (count: number) => TO_LINE_BYTES + count * ENTRY_BYTES;
  const buffer = memory.reserve('replay.objects', bytesOf(limit), () => bytesOf(slots()));
  assert(buffer.byteLength >= bytesOf(limit), 'the host has no room for the table of objects');
  return {
    slots,
    lgStride: LG_ENTRY_WORDS,
    uses: new Int32Array(buffer, TO_LINE_BYTES),
    last: new Int32Array(buffer, TO_LINE_BYTES + 4),
    handles: new Int32Array(buffer, TO_LINE_BYTES + 8),
    requested: new Uint32Array(buffer, TO_LINE_BYTES + 12),
    ended: new Float64Array(buffer, TO_LINE_BYTES + 16),
    made: new Float64Array(buffer, TO_LINE_BYTES + 24),
  };
}

/** Calls `visit` for every live block, in slot order. */
export function forEachLive(
  objects: ObjectTable,
  visit: (slot: number, handle: Handle, requested: Bytes) => void,
): void {
  const { handles, requested, lgStride } = objects;
  const slots = objects.slots();
  for (let slot = 1; slot < slots; slot++) {
    const handle = handles[slot << lgStride]!;
    if (handle !== 0) visit(slot, handle, requested[slot << lgStride]!);
  }
}

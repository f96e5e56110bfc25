import type { Handle } from '../allocator.ts';
import type { Memory } from '../memory.ts';
import type { Bytes } from '../units.ts';

/** The program's live blocks: by object slot (event.ts), the model's handle and what was asked for. Slot 0 is not used. */
export interface ObjectTable {
  readonly slots: number;
  /** 0 where the slot is dead or its allocation failed. */
  readonly handles: Int32Array;
  readonly requested: Uint32Array;
}

export function createObjectTable(memory: Memory, slots: number): ObjectTable {
  return {
    slots,
    handles: memory.int32('replay.handles', slots),
    requested: new Uint32Array(memory.reserve('replay.requested', slots * 4)),
  };
}

/** Calls `visit` for every live block, in slot order. */
export function forEachLive(
  objects: ObjectTable,
  visit: (slot: number, handle: Handle, requested: Bytes) => void,
): void {
  const { handles, requested, slots } = objects;
  for (let slot = 1; slot < slots; slot++) {
    const handle = handles[slot]!;
    if (handle !== 0) visit(slot, handle, requested[slot]!);
  }
}

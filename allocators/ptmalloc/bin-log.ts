import type { Memory } from '../../sim/contract/memory.ts';

/** What happened to a chunk, in the low bits of its name. */
export const LEFT = 0;
export const INTO_UNSORTED = 1;
export const INTO_BIN = 2;
/** Chunks are named by multiples of 8. */
export const KIND_MASK = 3;

const FIRST_ENTRIES = 1024;
/** Of a longer log every chunk is looked at instead. */
const ENTRIES_MAX = 1 << 22;

export type BinLog = ReturnType<typeof createBinLog>;

/**
 * Which chunks were put into bins and taken out of them, in order, for whoever follows the bins (followed-bins.ts); nobody does at first, and then
 * nothing is written. Fastbins are not followed: their paths are too short for it, and they are emptied by every large request.
 */
export function createBinLog(memory: Memory) {
  let entries = new Int32Array(0);
  let length = 0;
  let isFollowed = false;
  let isWhole = false;
  let restoresSeen = 0;

  function append(entry: number): void {
    if (length === entries.length && !grow()) return;
    entries[length++] = entry;
  }

  function grow(): boolean {
    if (!isWhole || length >= ENTRIES_MAX) {
      isWhole = false;
      return false;
    }
    const larger = new Int32Array(Math.max(FIRST_ENTRIES, 2 * length));
    larger.set(entries);
    entries = larger;
    return true;
  }

  return {
    /** `entry`: a chunk, and what happened to it. */
    note(entry: number): void {
      if (isFollowed) append(entry);
    },
    /** The entries since the last call, valid until the next one; undefined where they are not all there. */
    take(): Int32Array | undefined {
      const taken = isWhole && memory.restores === restoresSeen ? entries.subarray(0, length) : undefined;
      isFollowed = true;
      isWhole = true;
      restoresSeen = memory.restores;
      length = 0;
      return taken;
    },
    /** Nothing has happened since the last `take`. */
    isTaken: () => isWhole && length === 0 && memory.restores === restoresSeen,
  };
}

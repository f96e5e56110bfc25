import { UserError } from '../contract/assert.ts';
import type { Beginning } from '../contract/beginning.ts';

// What is known of a slot while the trace is read: int32 each.
export const LG_LIFE_WORDS = 2;
export const OWNER = 0; // of a live object: the thread that allocated it << 1, | 1 where others have used it; of a dead one: the next on its list
export const USES = 1;
export const ALLOCATED = 2; // number of the last allocation or realloc
// Of the first in a batch of free slots:
const NEXT_BATCH = ALLOCATED;
const LAST_CHUNK = 3; // with the last event that has freed one of them

/** Slots that a thread gets at a time where none are free: a line of the table of objects, and more. */
export const FRESH_SLOTS = 16;
/** So many that a thread has freed, and not used again, are a batch that others may get. */
const BATCH_SLOTS = 64;

/** A table of 2 GiB. */
export const SLOTS_MAX = 2 ** 26;

/**
 * The slots of a trace's objects. A thread has a list of free ones, and batches of those that it has freed; a batch whose
 * last free has been executed goes into a pool for all threads. `lastChunk` tells in which chunk of records a thread's last
 * event so far lies. The first `reserved` slots are no object's.
 */
export function createSlots(
  threads: number,
  slotLimit: number,
  lastChunk: (t: number) => number,
  reserved: number,
  { keep }: Beginning,
) {
  const lgLifeWords = LG_LIFE_WORDS;
  const used = () => state[SLOTS]!;
  const lives = keep(new Int32Array(slotLimit << LG_LIFE_WORDS), () => used() << LG_LIFE_WORDS);
  const freeSlots = keep(new Int32Array(threads)); // those that the thread may use again: a list,
  const freeCount = keep(new Int32Array(threads)); // so long
  const firstBatch = keep(new Int32Array(threads)); // more of them, the oldest first
  const lastBatch = keep(new Int32Array(threads));
  const state = keep(new Int32Array(2)); // in an array: a variable that functions share is looked up, checked and stored at every use
  const SLOTS = 0; // ever used
  const POOL = 1; // batches that any thread may use
  state[SLOTS] = Math.max(1, Math.ceil(reserved / FRESH_SLOTS)) * FRESH_SLOTS;

  /** All events of the chunk have been executed: what the thread had freed by then is anybody's. */
  function leave(t: number, chunk: number): void {
    while (firstBatch[t] !== 0 && lives[(firstBatch[t]! << lgLifeWords) + LAST_CHUNK] === chunk) {
      const batch = takeBatch(t);
      lives[(batch << lgLifeWords) + NEXT_BATCH] = state[POOL]!;
      state[POOL] = batch;
    }
  }

  /** The thread's free slots become a batch. */
  function closeBatch(t: number): void {
    const batch = freeSlots[t]!;
    freeSlots[t] = 0;
    freeCount[t] = 0;
    lives[(batch << lgLifeWords) + NEXT_BATCH] = 0;
    lives[(batch << lgLifeWords) + LAST_CHUNK] = lastChunk(t);
    if (firstBatch[t] === 0) firstBatch[t] = batch;
    else lives[(lastBatch[t]! << lgLifeWords) + NEXT_BATCH] = batch;
    lastBatch[t] = batch;
  }

  /** The oldest batch of the thread, 0 for none. */
  function takeBatch(t: number): number {
    const batch = firstBatch[t]!;
    if (batch !== 0) firstBatch[t] = lives[(batch << lgLifeWords) + NEXT_BATCH]!;
    return batch;
  }

  /** The thread has no free slot left: gets more, and returns the first. */
  function refill(t: number): number {
    let batch = takeBatch(t);
    if (batch === 0 && state[POOL] !== 0) {
      batch = state[POOL]!;
      state[POOL] = lives[(batch << lgLifeWords) + NEXT_BATCH]!;
    }
    freeCount[t] = batch === 0 ? FRESH_SLOTS : BATCH_SLOTS;
    freeSlots[t] = batch || freshSlots();
    return freeSlots[t]!;
  }

  /** A few that were never used, side by side. */
  function freshSlots(): number {
    const first = state[SLOTS]!;
    state[SLOTS] = first + FRESH_SLOTS;
    if (state[SLOTS]! > slotLimit)
      throw new UserError(`found more than ${slotLimit} objects, expected fewer at a time`);
    for (let s = first; s < first + FRESH_SLOTS - 1; s++) lives[(s << lgLifeWords) + OWNER] = s + 1;
    return first;
  }

  function addFree(t: number, s: number): void {
    lives[(s << LG_LIFE_WORDS) + OWNER] = freeSlots[t]!;
    freeSlots[t] = s;
    if (++freeCount[t]! === BATCH_SLOTS) closeBatch(t);
  }

  return { lives, freeSlots, freeCount, refill, addFree, leave, used };
}

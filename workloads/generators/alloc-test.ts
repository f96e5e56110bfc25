import type { Random } from '../../sim/contract/random.ts';
import { createRandom } from '../../sim/contract/random.ts';
import { type BlockId, createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter, startParameter } from '../workload.ts';
import { interleave } from './interleave.ts';

/**
 * After OLogN's alloc-test as mimalloc-bench runs it: each thread has a table of slots, half of which it fills; then it picks one again and again. A full one is freed, an
 * empty one gets a block. Few slots are picked often, and small sizes are frequent: half of them are up to 8 bytes, a quarter up to 16 and so on.
 */
export const allocTest = defineWorkload({
  name: 'alloc-test',
  about: 'threads fill and empty slots of a table of their own; few slots and small sizes are frequent',
  parameters: {
    threads: numberParameter(1, 'threads', 'beside the main thread', { min: 1, max: 4096 }),
    slots: numberParameter(2 ** 18, 'slots', 'in the tables of all threads together', { min: 1, max: 1e8 }),
    steps: numberParameter(400_000, 'steps', 'of all threads together; the original has 100,000,000 of each', {
      min: 1,
      max: 1e8,
    }),
    octaves: numberParameter(10, '', 'the largest size is 2 to the power of it', { min: 4, max: 24 }),
    seed: seedParameter(),
    start: startParameter('serial'),
  },
  cpus: ({ threads }) => threads,
  *generate({ threads, slots, steps, octaves, seed }) {
    const each = { slots: Math.max(1, Math.floor(slots / threads)), steps: Math.ceil(steps / threads), octaves };
    const events = createEventBuilder({
      name: `alloc-test ${threads} threads, ${slots} slots, ${steps} steps`,
      rows: threads * (each.steps + 2 * each.slots + 4) + 1,
    });
    const schedule = createRandom(seed, 'alloc-test/schedule');
    for (let t = 1; t <= threads; t++) events.threadBegin(t);
    const programs = Array.from({ length: threads }, (_, i) =>
      fillAndEmpty(events, i + 1, each, createRandom(seed + i, 'alloc-test/slots')),
    );
    yield* interleave(programs, (runnable) => schedule.integer(0, runnable - 1));
    events.sample('end');
    return events.finish();
  },
});

/** Address, size and number of a slot's block. */
const SLOT_BYTES = 16;

/** Four of five picks fall into the first fifth of the slots, and so on within either part. */
const HALVINGS = 6;
const FREQUENT_SHARE = 0.2;
const FREQUENT_PICKS = 0.8;

function pick(slots: number, draws: Random): number {
  let first = 0;
  let count = slots;
  for (let i = 0; i < HALVINGS && count > 1; i++) {
    const frequent = Math.max(1, Math.floor(count * FREQUENT_SHARE));
    if (draws.next() < FREQUENT_PICKS) count = frequent;
    else {
      first += frequent;
      count -= frequent;
    }
  }
  return first + draws.integer(0, Math.max(0, count - 1));
}

function sizeOf(octaves: number, draws: Random): number {
  let octave = 3; // 5 to 8 bytes
  while (octave < octaves && draws.next() < 0.5) octave++;
  return draws.integer(2 ** (octave - 1) + 1, 2 ** octave);
}

function* fillAndEmpty(
  events: EventBuilder,
  thread: number,
  { slots, steps, octaves }: { slots: number; steps: number; octaves: number },
  draws: Random,
): Generator<void> {
  const own = events.malloc(thread, slots * SLOT_BYTES);
  yield;
  const table = new Array<BlockId | undefined>(slots);
  for (let i = 0; i < slots; i++) {
    if (draws.next() < 0.5) continue;
    table[i] = events.malloc(thread, sizeOf(octaves, draws));
    yield;
  }
  for (let n = 0; n < steps; n++) {
    const slot = pick(slots, draws);
    const block = table[slot];
    if (block === undefined) table[slot] = events.malloc(thread, sizeOf(octaves, draws));
    else {
      events.free(thread, block);
      table[slot] = undefined;
    }
    yield;
  }
  for (const block of table) {
    if (block === undefined) continue;
    events.free(thread, block);
    yield;
  }
  events.free(thread, own);
  yield;
  events.threadExit(thread);
}

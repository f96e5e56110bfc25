import { createRandom, type Random } from '../../sim/contract/random.ts';
import { type BlockId, createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter, startParameter } from '../workload.ts';
import { interleave } from './interleave.ts';

/**
 * After mimalloc's stress test (mstress) as mimalloc-bench runs it: threads that allocate, keep, free and exchange blocks with the others through a common table,
 * and are made anew in each iteration; half of the table survives from one to the next. The main thread works as one of them. Sizes are powers of two of words, few of them a
 * hundred to ten thousand times as large; thread n allocates n modulo 8 + 1 times as much.
 */
export const mstress = defineWorkload({
  name: 'mstress',
  about: 'threads made anew again and again keep, free and exchange blocks, few of them very large',
  parameters: {
    threads: numberParameter(8, 'threads', 'with the main thread', { min: 1, max: 4096 }),
    scale: numberParameter(50, '%', 'of the load: 100 blocks and more of a thread for each', { min: 1, max: 10_000 }),
    iterations: numberParameter(2, 'iterations', 'of all threads; mimalloc-bench has 25', { min: 1, max: 1e5 }),
    transfers: numberParameter(1000, 'blocks', 'that the common table has room for', { min: 1, max: 1e6 }),
    seed: seedParameter(),
    start: startParameter('serial'),
  },
  cpus: ({ threads }) => threads,
  *generate({ threads, scale, iterations, transfers, seed }) {
    let rows = 2 * transfers + 1;
    for (let t = 0; t < threads; t++) rows += iterations * (300 * scale * ((t % 8) + 1) + 12);
    const events = createEventBuilder({
      name: `mstress ${threads} threads, ${scale} %, ${iterations} iterations`,
      rows,
    });
    const schedule = createRandom(seed, 'mstress/schedule');
    const draws = createRandom(seed, 'mstress/main');
    const table = new Array<BlockId | undefined>(transfers);
    for (let n = 0; n < iterations; n++) {
      const handles = events.malloc(0, threads * WORD);
      const team = Array.from({ length: threads }, (_, t) =>
        stress(events, t, { handles, scale, table, draws: createRandom(seed + t, 'mstress/blocks') }),
      );
      yield* interleave(team, (runnable) => schedule.integer(0, runnable - 1));
      events.free(0, handles);
      for (const [i, block] of table.entries()) {
        if (block === undefined || !(chance(50, draws) || n === iterations - 1)) continue;
        events.free(0, block);
        table[i] = undefined;
      }
    }
    events.sample('end');
    return events.finish();
  },
});

const WORD = 8;
/** Sizes of what is freed soon, and of what is retained, are 2 to the power of less than this words. */
const SHORT_SHIFTS = 5;
const RETAINED_SHIFTS = 7;
/** Places by which a thread's list of blocks grows. */
const LIST_GROWTH = 100_000;

/** The original compares a number from 0 to 99 by "at most". */
const chance = (percent: number, draws: Random): boolean => draws.integer(0, 99) <= percent;

function sizeOf(shifts: number, draws: Random): number {
  let words = 2 ** draws.integer(0, shifts - 1);
  if (chance(1, draws)) words *= chance(1, draws) ? 10_000 : chance(10, draws) ? 1000 : 100;
  return words * WORD;
}

interface Stress {
  /** A thread begins when the main one has made it, and says there when it is done: what pthread_join() waits for. */
  readonly handles: BlockId;
  readonly scale: number;
  readonly table: (BlockId | undefined)[];
  readonly draws: Random;
}

function* stress(events: EventBuilder, t: number, { handles, scale, table, draws }: Stress): Generator<void> {
  if (t > 0) {
    events.threadBegin(t);
    events.write(t, handles, t * WORD, WORD);
    yield;
  }
  let allocations = 100 * scale * ((t % 8) + 1);
  let retain = allocations >> 1;
  const retainedList = events.malloc(t, retain * WORD);
  yield;
  const retained: BlockId[] = [];
  const blocks: (BlockId | undefined)[] = [];
  let list: BlockId | undefined;
  let room = 0;
  const any = () => draws.integer(0, blocks.length - 1);
  while (allocations > 0 || retain > 0) {
    if (retain === 0 || (allocations > 0 && chance(50, draws))) {
      allocations--;
      if (blocks.length === room) {
        room += LIST_GROWTH;
        if (list === undefined) list = events.malloc(t, room * WORD);
        else events.realloc(t, list, room * WORD);
        yield;
      }
      blocks.push(events.malloc(t, sizeOf(SHORT_SHIFTS, draws)));
    } else {
      retain--;
      retained.push(events.malloc(t, sizeOf(RETAINED_SHIFTS, draws)));
    }
    yield;
    if (blocks.length > 0 && chance(66, draws)) {
      const i = any();
      if (blocks[i] !== undefined) {
        events.free(t, blocks[i]!);
        blocks[i] = undefined;
        yield;
      }
    }
    if (blocks.length > 0 && chance(25, draws)) {
      const i = any();
      const place = draws.integer(0, table.length - 1);
      const given = blocks[i];
      blocks[i] = table[place];
      table[place] = given;
    }
  }
  for (const block of [...retained, ...blocks, retainedList, list]) {
    if (block === undefined) continue;
    events.free(t, block);
    yield;
  }
  if (t === 0) return;
  events.write(t, handles, t * WORD, WORD);
  events.threadExit(t);
}

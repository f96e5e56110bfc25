import { createRandom } from '../../sim/contract/random.ts';
import { type BlockId, createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter, startParameter } from '../workload.ts';
import { interleave } from './interleave.ts';
import { LapBuffer } from './lap-buffer.ts';

/**
 * After MicroQuill's sh8bench as mimalloc-bench runs it (two threads for each processor). Each thread goes through a table of sizes, with so many blocks of each,
 * in a buffer of which a fifth stays from lap to lap. Meanwhile the main thread allocates blocks of one size, and each thread frees a share of every
 * other thread's part of them, as far as they are there. What is in the buffers at the end is not freed.
 */
export const sh8bench = defineWorkload({
  name: 'sh8bench',
  about: 'threads go through a table of sizes and free what the main thread allocates meanwhile',
  parameters: {
    threads: numberParameter(16, 'threads', 'beside the main thread; two for each processor', { min: 1, max: 1024 }),
    iterations: numberParameter(1200, 'iterations', 'of all threads together; the original has 700,000', {
      min: 1,
      max: 1e8,
    }),
    heap: numberParameter(100_000, 'places', 'of all buffers together; the original has 1,000,000', {
      min: 5,
      max: 1e8,
    }),
    foreign: numberParameter(
      100_000,
      'blocks',
      'of the main thread, freed by the others; the original has 10,000,000',
      {
        min: 0,
        max: 1e8,
      },
    ),
    seed: seedParameter(),
    start: startParameter('serial'),
  },
  cpus: ({ threads }) => Math.ceil(threads / 2),
  *generate({ threads, iterations, heap, foreign, seed }) {
    const share = Math.floor(foreign / threads ** 2); // of one thread's part that each thread frees
    const events = createEventBuilder({
      name: `sh8bench ${threads} threads, ${iterations} iterations, ${heap} places, ${foreign} blocks of the main thread`,
      rows: 2 * (Math.ceil(iterations / threads) * threads * 640 + foreign) + 4 * threads + 1,
    });
    const schedule = createRandom(seed, 'sh8bench/schedule');
    const main: MainBlocks = { blocks: [], share, threads };
    const table = events.malloc(0, Math.max(1, share * threads ** 2) * POINTER_BYTES);
    for (let t = 1; t <= threads; t++) events.threadBegin(t);
    const each = { iterations: Math.ceil(iterations / threads), places: Math.max(5, Math.floor(heap / threads)) };
    const programs = Array.from({ length: threads }, (_, i) => bench(events, i + 1, each, main));
    programs.push(allocateForOthers(events, main));
    yield* interleave(programs, (runnable) => schedule.integer(0, runnable - 1));
    events.free(0, table);
    events.sample('end');
    return events.finish();
  },
});

const POINTER_BYTES = 8;
/** Sizes in bytes, and how many blocks of each come one after the other. */
const SIZES: readonly (readonly [size: number, count: number])[] = [
  [8, 1000],
  [16, 5000],
  [48, 1000],
  [72, 100],
  [148, 100],
  [200, 100],
  [520, 10],
  [1056, 5],
  [4096, 3],
  [9162, 1],
  [34562, 1],
  [168524, 1],
];

/** What the main thread allocates: a part for each thread, and of each part a share for each to free. */
interface MainBlocks {
  readonly blocks: BlockId[];
  readonly share: number;
  readonly threads: number;
}

function* allocateForOthers(events: EventBuilder, { blocks, share, threads }: MainBlocks): Generator<void> {
  for (let n = share * threads ** 2; n > 0; n--) {
    blocks.push(events.malloc(0, SIZES[0]![0]));
    yield;
  }
}

/** The thread's share of every part, as far as it has been allocated; true when all of it is freed. */
function* freeOthers(
  events: EventBuilder,
  thread: number,
  main: MainBlocks,
  freed: { count: number },
): Generator<void> {
  const { blocks, share, threads } = main;
  while (freed.count < share * threads) {
    const part = Math.floor(freed.count / share);
    const i = part * share * threads + (thread - 1) * share + (freed.count % share);
    if (i >= blocks.length) return;
    events.free(thread, blocks[i]!);
    freed.count++;
    yield;
  }
}

function* bench(
  events: EventBuilder,
  thread: number,
  { iterations, places }: { iterations: number; places: number },
  main: MainBlocks,
): Generator<void> {
  events.malloc(thread, places * POINTER_BYTES);
  yield;
  const buffer = new LapBuffer(events, thread, places);
  const freed = { count: 0 };
  let entry = 0;
  for (let n = 0; n < iterations; n++) {
    yield* freeOthers(events, thread, main, freed);
    entry = (entry + 1) % SIZES.length;
    const [size, count] = SIZES[entry]!;
    for (let i = 0; i < count; i++) {
      buffer.skipKept();
      if (buffer.isFull) {
        yield* buffer.endLap();
        continue;
      }
      buffer.push(events.malloc(thread, size));
      yield;
    }
  }
  while (freed.count < main.share * main.threads) {
    yield* freeOthers(events, thread, main, freed);
    yield;
  }
  events.threadExit(thread);
}

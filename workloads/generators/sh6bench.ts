import { createRandom } from '../../sim/contract/random.ts';
import { createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter, startParameter } from '../workload.ts';
import { interleave } from './interleave.ts';
import { LapBuffer } from './lap-buffer.ts';

/**
 * After MicroQuill's sh6bench as mimalloc-bench runs it (two threads for each processor, 10,000 calls): runs of blocks of one size, smaller ones more
 * often, in a buffer of which a fifth stays from lap to lap. The buffer has as many places as there are rounds, and both are shared out among the threads.
 */
export const sh6bench = defineWorkload({
  name: 'sh6bench',
  about: 'runs of blocks of one size, small ones in long runs, in a buffer of which a fifth stays from lap to lap',
  parameters: {
    threads: numberParameter(16, 'threads', 'beside the main thread; two for each processor', { min: 1, max: 4096 }),
    calls: numberParameter(10_000, 'places', 'of all buffers together, and as many rounds', { min: 5, max: 1e7 }),
    rounds: numberParameter(10, 'rounds', 'of each thread; the original has as many as its buffer has places', {
      min: 1,
      max: 1e7,
    }),
    max: numberParameter(1000, 'bytes', 'beyond the largest size', { min: 2, max: 1e6 }),
    seed: seedParameter(),
    start: startParameter('serial'),
  },
  cpus: ({ threads }) => Math.ceil(threads / 2),
  *generate({ threads, calls, rounds, max, seed }) {
    const places = Math.max(5, Math.floor(calls / threads));
    const events = createEventBuilder({
      name: `sh6bench ${threads} threads, buffers of ${places}, ${rounds} rounds`,
      rows: 2 * threads * rounds * runsUpTo(max).reduce((sum, run) => sum + run.count, 0) + 4 * threads + 1,
    });
    const schedule = createRandom(seed, 'sh6bench/schedule');
    for (let t = 1; t <= threads; t++) events.threadBegin(t);
    const programs = Array.from({ length: threads }, (_, i) => bench(events, i + 1, { places, rounds, max }));
    yield* interleave(programs, (runnable) => schedule.integer(0, runnable - 1));
    events.sample('end');
    return events.finish();
  },
});

const POINTER_BYTES = 8;

/** One round: from each base size down to 1 by halves, the bases growing by half. */
function runsUpTo(max: number): { size: number; count: number }[] {
  const runs: { size: number; count: number }[] = [];
  for (let base = 1; base < max; base = Math.floor((base * 3) / 2) + 1) {
    for (let size = base; size > 0; size >>= 1) {
      runs.push({ size, count: size < 100 ? 250 : size < 1000 ? 50 : size < 10_000 ? 10 : 1 });
    }
  }
  return runs;
}

function* bench(
  events: EventBuilder,
  thread: number,
  { places, rounds, max }: { places: number; rounds: number; max: number },
): Generator<void> {
  const runs = runsUpTo(max);
  const memory = events.malloc(thread, places * POINTER_BYTES);
  yield;
  const buffer = new LapBuffer(events, thread, places);
  for (let round = 0; round < rounds; round++) {
    for (const { size, count } of runs) {
      for (let n = 0; n < count; n++) {
        buffer.push(events.malloc(thread, size));
        yield;
        buffer.skipKept();
        if (buffer.isFull) yield* buffer.endLap();
      }
    }
  }
  yield* buffer.finish();
  events.free(thread, memory);
  yield;
  events.threadExit(thread);
}

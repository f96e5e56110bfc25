import { createRandom } from '../../sim/contract/random.ts';
import { type BlockId, createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter, startParameter } from '../workload.ts';
import { interleave } from './interleave.ts';

/**
 * After Hoard's cache-scratch (Berger) as mimalloc-bench runs it: the main thread allocates a small object for each thread, one beside the other. Each thread
 * frees its own and then allocates, writes again and again and frees an object of that size: an allocator that hands the first one out
 * again lets the threads write to one line. The original's 2,000,000 writes to an object, shared out among the threads, are far fewer here.
 */
export const cacheScratch = defineWorkload({
  name: 'cache-scratch',
  about: 'threads free an object that lay beside the others’, and write to new ones of its size',
  parameters: {
    threads: numberParameter(8, 'threads', 'beside the main thread', { min: 1, max: 4096 }),
    iterations: numberParameter(1000, 'objects', 'of each thread, one after the other', { min: 1, max: 1e7 }),
    size: numberParameter(1, 'bytes', 'of an object', { min: 1, max: 2 ** 20 }),
    writes: numberParameter(100, 'writes', 'to each object, shared out among the threads', { min: 1, max: 1e7 }),
    seed: seedParameter(),
    start: startParameter('serial'),
  },
  cpus: ({ threads }) => threads,
  *generate({ threads, iterations, size, writes, seed }) {
    const each = Math.max(1, Math.floor(writes / threads));
    const events = createEventBuilder({
      name: `cache-scratch ${threads} threads, ${iterations} objects of ${size} bytes, ${each} writes to each`,
      rows: threads * (iterations * (each + 2) + 3) + 5,
    });
    const schedule = createRandom(seed, 'cache-scratch/schedule');
    // pthread_t and the argument of each thread, then the objects.
    const handles = events.calloc(0, threads, 8);
    const args = events.malloc(0, threads * 24 + 8);
    const table = events.malloc(0, threads * 8);
    const objects = Array.from({ length: threads }, () => events.malloc(0, size));
    for (let t = 1; t <= threads; t++) events.threadBegin(t);
    const programs = objects.map((object, i) => worker(events, i + 1, object, { iterations, size, writes: each }));
    yield* interleave(programs, (runnable) => schedule.integer(0, runnable - 1));
    for (const block of [handles, table, args]) events.free(0, block);
    events.sample('end');
    return events.finish();
  },
});

function* worker(
  events: EventBuilder,
  thread: number,
  object: BlockId,
  { iterations, size, writes }: { iterations: number; size: number; writes: number },
): Generator<void> {
  events.free(thread, object);
  yield;
  for (let n = 0; n < iterations; n++) {
    const own = events.malloc(thread, size);
    yield;
    for (let i = 0; i < writes; i++) {
      events.write(thread, own, 0, size);
      yield;
    }
    events.free(thread, own);
    yield;
  }
  events.threadExit(thread);
}

import { createRandom } from '../../sim/contract/random.ts';
import { createEventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter, startParameter } from '../workload.ts';
import { interleave } from './interleave.ts';

/**
 * The inner loop of `lanczos-32t` alone: each thread takes a few equal blocks and frees them in reverse order, again and
 * again, with no think time. What is left is the allocator and its locks.
 */
export const rows = defineWorkload({
  name: 'rows',
  about: 'threads that each allocate a few row buffers and free them in reverse order, without think time',
  parameters: {
    threads: numberParameter(32, 'threads', 'beside the main thread', { min: 1, max: 4096 }),
    rounds: numberParameter(2000, 'rounds', 'of each thread', { min: 1, max: 1e8 }),
    blocks: numberParameter(3, 'blocks', 'in a round', { min: 1, max: 10000 }),
    size: numberParameter(30720, 'bytes', 'of each block', { min: 0, max: 2 ** 32 - 1 }),
    seed: seedParameter(),
    start: startParameter('serial'),
  },
  cpus: ({ threads }) => threads,
  *generate({ threads, rounds, blocks, size, seed }) {
    const events = createEventBuilder({
      name: `rows ${rounds} rounds of ${blocks} blocks of ${size} bytes, ${threads} threads`,
      rows: 2 * threads * rounds * blocks + 2 * threads + 1,
    });
    const random = createRandom(seed, 'rows/schedule');
    for (let t = 1; t <= threads; t++) events.threadBegin(t);
    const team = Array.from({ length: threads }, (_, i) => program(i + 1));
    yield* interleave(team, (runnable) => random.integer(0, runnable - 1));
    events.sample('end');
    return events.finish();

    function* program(thread: number): Generator<void> {
      const held = new Array<number>(blocks);
      for (let round = 0; round < rounds; round++) {
        for (let i = 0; i < blocks; i++) {
          held[i] = events.malloc(thread, size);
          yield;
        }
        for (let i = blocks - 1; i >= 0; i--) {
          events.free(thread, held[i]!);
          yield;
        }
      }
    }
  },
});

import { createRandom } from '../../sim/random.ts';
import { createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter } from '../workload.ts';
import { interleave } from './interleave.ts';

/**
 * After the xmalloc-test of Lever and Boreham: producers allocate batches of blocks, consumers free them, and no block is
 * freed by the thread that allocated it. It shows what a cross-thread free costs: thread caches fill on one side and run
 * dry on the other.
 */
export const xmallocTest = defineWorkload({
  name: 'xmalloc-test',
  about: 'half of the threads allocate batches of blocks, the other half free them',
  parameters: {
    pairs: numberParameter(8, 'pairs', 'of one producer and one consumer', { min: 1, max: 2048 }),
    batches: numberParameter(40, 'batches', 'of each producer', { min: 1, max: 1e6 }),
    batch: numberParameter(120, 'blocks', 'in a batch', { min: 1, max: 1e6 }),
    queue: numberParameter(8, 'batches', 'that wait for the consumers at most, for each pair', { min: 1, max: 1e6 }),
    size: numberParameter(64, 'bytes', 'of a block; 0: from 8 to 4096, as many in each octave', {
      min: 0,
      max: 2 ** 31,
    }),
    seed: seedParameter(),
  },
  cpus: ({ pairs }) => 2 * pairs,
  generate({ pairs, batches, batch, queue, size, seed }) {
    const events = createEventBuilder({
      name: `xmalloc-test ${pairs} pairs, ${batches} batches of ${batch} blocks`,
      rows: 2 * pairs * (batches * batch + 1) + 1,
    });
    const schedule = createRandom(seed, 'xmalloc-test/schedule');
    const sizes = createRandom(seed, 'xmalloc-test/sizes');
    const state: Exchange = { waiting: [], producing: pairs };
    const blockSize = () => (size === 0 ? sizes.octaves(8, 4096) : size);
    for (let t = 1; t <= 2 * pairs; t++) events.threadBegin(t);
    const programs: Iterator<void>[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      programs.push(produce(events, 2 * pair + 1, { batches, batch, limit: queue * pairs, blockSize }, state));
      programs.push(consume(events, 2 * pair + 2, state));
    }
    interleave(programs, (runnable) => schedule.integer(0, runnable - 1));
    events.sample('end');
    return events.finish();
  },
});

/** What producers and consumers share. */
interface Exchange {
  readonly waiting: number[][];
  producing: number;
}

function* produce(
  events: EventBuilder,
  thread: number,
  { batches, batch, limit, blockSize }: { batches: number; batch: number; limit: number; blockSize: () => number },
  exchange: Exchange,
): Generator<void> {
  for (let n = 0; n < batches; n++) {
    const blocks: number[] = [];
    for (let i = 0; i < batch; i++) {
      blocks.push(events.malloc(thread, blockSize()));
      yield;
    }
    while (exchange.waiting.length >= limit) yield;
    exchange.waiting.push(blocks);
  }
  exchange.producing--;
}

function* consume(events: EventBuilder, thread: number, exchange: Exchange): Generator<void> {
  while (exchange.producing > 0 || exchange.waiting.length > 0) {
    const blocks = exchange.waiting.shift();
    if (!blocks) {
      yield;
      continue;
    }
    for (const block of blocks) {
      events.free(thread, block);
      yield;
    }
  }
}

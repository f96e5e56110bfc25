import { createRandom } from '../../sim/contract/random.ts';
import { type BlockId, createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter } from '../workload.ts';
import { type HandedOver, mark, takeBack } from './hand-over.ts';
import { interleave } from './interleave.ts';

/**
 * After the xmalloc-test of Lever and Boreham: producers allocate batches of blocks, consumers free them, and no block is
 * freed by the thread that allocated it. It shows what a cross-thread free costs: thread caches fill on one side and run
 * dry on the other.
 *
 * Each batch has a list of its blocks. The consumer marks it when it is done, and only then does the producer free it, which it must
 * before it begins a batch too many: so a producer waits for its consumers also where threads run at their own pace.
 */
export const xmallocTest = defineWorkload({
  name: 'xmalloc-test',
  about: 'half of the threads allocate batches of blocks, the other half free them',
  parameters: {
    pairs: numberParameter(8, 'pairs', 'of one producer and one consumer', { min: 1, max: 2048 }),
    batches: numberParameter(40, 'batches', 'of each producer', { min: 1, max: 1e6 }),
    batch: numberParameter(120, 'blocks', 'in a batch', { min: 1, max: 1e6 }),
    queue: numberParameter(8, 'batches', 'of each producer that are not freed yet, at most', { min: 1, max: 1e6 }),
    size: numberParameter(64, 'bytes', 'of a block; 0: from 8 to 4096, as many in each octave', {
      min: 0,
      max: 2 ** 31,
    }),
    seed: seedParameter(),
  },
  cpus: ({ pairs }) => 2 * pairs,
  *generate({ pairs, batches, batch, queue, size, seed }) {
    const events = createEventBuilder({
      name: `xmalloc-test ${pairs} pairs, ${batches} batches of ${batch} blocks`,
      rows: pairs * (batches * (2 * batch + 3) + 2) + 1,
    });
    const schedule = createRandom(seed, 'xmalloc-test/schedule');
    const sizes = createRandom(seed, 'xmalloc-test/sizes');
    const exchange: Exchange = { waiting: [], producing: pairs };
    const blockSize = () => (size === 0 ? sizes.octaves(8, 4096) : size);
    for (let t = 1; t <= 2 * pairs; t++) events.threadBegin(t);
    const programs: Iterator<void>[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      programs.push(produce(events, 2 * pair + 1, { batches, batch, queue, blockSize }, exchange));
      programs.push(consume(events, 2 * pair + 2, exchange));
    }
    yield* interleave(programs, (runnable) => schedule.integer(0, runnable - 1));
    events.sample('end');
    return events.finish();
  },
});

const POINTER_BYTES = 8;

/** Its own block has the pointers to the others. */
interface Batch extends HandedOver {
  readonly blocks: readonly BlockId[];
}

/** What producers and consumers share. */
interface Exchange {
  readonly waiting: Batch[];
  producing: number;
}

interface Production {
  readonly batches: number;
  readonly batch: number;
  readonly queue: number;
  readonly blockSize: () => number;
}

function* produce(
  events: EventBuilder,
  thread: number,
  { batches, batch, queue, blockSize }: Production,
  exchange: Exchange,
): Generator<void> {
  const own: Batch[] = [];
  for (let n = 0; n < batches; n++) {
    if (own.length === queue) yield* takeBack(events, thread, own);
    const block = events.malloc(thread, batch * POINTER_BYTES);
    yield;
    const blocks: BlockId[] = [];
    for (let i = 0; i < batch; i++) {
      blocks.push(events.malloc(thread, blockSize()));
      yield;
    }
    const made = { block, blocks, isDone: false };
    own.push(made);
    exchange.waiting.push(made);
  }
  exchange.producing--;
  while (own.length > 0) yield* takeBack(events, thread, own);
}

function* consume(events: EventBuilder, thread: number, exchange: Exchange): Generator<void> {
  while (exchange.producing > 0 || exchange.waiting.length > 0) {
    const batch = exchange.waiting.shift();
    if (!batch) {
      yield;
      continue;
    }
    for (const block of batch.blocks) {
      events.free(thread, block);
      yield;
    }
    yield* mark(events, thread, batch, POINTER_BYTES);
  }
}

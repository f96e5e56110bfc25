import { UserError } from '../../sim/contract/assert.ts';
import { createRandom, type Random } from '../../sim/contract/random.ts';
import { type BlockId, createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter } from '../workload.ts';
import { type HandedOver, mark, takeBack } from './hand-over.ts';
import { interleave } from './interleave.ts';

/**
 * A pipeline with one queue: producers make messages of a header and a body, consumers read them, free the body and keep a few
 * results for a while. Unlike xmalloc-test it has mixed sizes and lifetimes, and consumers that allocate as well.
 *
 * The consumer marks the header when it is done, and its producer frees it, which it must before it makes a message too many: so a
 * producer waits for the consumers also where threads run at their own pace.
 */
export const producerConsumer = defineWorkload({
  name: 'producer-consumer',
  about: 'messages of a header and a body go through a queue; consumers free them and keep some results',
  parameters: {
    producers: numberParameter(4, 'threads', 'that make messages', { min: 1, max: 2048 }),
    consumers: numberParameter(4, 'threads', 'that free them', { min: 1, max: 2048 }),
    messages: numberParameter(20000, 'messages', 'in all', { min: 1, max: 1e8 }),
    queue: numberParameter(64, 'messages', 'of each producer that are not read yet, at most', { min: 1, max: 1e7 }),
    min: numberParameter(16, 'bytes', 'of the smallest body', { min: 0, max: 2 ** 31 }),
    max: numberParameter(16384, 'bytes', 'of the largest body', { min: 0, max: 2 ** 31 }),
    keep: numberParameter(64, 'results', 'that each consumer keeps, oldest freed first', { min: 0, max: 1e6 }),
    seed: seedParameter(),
  },
  cpus: ({ producers, consumers }) => producers + consumers,
  *generate({ producers, consumers, messages, queue, min, max, keep, seed }) {
    if (min > max)
      throw new UserError(`producer-consumer: found min=${min} above max=${max}, expected min at most max`);
    const events = createEventBuilder({
      name: `producer-consumer ${producers} to ${consumers} threads, ${messages} messages`,
      rows: messages * 7 + producers + consumers + 1,
    });
    const schedule = createRandom(seed, 'producer-consumer/schedule');
    const draws = createRandom(seed, 'producer-consumer/messages');
    const shared: Pipeline = { waiting: [], queue, left: messages, making: 0, keep, min, max };
    const programs: Iterator<void>[] = [];
    for (let t = 1; t <= producers + consumers; t++) {
      events.threadBegin(t);
      programs.push(t <= producers ? produce(events, t, shared, draws) : consume(events, t, shared, draws));
    }
    yield* interleave(programs, (runnable) => schedule.integer(0, runnable - 1));
    events.sample('end');
    return events.finish();
  },
});

/** Its own block is the header. */
interface Message extends HandedOver {
  readonly body: BlockId;
}

interface Pipeline {
  readonly waiting: Message[];
  readonly queue: number;
  left: number;
  /** Messages that are being made. */
  making: number;
  readonly keep: number;
  readonly min: number;
  readonly max: number;
}

const HEADER_BYTES = 48;

function* produce(events: EventBuilder, thread: number, shared: Pipeline, draws: Random): Generator<void> {
  const own: Message[] = [];
  while (shared.left > 0) {
    if (own.length === shared.queue) {
      yield* takeBack(events, thread, own);
      continue;
    }
    shared.left--;
    shared.making++;
    const block = events.malloc(thread, HEADER_BYTES);
    yield;
    const body = events.malloc(thread, draws.octaves(shared.min, shared.max));
    yield;
    shared.making--;
    const message = { block, body, isDone: false };
    own.push(message);
    shared.waiting.push(message);
  }
  while (own.length > 0) yield* takeBack(events, thread, own);
}

function* consume(events: EventBuilder, thread: number, shared: Pipeline, draws: Random): Generator<void> {
  const results: number[] = [];
  while (shared.left > 0 || shared.making > 0 || shared.waiting.length > 0) {
    const message = shared.waiting.shift();
    if (!message) {
      yield;
      continue;
    }
    results.push(events.malloc(thread, draws.octaves(shared.min, Math.max(shared.min, shared.max >>> 3))));
    yield;
    events.free(thread, message.body);
    yield;
    yield* mark(events, thread, message, HEADER_BYTES);
    if (results.length > shared.keep) {
      events.free(thread, results.shift()!);
      yield;
    }
  }
  for (const result of results) {
    events.free(thread, result);
    yield;
  }
}

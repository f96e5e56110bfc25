import { UserError } from '../../sim/assert.ts';
import { createRandom, type Random } from '../../sim/random.ts';
import { createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter } from '../workload.ts';
import { interleave } from './interleave.ts';

/**
 * A pipeline with one queue: producers make messages of a header and a body, consumers read them, keep a few results for
 * a while and free the rest. Unlike xmalloc-test it has mixed sizes and lifetimes, and consumers that allocate as well.
 */
export const producerConsumer = defineWorkload({
  name: 'producer-consumer',
  about: 'messages of a header and a body go through a queue; consumers free them and keep some results',
  parameters: {
    producers: numberParameter(4, 'threads', 'that make messages', { min: 1, max: 2048 }),
    consumers: numberParameter(4, 'threads', 'that free them', { min: 1, max: 2048 }),
    messages: numberParameter(20000, 'messages', 'in all', { min: 1, max: 1e8 }),
    queue: numberParameter(256, 'messages', 'that wait at most', { min: 1, max: 1e7 }),
    min: numberParameter(16, 'bytes', 'of the smallest body', { min: 0, max: 2 ** 31 }),
    max: numberParameter(16384, 'bytes', 'of the largest body', { min: 0, max: 2 ** 31 }),
    keep: numberParameter(64, 'results', 'that each consumer keeps, oldest freed first', { min: 0, max: 1e6 }),
    seed: seedParameter(),
  },
  cpus: ({ producers, consumers }) => producers + consumers,
  generate({ producers, consumers, messages, queue, min, max, keep, seed }) {
    if (min > max)
      throw new UserError(`producer-consumer: found min=${min} above max=${max}, expected min at most max`);
    const events = createEventBuilder({
      name: `producer-consumer ${producers} to ${consumers} threads, ${messages} messages`,
      rows: messages * 7 + producers + consumers,
    });
    const schedule = createRandom(seed, 'producer-consumer/schedule');
    const draws = createRandom(seed, 'producer-consumer/messages');
    const shared: Pipeline = { waiting: [], limit: queue, left: messages, making: 0, keep, min, max };
    const programs: Iterator<void>[] = [];
    for (let t = 1; t <= producers + consumers; t++) {
      events.threadBegin(t);
      programs.push(t <= producers ? produce(events, t, shared, draws) : consume(events, t, shared, draws));
    }
    interleave(programs, (runnable) => schedule.integer(0, runnable - 1));
    events.sample('end');
    return events.finish();
  },
});

interface Pipeline {
  readonly waiting: { readonly header: number; readonly body: number }[];
  readonly limit: number;
  left: number;
  /** Messages that are being made. */
  making: number;
  readonly keep: number;
  readonly min: number;
  readonly max: number;
}

const HEADER_BYTES = 48;

function* produce(events: EventBuilder, thread: number, shared: Pipeline, draws: Random): Generator<void> {
  while (shared.left > 0) {
    if (shared.waiting.length + shared.making >= shared.limit) {
      yield;
      continue;
    }
    shared.left--;
    shared.making++;
    const header = events.malloc(thread, HEADER_BYTES);
    yield;
    const body = events.malloc(thread, draws.octaves(shared.min, shared.max));
    yield;
    shared.making--;
    shared.waiting.push({ header, body });
  }
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
    events.free(thread, message.header);
    yield;
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

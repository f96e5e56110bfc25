import { createRandom, type Random } from '../../sim/contract/random.ts';
import { createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter } from '../workload.ts';
import { interleave } from './interleave.ts';

/**
 * A server that has been up for long: worker threads handle requests, each with a burst of short-lived blocks and one
 * buffer that grows by realloc; sessions live for many requests; now and then a block is forgotten. What it asks for
 * stays nearly level, so growth of the resident set is fragmentation, caches and the leak.
 */
export const server = defineWorkload({
  name: 'server',
  about: 'worker threads with bursts per request, sessions that live long, and a small leak',
  parameters: {
    threads: numberParameter(8, 'threads', 'that handle requests', { min: 1, max: 4096 }),
    requests: numberParameter(2000, 'requests', 'in all', { min: 1, max: 1e7 }),
    burst: numberParameter(40, 'blocks', 'in a request, about', { min: 1, max: 1e5 }),
    sessions: numberParameter(2000, 'sessions', 'that are held at most', { min: 1, max: 1e7 }),
    leak: numberParameter(5, 'per mille', 'of the requests forget a block', { min: 0, max: 1000 }),
    samples: numberParameter(20, 'samples', 'over the run', { min: 1, max: 10000 }),
    seed: seedParameter(),
  },
  cpus: ({ threads }) => threads,
  *generate({ threads, requests, burst, sessions, leak, samples, seed }) {
    const events = createEventBuilder({
      name: `server ${threads} threads, ${requests} requests`,
      rows: requests * (2 * burst + 16),
    });
    const schedule = createRandom(seed, 'server/schedule');
    const state: ServerState = {
      events,
      random: createRandom(seed, 'server/requests'),
      held: [],
      left: requests,
      burst,
      sessions,
      leak,
      finished() {
        events.clock(REQUEST_NS);
        const done = requests - state.left;
        const every = Math.max(1, Math.floor(requests / samples));
        if (done % every === 0) events.sample(`requests-${done}`);
      },
    };
    const workers = Array.from({ length: threads }, (_, i) => work(state, i + 1));
    yield* interleave(workers, (runnable) => schedule.integer(0, runnable - 1));
    events.sample('end');
    return events.finish();
  },
});

const REQUEST_NS = 250_000;

interface ServerState {
  readonly events: EventBuilder;
  readonly random: Random;
  readonly held: number[];
  left: number;
  readonly burst: number;
  readonly sessions: number;
  readonly leak: number;
  finished(): void;
}

function* work(state: ServerState, thread: number): Generator<void> {
  const { events, random, held } = state;
  while (state.left > 0) {
    state.left--;
    const scratch: number[] = [];
    const response = events.malloc(thread, 512);
    let length = 512;
    const blocks = random.integer(Math.ceil(state.burst / 2), state.burst + Math.ceil(state.burst / 2));
    for (let i = 0; i < blocks; i++) {
      scratch.push(events.malloc(thread, random.octaves(8, 8192)));
      yield;
      // Most of what a request allocates goes while it still runs, newest first.
      while (scratch.length > 0 && random.chance(0.45)) {
        events.free(thread, scratch.pop()!);
        yield;
      }
      if (random.chance(0.1) && length < 2 ** 20) {
        length *= 2;
        events.realloc(thread, response, length);
        yield;
      }
    }
    if (random.chance(0.5)) {
      if (held.length >= state.sessions) events.free(thread, takeAny(held, random));
      held.push(events.malloc(thread, random.octaves(64, 2048)));
      yield;
    }
    if (random.integer(0, 999) < state.leak) events.malloc(thread, random.octaves(16, 4096));
    for (const block of scratch) {
      events.free(thread, block);
      yield;
    }
    events.free(thread, response);
    state.finished();
    yield;
  }
}

function takeAny(blocks: number[], random: Random): number {
  const i = random.integer(0, blocks.length - 1);
  const block = blocks[i]!;
  blocks[i] = blocks[blocks.length - 1]!;
  blocks.pop();
  return block;
}

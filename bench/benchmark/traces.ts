import type { EventBuffer } from '../../sim/contract/event.ts';
import { createRandom, type Random } from '../../sim/contract/random.ts';
import { atOnce, BREATH_STEPS } from '../../workloads/breathing.ts';
import { type BlockId, createEventBuilder, type EventBuilder } from '../../workloads/builder.ts';

/** What is measured: one mechanism each. All on the main thread, so that no hand-over is in the figures. */
export const BENCH_TRACES = ['hit-dominated', 'mixed', '250k live', 'bins-dominated'] as const;
export type BenchTraceName = (typeof BENCH_TRACES)[number];

/** In steps, between which one may breathe. */
type Write = (program: Program) => Generator<void, void>;

/** malloc & co., or the same as e-events of one long request. */
interface Program {
  readonly random: Random;
  malloc(size: number): BlockId;
  calloc(count: number, size: number): BlockId;
  realloc(block: BlockId, size: number): void;
  free(block: BlockId): void;
  done(): boolean;
}

/** A function's blocks: taken one after the other, given back in reverse. */
function call({ random, malloc, free }: Program, depth: number, size: () => number): void {
  const blocks: BlockId[] = [];
  for (let n = random.integer(1, depth); n > 0; n--) blocks.push(malloc(size()));
  while (blocks.length > 0) free(blocks.pop()!);
}

/** Calls that take a few small blocks each; now and then one of a thousand blocks is replaced. */
function* hitDominated(program: Program): Generator<void, void> {
  const { random, malloc, free, done } = program;
  const sizes = Array.from({ length: 24 }, () => random.octaves(16, 512));
  const size = () => random.pick(sizes);
  const kept = Array.from({ length: 1000 }, () => malloc(size()));
  for (let step = 1; !done(); step++) {
    if (step % BREATH_STEPS === 0) yield;
    call(program, 6, size);
    if (random.chance(0.05)) free(replaceAny(random, kept, malloc(size())));
  }
}

/** Calls, and between them blocks of all sizes with random lifetimes; a few calloc and realloc. */
function* mixed(program: Program): Generator<void, void> {
  const { random, malloc, calloc, realloc, free, done } = program;
  const live: BlockId[] = [];
  const small = () => random.octaves(16, 512);
  const any = () => (random.chance(0.9) ? small() : random.octaves(512, 32768));
  for (let step = 1; !done(); step++) {
    if (step % BREATH_STEPS === 0) yield;
    call(program, 4, small);
    const grows = live.length < 1500 || (live.length < 3000 && random.chance(0.5));
    const kind = random.next();
    if (grows) live.push(kind < 0.9 ? malloc(any()) : calloc(random.integer(1, 8), small()));
    else if (kind < 0.9) free(takeAny(random, live));
    else realloc(random.pick(live), any());
  }
}

/** Calls above a large population of small blocks, of which a random one is replaced after each. */
function* manyLive(program: Program): Generator<void, void> {
  const { random, malloc, free, done } = program;
  const size = () => random.octaves(16, 400);
  const live = Array.from({ length: 250000 }, () => malloc(size()));
  for (let step = 1; !done(); step++) {
    if (step % BREATH_STEPS === 0) yield;
    call(program, 4, size);
    free(replaceAny(random, live, malloc(size())));
  }
}

/** Nothing that a thread cache holds: searches in bins, splits, coalescing. */
function* binsDominated({ random, malloc, free, done }: Program): Generator<void, void> {
  const live: BlockId[] = [];
  for (let step = 1; !done(); step++) {
    if (step % BREATH_STEPS === 0) yield;
    if (live.length < 400 || (live.length < 800 && random.chance(0.5))) live.push(malloc(random.octaves(1100, 65536)));
    else free(takeAny(random, live));
  }
}

const WRITERS: Readonly<Record<BenchTraceName, Write>> = {
  'hit-dominated': hitDominated,
  mixed,
  '250k live': manyLive,
  'bins-dominated': binsDominated,
};

function takeAny(random: Random, blocks: BlockId[]): BlockId {
  return replaceAny(random, blocks, blocks.pop()!);
}

/** Puts `block` in the place of a random one, which it returns; where there is none left, `block` itself. */
function replaceAny(random: Random, blocks: BlockId[], block: BlockId): BlockId {
  if (blocks.length === 0) return block;
  const i = random.integer(0, blocks.length - 1);
  const old = blocks[i]!;
  blocks[i] = block;
  return old;
}

/** `requests`: through the Zend memory manager. */
export function* drawBenchTrace(name: BenchTraceName, length: number, requests: boolean): Generator<void, EventBuffer> {
  const events = createEventBuilder({ name: `bench ${name}`, rows: length });
  if (requests) events.requestBegin(0);
  const calls = requests ? requestCalls(events) : libcCalls(events);
  yield* WRITERS[name]({ random: createRandom(1, `bench/${name}`), ...calls, done: () => events.length >= length });
  return events.finish();
}

/** The same at once. */
export const benchTrace = (name: BenchTraceName, length: number, requests: boolean): EventBuffer =>
  atOnce(drawBenchTrace(name, length, requests));

type Calls = Pick<Program, 'malloc' | 'calloc' | 'realloc' | 'free'>;

const libcCalls = (events: EventBuilder): Calls => ({
  malloc: (size) => events.malloc(0, size),
  calloc: (count, size) => events.calloc(0, count, size),
  realloc: (block, size) => events.realloc(0, block, size),
  free: (block) => events.free(0, block),
});

const requestCalls = (events: EventBuilder): Calls => ({
  malloc: (size) => events.emalloc(0, size),
  calloc: (count, size) => events.ecalloc(0, count, size),
  realloc: (block, size) => events.erealloc(0, block, size),
  free: (block) => events.efree(0, block),
});

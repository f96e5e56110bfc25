import type { Touch } from '../../sim/contract/event.ts';
import type { Random } from '../../sim/contract/random.ts';
import { KIB, MIB } from '../../sim/contract/units.ts';
import type { BlockId, EventBuilder } from '../builder.ts';
import type { LiveBlocks } from './live-blocks.ts';

/** What a profile writes with; it ends soon after `done()`. */
export interface Stress {
  readonly events: EventBuilder;
  readonly live: LiveBlocks;
  readonly random: Random;
  /** Numbered from 0; at least 1. */
  readonly threads: number;
  done(): boolean;
}

export interface StressProfile {
  readonly about: string;
  /** Where most blocks are large, writing them in full would be all that a replay does. */
  readonly touch: Touch;
  /** Yields now and then. */
  readonly write: (stress: Stress) => Generator<void>;
}

/** Sizes from `min` up, most of them small: after each octave the next one is reached with the probability `climb`. */
function steep(random: Random, min: number, max: number, climb: number): number {
  let octave = min;
  while (octave * 2 <= max && random.chance(climb)) octave *= 2;
  return random.integer(octave, Math.min(max, octave * 2 - 1));
}

function shuffle<T>(random: Random, items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}

/** Takes a random item out; the order of the rest may change. */
function takeAny<T>(random: Random, items: T[]): T {
  const i = random.integer(0, items.length - 1);
  const item = items[i]!;
  items[i] = items.at(-1)!;
  items.pop();
  return item;
}

const repeat = <T>(times: number, make: () => T): T[] => Array.from({ length: times }, make);

function* tcache({ live, random, done }: Stress): Generator<void> {
  while (!done()) {
    yield;
    const kind = random.next();
    if (kind < 0.45 || live.count < 20) {
      const size = random.pick([random.integer(1, 128), random.integer(1, 1100), random.integer(1020, 1048)]);
      live.malloc(0, size);
    } else if (kind < 0.85) {
      live.free(0, live.any());
    } else {
      const size = random.integer(1, 1060);
      const burst = repeat(random.integer(2, 14), () => live.malloc(0, size));
      if (random.chance(0.5)) burst.reverse();
      for (const block of burst) if (random.chance(0.9)) live.free(0, block);
    }
  }
}

function* fastbin({ live, random, done }: Stress): Generator<void> {
  while (!done()) {
    yield;
    const size = random.integer(9, 140);
    const burst = shuffle(
      random,
      repeat(random.integer(5, 40), () => live.malloc(0, size + random.integer(-8, 8))),
    );
    burst.length = random.integer(burst.length >> 1, burst.length);
    for (const block of burst) live.free(0, block);
    const kind = random.next();
    if (kind < 0.1) live.free(0, live.malloc(0, random.integer(1024, 4000)));
    else if (kind < 0.14) live.free(0, live.malloc(0, random.integer(66000, 120000)));
    else if (kind < 0.5 && live.count > 300) repeat(40, () => live.free(0, live.any()));
  }
}

function* bins({ events, live, random, done }: Stress): Generator<void> {
  while (!done()) {
    yield;
    if (live.count < 50 || (random.chance(0.5) && live.bytes < 40 * MIB)) {
      const kind = random.next();
      if (kind < 0.4) live.malloc(0, random.integer(16, 1400));
      else if (kind < 0.9) live.malloc(0, random.octaves(1040, 120000));
      else live.malloc(0, random.pick([2048, 4096, 8192, 16384, 65536]));
    } else {
      live.free(0, live.any());
    }
  }
  events.sample('full');
  live.freeShare(0, 0.5);
}

function* mmap({ live, random, done }: Stress): Generator<void> {
  while (!done()) {
    yield;
    if (live.count < 8 || (random.chance(0.52) && live.count < 60 && live.bytes < 400 * MIB)) {
      const kind = random.next();
      if (kind < 0.4) live.malloc(0, random.integer(120 * KIB, 140 * KIB));
      else if (kind < 0.7) live.malloc(0, random.octaves(64 * KIB, 4 * MIB));
      else if (kind < 0.75) live.malloc(0, random.octaves(4 * MIB, 40 * MIB));
      else if (kind < 0.85) live.calloc(0, random.integer(1, 64), random.octaves(KIB, 64 * KIB));
      else live.malloc(0, random.integer(16, 3000));
    } else if (random.chance(0.1)) {
      live.realloc(0, live.any(), random.octaves(32 * KIB, 6 * MIB));
    } else {
      live.free(0, live.any());
    }
  }
}

function* trim({ events, live, random, done }: Stress): Generator<void> {
  for (let round = 1; !done(); round++) {
    yield;
    if (round % 5 === 0) {
      events.mallopt(0, 'M_TRIM_THRESHOLD', random.pick([65536, 131072, MIB]));
      events.mallopt(0, 'M_TOP_PAD', random.pick([0, 65536, 131072, MIB]));
    }
    const grown = repeat(random.integer(50, 400), () => live.malloc(0, random.octaves(100, 60000)));
    events.sample(`grown${round}`);
    if (random.chance(0.6)) grown.reverse();
    else shuffle(random, grown);
    grown.length = Math.floor(grown.length * (0.6 + 0.4 * random.next()));
    for (const block of grown) live.free(0, block);
    if (random.chance(0.4)) events.trim(0, random.pick([0, 0, 4096, 100000, MIB]));
    events.sample(`shrunk${round}`);
    if (live.count > 400) {
      live.freeShare(0, 0.8);
      events.trim(0, 0);
    }
  }
}

function* realloc({ live, random, done }: Stress): Generator<void> {
  while (!done()) {
    yield;
    const kind = random.next();
    if (live.count < 20 || (kind < 0.2 && live.count < 300)) {
      live.malloc(0, steep(random, 16, 20000, 0.57));
    } else if (kind < 0.35) {
      live.free(0, live.any());
    } else if (kind < 0.5) {
      const block = live.any();
      live.realloc(0, block, Math.max(1, Math.floor(live.sizeOf(block) * (0.1 + 0.9 * random.next()))));
    } else if (kind < 0.75) {
      const block = live.any();
      live.realloc(0, block, Math.min(3 * MIB, Math.floor(live.sizeOf(block) * (1 + 1.2 * random.next())) + 1));
    } else if (kind < 0.98) {
      const block = live.malloc(0, 16);
      for (let size = 16, steps = random.integer(3, 14); steps > 0; steps--) {
        size = size < 512 * KIB ? size * 2 : size + 300000;
        live.realloc(0, block, size);
        if (random.chance(0.2)) live.malloc(0, random.integer(16, 600));
      }
    } else {
      live.realloc(0, live.any(), 0);
    }
    if (live.bytes > 100 * MIB) live.freeShare(0, 0.7);
  }
}

function* aligned({ live, random, done }: Stress): Generator<void> {
  while (!done()) {
    yield;
    if (live.count < 30 || (random.chance(0.52) && live.bytes < 80 * MIB)) {
      if (random.chance(0.5)) {
        const kind = random.next();
        const shift = kind < 0.6 ? random.integer(3, 8) : kind < 0.95 ? random.integer(9, 13) : random.integer(14, 21);
        live.memalign(0, 2 ** shift, steep(random, 8, 300000, 0.66));
      } else {
        live.malloc(0, steep(random, 16, 4000, 0.62));
      }
    } else {
      live.free(0, live.any());
    }
  }
}

function* calloc({ live, random, done }: Stress): Generator<void> {
  while (!done()) {
    yield;
    if (live.count < 30 || (random.chance(0.52) && live.bytes < 60 * MIB)) {
      if (random.chance(0.7)) live.calloc(0, random.integer(1, 40), steep(random, 4, 12000, 0.66));
      else live.malloc(0, steep(random, 16, 30000, 0.66));
    } else {
      live.free(0, live.any());
    }
  }
}

function* prodcons({ events, live, random, threads, done }: Stress): Generator<void> {
  const half = Math.max(1, threads >> 1);
  for (let t = 1; t <= 2 * half; t++) events.threadBegin(t);
  const queue: BlockId[] = [];
  while (!done()) {
    yield;
    const producer = random.integer(1, half);
    for (let n = random.integer(1, 60); n > 0; n--) {
      queue.push(live.malloc(producer, steep(random, 16, 60000, 0.62)));
      if (random.chance(0.3)) live.free(producer, live.malloc(producer, random.integer(16, 200)));
    }
    const consumer = half + random.integer(1, half);
    for (let n = Math.min(queue.length, random.integer(1, 60)); n > 0; n--) {
      const block = random.chance(0.8) ? queue.shift()! : takeAny(random, queue);
      if (random.chance(0.1)) live.realloc(consumer, block, live.sizeOf(block) + random.integer(1, 500));
      live.free(consumer, block);
      if (random.chance(0.2)) live.free(consumer, live.malloc(consumer, random.integer(16, 900)));
    }
  }
  events.sample('queued');
  for (const block of queue) live.free(half + random.integer(1, half), block);
}

function* threads({ events, live, random, threads: count, done }: Stress): Generator<void> {
  if (count > 32) events.mallopt(0, 'M_ARENA_MAX', 6);
  const own = repeat<BlockId[]>(count, () => []);
  for (let t = 1; t < count; t++) events.threadBegin(t);
  while (!done()) {
    yield;
    const t = random.integer(0, count - 1);
    const mine = own[t]!;
    for (let n = random.integer(1, 40); n > 0; n--) {
      if (mine.length < 10 || random.chance(0.5)) {
        mine.push(live.malloc(t, steep(random, 16, 150000, 0.6)));
        continue;
      }
      const block = takeAny(random, mine);
      if (random.chance(0.1)) random.pick(own).push(block);
      else live.free(t, block);
    }
  }
  events.sample('running');
  for (let t = 1; t < count; t++) events.threadExit(t);
}

function* exits({ events, live, random, threads: count, done }: Stress): Generator<void> {
  const alive: { thread: number; blocks: BlockId[] }[] = [];
  const orphans: BlockId[] = [];
  let number = 0;
  while (!done()) {
    yield;
    const kind = random.next();
    if (alive.length < 2 || (kind < 0.06 && alive.length < Math.max(4, count))) {
      events.threadBegin(++number);
      alive.push({ thread: number, blocks: [] });
    } else if (kind < 0.11) {
      const { thread, blocks } = takeAny(random, alive);
      orphans.push(...blocks);
      events.threadExit(thread);
    } else if (kind < 0.2 && orphans.length > 0) {
      for (let n = Math.min(orphans.length, 30); n > 0; n--) live.free(0, takeAny(random, orphans));
    } else {
      const { thread, blocks } = random.pick(alive);
      for (let n = random.integer(1, 30); n > 0; n--) {
        if (blocks.length < 5 || random.chance(0.55)) blocks.push(live.malloc(thread, steep(random, 16, 30000, 0.62)));
        else live.free(thread, takeAny(random, blocks));
      }
    }
  }
}

function* decay({ events, live, random, threads: count, done }: Stress): Generator<void> {
  for (let round = 1; !done(); round++) {
    yield;
    for (let n = random.integer(200, 900); n > 0; n--) {
      const t = random.integer(0, count - 1);
      if (live.count < 50 || (random.chance(0.5) && live.bytes < 60 * MIB)) {
        live.malloc(t, steep(random, 16, 400000, 0.7));
      } else {
        live.free(t, live.any());
      }
      if (random.chance(0.02)) events.clock(random.integer(1000, 2e6));
    }
    live.freeShare(0, 0.3 + 0.65 * random.next());
    events.sample(`busy${round}`);
    for (let idle = random.integer(1, 4); idle > 0; idle--) {
      events.clock(random.integer(1e8, 5e9));
      for (let n = random.integer(100, 800); n > 0; n--) {
        live.free(0, live.malloc(0, random.pick([40, 40000, 40000, 90000])));
      }
      events.sample(`idle${round}.${idle}`);
    }
  }
}

function* requests({ events, random, threads: count, done }: Stress): Generator<void> {
  while (!done()) {
    yield;
    const t = random.integer(0, count - 1);
    const blocks: BlockId[] = [];
    const below: BlockId[] = [];
    events.requestBegin(t);
    for (let n = random.integer(20, 600); n > 0; n--) {
      const kind = random.next();
      if (kind < 0.5 || blocks.length === 0) blocks.push(events.emalloc(t, steep(random, 8, 4 * MIB, 0.6)));
      else if (kind < 0.56) blocks.push(events.ecalloc(t, random.integer(1, 20), steep(random, 8, 4000, 0.6)));
      else if (kind < 0.64) events.erealloc(t, random.pick(blocks), steep(random, 8, 4 * MIB, 0.65));
      else if (kind < 0.7) below.push(events.malloc(t, steep(random, 16, 100000, 0.6)));
      else events.efree(t, takeAny(random, blocks));
    }
    for (const block of below) events.free(t, block);
    events.requestEnd(t);
    if (random.chance(0.1)) events.sample(`request${events.length}`);
  }
}

function* mix({ events, live, random, threads: count, done }: Stress): Generator<void> {
  while (!done()) {
    yield;
    const t = random.integer(0, count - 1);
    for (let n = random.integer(1, 25); n > 0; n--) {
      const kind = random.next();
      if (live.count < 40 || (kind < 0.5 && live.bytes < 80 * MIB)) {
        const call = random.next();
        if (call < 0.75) live.malloc(t, steep(random, 12, MIB, 0.68));
        else if (call < 0.9) live.calloc(t, random.integer(1, 30), steep(random, 8, 50000, 0.62));
        else if (call < 0.94) live.memalign(t, 2 ** random.integer(4, 12), steep(random, 16, 100000, 0.62));
        else if (live.count > 0) events.write(t, live.any(), 0, 1);
      } else if (kind < 0.92) {
        live.free(t, live.any());
      } else {
        const block = live.any();
        live.realloc(t, block, Math.max(1, Math.floor(live.sizeOf(block) * (0.3 + 2.2 * random.next()))));
      }
    }
    if (random.chance(0.003)) events.sample(`at${events.length}`);
    if (random.chance(0.05)) events.clock(random.integer(1000, 5e7));
  }
}

/** Each aims at one mechanism of an allocator. */
export const STRESS_PROFILES: Readonly<Record<string, StressProfile>> = {
  tcache: { about: 'sizes around the limit of glibc’s thread cache, in bursts', touch: 'full', write: tcache },
  fastbin: { about: 'bursts that overflow thread caches; consolidation now and then', touch: 'full', write: fastbin },
  bins: { about: '16 bytes to 120 KB with random lifetimes', touch: 'full', write: bins },
  mmap: { about: 'around the mmap threshold, which moves; up to 40 MiB', touch: 'first', write: mmap },
  trim: { about: 'the heap grows and shrinks, thresholds change, malloc_trim', touch: 'full', write: trim },
  realloc: { about: 'blocks that grow and shrink in place, moved and mapped', touch: 'first', write: realloc },
  aligned: { about: 'alignments of 8 bytes to 2 MiB among plain blocks', touch: 'first', write: aligned },
  calloc: { about: 'calloc from fresh and used memory', touch: 'full', write: calloc },
  prodcons: { about: 'every block dies on another thread', touch: 'full', write: prodcons },
  threads: { about: 'many threads with blocks of their own, some handed over', touch: 'full', write: threads },
  exits: { about: 'short-lived threads whose blocks outlive them', touch: 'full', write: exits },
  decay: { about: 'bursts of work between idle stretches of the clock', touch: 'full', write: decay },
  requests: { about: 'requests of e-blocks with malloc below', touch: 'first', write: requests },
  mix: { about: 'everything at once', touch: 'full', write: mix },
};

import { UserError } from '../../sim/contract/assert.ts';
import { createRandom, type Random } from '../../sim/contract/random.ts';
import { type BlockId, createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter, startParameter } from '../workload.ts';
import { interleave } from './interleave.ts';

/**
 * After rpmalloc-benchmark's rptest as mimalloc-bench runs it (`N 0 1 2 500 1000 100 8 16000`): each thread has a table of blocks, and in each loop frees a number of them,
 * all that others have sent it, and allocates a number of others: aligned and cleared ones by turns. In every second loop it makes as many again
 * and sends them to another thread, in turn. Sizes fall off linearly.
 *
 * The numbers that the original has in tables (sizes, operations of a loop) are drawn once, in its ranges. Of its four passes (two programs of two) this is as many as asked for.
 */
export const rptest = defineWorkload({
  name: 'rptest',
  about: 'threads replace blocks of a table, and send every second batch to another thread to be freed',
  parameters: {
    threads: numberParameter(8, 'threads', 'beside the main thread', { min: 1, max: 1000 }),
    cross: numberParameter(2, 'loops', 'from one batch for another thread to the next; 0: none', { min: 0, max: 1e6 }),
    loops: numberParameter(500, 'loops', 'of each pass', { min: 1, max: 1e7 }),
    allocs: numberParameter(1000, 'blocks', 'in the table of a thread', { min: 1, max: 1e7 }),
    ops: numberParameter(100, 'blocks', 'of a loop at most', { min: 1, max: 1e6 }),
    passes: numberParameter(1, 'passes', 'one after the other; the original has four', { min: 1, max: 1000 }),
    min: numberParameter(8, 'bytes', 'of the smallest block', { min: 1, max: 2 ** 30 }),
    max: numberParameter(16_000, 'bytes', 'of the largest block', { min: 1, max: 2 ** 30 }),
    seed: seedParameter(),
    start: startParameter('barrier'),
  },
  cpus: ({ threads }) => threads,
  *generate({ threads, cross, loops, allocs, ops, passes, min, max, seed }) {
    if (min > max) throw new UserError(`rptest: found min=${min} above max=${max}, expected min at most max`);
    const events = createEventBuilder({
      name: `rptest ${threads} threads, ${passes} passes of ${loops} loops of at most ${ops} blocks`,
      rows: threads * passes * loops * Math.ceil(ops * 2.2 + 4) + 4 * threads + 1,
    });
    const schedule = createRandom(seed, 'rptest/schedule');
    const tables = drawTables(createRandom(seed, 'rptest/tables'), { ops, min, max });
    const pass = { cross: threads === 1 ? 0 : cross, loops, allocs, passes };
    const team = {
      inboxes: Array.from({ length: threads }, (): Batch[] => []),
      done: new Array<number>(passes).fill(0),
    };
    for (let t = 1; t <= threads; t++) events.threadBegin(t);
    const programs = team.inboxes.map((_, i) => worker(events, i, pass, tables, team));
    yield* interleave(programs, (runnable) => schedule.integer(0, runnable - 1));
    events.sample('end');
    return events.finish();
  },
});

const POINTER_BYTES = 8;
/** What a batch has beside its list: the list, its length, the next batch, whose it is. */
const BATCH_BYTES = 32;
/** By turns, blocks of less than a page. */
const ALIGNMENTS = [0, 8, 16];
const PAGE_BYTES = 4096;
/** Entries of the original's tables. */
const SIZES = 2000;
const ALLOC_OPS = 311;
const FREE_OPS = 257;

interface Tables {
  readonly sizes: readonly number[];
  readonly allocOps: readonly number[];
  readonly freeOps: readonly number[];
}

/** Shares of the most operations from 30 to 99 %, and of what is freed four fifths of that. */
function drawTables(draws: Random, { ops, min, max }: { ops: number; min: number; max: number }): Tables {
  const even = Array.from({ length: SIZES }, () => draws.next());
  // Of three evenly distributed numbers: the third, times how far the sum of the others is from its middle.
  const falling = even.map((w, i) => {
    const next = even[(i + 1) % SIZES]!;
    return min + Math.floor((max - min) * even[(i + 2) % SIZES]! * Math.abs(1 - w - next));
  });
  const shares = (count: number, of: number) =>
    Array.from({ length: count }, () => Math.floor((of * draws.integer(30, 99)) / 100));
  return { sizes: falling, allocOps: shares(ALLOC_OPS, ops), freeOps: shares(FREE_OPS, 0.8 * ops) };
}

/** Blocks that one thread has made for another one to free. */
interface Batch {
  readonly batch: BlockId;
  readonly list: BlockId;
  readonly blocks: readonly BlockId[];
}

interface Team {
  /** By thread; the latest batch first. */
  readonly inboxes: readonly Batch[][];
  /** By pass: threads that are through with its loops. */
  readonly done: number[];
}

interface Pass {
  readonly cross: number;
  readonly loops: number;
  readonly allocs: number;
  readonly passes: number;
}

/** The least prime from `from` on that does not divide `n`. */
function scatterOf(n: number, from: number): number {
  for (let p = from; ; p++) {
    let isPrime = p > 1;
    for (let d = 2; d * d <= p; d++) if (p % d === 0) isPrime = false;
    if (isPrime && n % p !== 0) return p;
  }
}

function* worker(events: EventBuilder, index: number, pass: Pass, tables: Tables, team: Team): Generator<void> {
  const thread = index + 1;
  const { cross, loops, allocs, passes } = pass;
  const { allocOps, freeOps, sizes } = tables;
  const threads = team.inboxes.length;
  const allocScatter = scatterOf(allocs, 7);
  const freeScatter = scatterOf(allocs, allocScatter + 1);
  const pointers = events.memalign(thread, 16, allocs * POINTER_BYTES);
  yield;
  const table = new Array<BlockId | undefined>(allocs);
  let allocAt = 0;
  let freeAt = 0;
  let other = 0;
  for (let n = 0; n < passes; n++) {
    let next = ((index + 1) * (n + 1) * 37) % SIZES;
    const make = (turn: number): BlockId => {
      const size = sizes[(next + 2) % SIZES]!;
      const align = size < PAGE_BYTES ? ALIGNMENTS[(next + turn) % 3]! : 0;
      next = (next + 1) % SIZES;
      return align === 0 ? events.calloc(thread, 1, size) : events.memalign(thread, align, size);
    };
    for (let loop = 0; loop < loops; loop++) {
      const received = team.inboxes[index]!.splice(0);
      for (let i = freeOps[(n + loop) % FREE_OPS]!; i > 0; i--) {
        yield* release(events, thread, table, freeAt);
        freeAt = (freeAt + freeScatter) % allocs;
      }
      yield* freeBatches(events, thread, received);
      const count = allocOps[(n + loop) % ALLOC_OPS]!;
      for (let i = 0; i < count; i++) {
        yield* release(events, thread, table, allocAt);
        table[allocAt] = make(i);
        yield;
        allocAt = (allocAt + allocScatter) % allocs;
      }
      if (cross === 0 || loop % cross !== 0 || team.done[n]! > 0) continue;
      const batch = events.memalign(thread, 16, BATCH_BYTES);
      yield;
      const list = events.memalign(thread, 16, Math.max(1, count) * POINTER_BYTES);
      yield;
      const blocks: BlockId[] = [];
      for (let i = 0; i < count; i++) {
        blocks.push(make(i));
        yield;
      }
      other = (other + 1) % threads;
      if (other === index) other = (other + 1) % threads;
      team.inboxes[other]!.unshift({ batch, list, blocks });
    }
    team.done[n]!++;
    while (team.done[n]! < threads || team.inboxes[index]!.length > 0) {
      yield* freeBatches(events, thread, team.inboxes[index]!.splice(0));
      yield;
    }
    for (let i = 0; i < allocs; i++) yield* release(events, thread, table, i);
  }
  events.free(thread, pointers);
  yield;
  events.threadExit(thread);
}

function* release(events: EventBuilder, thread: number, table: (BlockId | undefined)[], i: number): Generator<void> {
  const block = table[i];
  if (block === undefined) return;
  table[i] = undefined;
  events.free(thread, block);
  yield;
}

function* freeBatches(events: EventBuilder, thread: number, batches: readonly Batch[]): Generator<void> {
  for (const { batch, list, blocks } of batches) {
    for (const block of [...blocks, list, batch]) {
      events.free(thread, block);
      yield;
    }
  }
}

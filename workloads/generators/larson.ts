import { UserError } from '../../sim/contract/assert.ts';
import { createRandom } from '../../sim/contract/random.ts';
import { BREATH_STEPS } from '../breathing.ts';
import { createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter } from '../workload.ts';
import { interleave } from './interleave.ts';

/**
 * After the server benchmark of Larson and Krishnan: each thread owns a table of blocks and replaces random ones by new
 * ones of random size; after a number of replacements it hands its table to a new thread and exits. So most blocks are
 * freed by another thread than the one that allocated them, and threads come and go.
 */
export const larson = defineWorkload({
  name: 'larson',
  about: 'threads replace random blocks of a table, then hand the table to a new thread and exit',
  parameters: {
    threads: numberParameter(16, 'threads', 'at once, beside the main thread', { min: 1, max: 4096 }),
    blocks: numberParameter(1000, 'blocks', 'in the table of a thread', { min: 1, max: 1e7 }),
    rounds: numberParameter(4, 'rounds', 'threads that own a table one after the other', { min: 1, max: 1e6 }),
    replacements: numberParameter(2000, 'blocks', 'that a thread replaces before it exits', { min: 0, max: 1e8 }),
    warmup: numberParameter(
      0,
      'times',
      'that the main thread replaces as many blocks as there are, before; the original: 4',
      {
        min: 0,
        max: 1000,
      },
    ),
    min: numberParameter(8, 'bytes', 'of the smallest block', { min: 0, max: 2 ** 31 }),
    max: numberParameter(1000, 'bytes', 'of the largest block', { min: 0, max: 2 ** 31 }),
    seed: seedParameter(),
  },
  cpus: ({ threads }) => threads,
  *generate({ threads, blocks, rounds, replacements, warmup, min, max, seed }) {
    if (min > max) throw new UserError(`larson: found min=${min} above max=${max}, expected min at most max`);
    const events = createEventBuilder({
      name: `larson ${threads} threads, ${blocks} blocks each, ${rounds} rounds of ${replacements} replacements`,
      rows: threads * (blocks + 2 * warmup * blocks + rounds * (2 * replacements + 2)) + 1,
    });
    const schedule = createRandom(seed, 'larson/schedule');
    const draws = createRandom(seed, 'larson/blocks');
    const size = () => draws.integer(min, max);
    // The tables are filled by the main thread, as in the original.
    const tables = Array.from({ length: threads }, () =>
      Array.from({ length: blocks }, () => events.malloc(0, size())),
    );
    if (warmup > 0) yield* warmUp(tables, warmup);
    const programs = tables.map((table, i) => chain(events, table, i + 1));
    yield* interleave(programs, (runnable) => schedule.integer(0, runnable - 1));
    events.sample('end');
    return events.finish();

    /** Blocks that lie beside each other go to any threads, and to any places. */
    function* warmUp(all: number[][], times: number): Generator<void> {
      const place = (n: number) => [all[Math.floor(n / blocks)]!, n % blocks] as const;
      const count = threads * blocks;
      for (let n = count - 1; n > 0; n--) {
        const [table, i] = place(n);
        const [other, j] = place(draws.integer(0, n));
        [table[i], other[j]] = [other[j]!, table[i]!];
      }
      for (let n = 0; n < times * count; n++) {
        const [table, i] = place(draws.integer(0, count - 1));
        events.free(0, table[i]!);
        table[i] = events.malloc(0, size());
        if (n % BREATH_STEPS === 0) yield;
      }
    }

    /** Whoever gets the table begins when the one before it has exited: another life of the same number. */
    function* chain(target: EventBuilder, table: number[], thread: number): Generator<void> {
      for (let round = 0; round < rounds; round++) {
        target.threadBegin(thread);
        for (let n = 0; n < replacements; n++) {
          const i = draws.integer(0, table.length - 1);
          target.free(thread, table[i]!);
          yield;
          table[i] = target.malloc(thread, size());
          yield;
        }
        target.threadExit(thread);
        yield;
      }
    }
  },
});

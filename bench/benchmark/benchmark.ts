import { MODELS } from '../../allocators/index.ts';
import { assert } from '../../sim/contract/assert.ts';
import { findRealAllocator, nativeObstacle } from '../evidence/native/native.ts';
import { type Goal, goals } from './goals.ts';
import { type Loading, measureLoading } from './loading.ts';
import { measureReplay, type ReplayRow } from './replay-rows.ts';
import { measureScheduling, type SchedulingRow } from './scheduling.ts';
import { BENCH_TRACES, benchTrace } from './traces.ts';

export interface BenchmarkOptions {
  /** A tenth of the events, few rounds: shows that everything runs, not how fast. */
  readonly quick: boolean;
  /** As in --allocator; default: every model. */
  readonly allocators: readonly string[];
  readonly onStep: (about: string) => void;
}

export interface Benchmark {
  readonly events: number;
  readonly rounds: number;
  /** Why no real allocator was measured. */
  readonly noReal: string | undefined;
  readonly ceiling: readonly { readonly trace: string; readonly rate: number }[];
  readonly rows: readonly ReplayRow[];
  readonly scheduling: readonly SchedulingRow[];
  readonly loading: Loading;
  readonly goals: readonly Goal[];
}

/** The real allocator beside each model: its library, '' for the process's own. Zend's can not be had here. */
const PRELOAD: Readonly<Record<string, string>> = { glibc: '', jemalloc: 'libjemalloc.so.2' };

export async function benchmark(options: BenchmarkOptions): Promise<Benchmark> {
  const { quick, onStep } = options;
  const events = quick ? 400_000 : 2_000_000;
  const rounds = quick ? 1 : 7;
  const warmUp = quick ? 1 : 6;
  const noReal = nativeObstacle();
  const allocators = options.allocators.length > 0 ? options.allocators : MODELS.map((model) => model.name);
  const rows: ReplayRow[] = [];
  const ceiling: { trace: string; rate: number }[] = [];
  for (const trace of BENCH_TRACES) {
    const plain = benchTrace(trace, events, false);
    onStep(`empty model, ${trace}`);
    const empty = await measureReplay({ trace, events: plain, allocator: 'empty', preload: undefined, rounds, warmUp });
    ceiling.push({ trace, rate: empty.model.none });
    for (const allocator of allocators) {
      onStep(`${allocator}, ${trace}`);
      const name = /^\w+/.exec(allocator)![0];
      const layered = MODELS.find((model) => model.name === name)?.layered === true;
      const preload = PRELOAD[name];
      const real = noReal === undefined && preload !== undefined && findRealAllocator(preload || undefined);
      rows.push(
        await measureReplay({
          trace,
          events: layered ? benchTrace(trace, events, true) : plain,
          allocator,
          preload: real ? preload : undefined,
          rounds,
          warmUp,
        }),
      );
    }
  }
  onStep('virtual time');
  const threaded = allocators.filter((name) => name in PRELOAD);
  const scheduling = await measureScheduling(threaded, quick ? 1 : 5, quick);
  onStep('loading');
  const loading = await measureLoading(benchTrace('mixed', 1_000_000, false), quick ? 200 : 1500, quick ? 1 : 3);
  for (const row of rows) {
    const plausible = Object.values(row.model).every((rate) => rate > 0.1 && rate < 10_000);
    assert(plausible, `${row.allocator} on ${row.trace}: no plausible rate in ${JSON.stringify(row.model)}`);
  }
  return { events, rounds, noReal, ceiling, rows, scheduling, loading, goals: goals(rows, scheduling, loading) };
}

import { MODELS } from '../../allocators/index.ts';
import { assert } from '../../sim/contract/assert.ts';
import { breathing } from '../../workloads/breathing.ts';
import { findRealAllocator, nativeObstacle } from '../evidence/native/native.ts';
import { type Goal, goals } from './goals.ts';
import { type Loading, measureLoading } from './loading.ts';
import { measureReplay, type ReplayRow } from './replay-rows.ts';
import { measureScheduling, type SchedulingRow } from './scheduling.ts';
import { BENCH_TRACES, drawBenchTrace } from './traces.ts';

export interface BenchmarkOptions {
  /** A tenth of the events, few rounds: shows that everything runs, not how fast. */
  readonly quick: boolean;
  /** As in --allocator; default: every model. */
  readonly allocators: readonly string[];
  readonly onStep: (about: string) => void;
  readonly signal: AbortSignal;
}

export interface Benchmark {
  readonly events: number;
  readonly rounds: number;
  /** Why no real allocator was measured. */
  readonly noReal: string | undefined;
  readonly ceiling: readonly { readonly trace: string; readonly rate: number }[];
  readonly rows: readonly ReplayRow[];
  readonly scheduling: readonly SchedulingRow[];
  /** Undefined where the benchmark was interrupted. */
  readonly loading: Loading | undefined;
  /** None where it was interrupted: they are for all figures. */
  readonly goals: readonly Goal[];
  readonly partial: boolean;
}

/** The real allocator beside each model: its library, '' for the process's own. Zend's can not be had here. */
const PRELOAD: Readonly<Record<string, string>> = { glibc: '', jemalloc: 'libjemalloc.so.2' };

/** Where the signal ends it, the result has the rows that had finished. */
export async function benchmark(options: BenchmarkOptions): Promise<Benchmark> {
  const { quick, signal, onStep } = options;
  const size = { events: quick ? 400_000 : 2_000_000, rounds: quick ? 1 : 7, warmUp: quick ? 1 : 6 };
  const noReal = nativeObstacle();
  const allocators = options.allocators.length > 0 ? options.allocators : MODELS.map((model) => model.name);
  const found: Found = { rows: [], ceiling: [], scheduling: [], loading: undefined };
  const head = { events: size.events, rounds: size.rounds, noReal };
  try {
    await measureModels({ ...options, ...size, allocators, hasReal: noReal === undefined }, found);
    onStep('virtual time');
    const threaded = allocators.filter((name) => name in PRELOAD);
    for await (const row of measureScheduling(threaded, quick ? 1 : 5, quick, signal)) found.scheduling.push(row);
    onStep('loading');
    const trace = await breathing(drawBenchTrace('mixed', 1_000_000, false), signal);
    const loading = await measureLoading(trace, quick ? 200 : 1500, quick ? 1 : 3, signal);
    found.loading = loading;
    return { ...head, ...found, goals: goals(found.rows, found.scheduling, loading), partial: false };
  } catch (error) {
    if (!signal.aborted) throw error;
    return { ...head, ...found, goals: [], partial: true };
  }
}

interface Found {
  readonly rows: ReplayRow[];
  readonly ceiling: { readonly trace: string; readonly rate: number }[];
  readonly scheduling: SchedulingRow[];
  loading: Loading | undefined;
}

interface ModelsOptions {
  readonly allocators: readonly string[];
  readonly events: number;
  readonly rounds: number;
  readonly warmUp: number;
  readonly hasReal: boolean;
  readonly signal: AbortSignal;
  readonly onStep: (about: string) => void;
}

/** Every model on every trace; each row is there as soon as it is known. */
async function measureModels(options: ModelsOptions, { rows, ceiling }: Found): Promise<void> {
  const { allocators, events, rounds, warmUp, hasReal, signal, onStep } = options;
  for (const trace of BENCH_TRACES) {
    const plain = await breathing(drawBenchTrace(trace, events, false), signal);
    const measure = { trace, rounds, warmUp, signal };
    onStep(`empty model, ${trace}`);
    const empty = await measureReplay({ ...measure, events: plain, allocator: 'empty', preload: undefined });
    ceiling.push({ trace, rate: empty.model.none });
    for (const allocator of allocators) {
      onStep(`${allocator}, ${trace}`);
      const name = /^\w+/.exec(allocator)![0];
      const layered = MODELS.find((model) => model.name === name)?.layered === true;
      const preload = PRELOAD[name];
      const real = hasReal && preload !== undefined && findRealAllocator(preload || undefined);
      const row = await measureReplay({
        ...measure,
        events: layered ? await breathing(drawBenchTrace(trace, events, true), signal) : plain,
        allocator,
        preload: real ? preload : undefined,
      });
      const plausible = Object.values(row.model).every((rate) => rate > 0.1 && rate < 10_000);
      assert(plausible, `${row.allocator} on ${row.trace}: no plausible rate in ${JSON.stringify(row.model)}`);
      rows.push(row);
    }
  }
}

import { parseAllocator } from '../../../allocators/spec.ts';
import { COST_PROFILES } from '../../../sim/time/costs.ts';
import { resolveWorkload } from '../../../workloads/index.ts';
import { runVirtual } from '../../run/modes/virtual.ts';
import type { RunResult } from '../../run/result.ts';

/** A figure that somebody has measured on a machine with many processors, and how it is had here. */
export interface Published {
  readonly what: string;
  readonly range: readonly [from: number, to: number];
  readonly unit: string;
  readonly source: string;
  readonly measure: () => Promise<number>;
}

async function run(workload: string, allocator: string, cpus: number, topology = 'auto'): Promise<RunResult> {
  const { events, start } = await resolveWorkload(workload);
  const costs = COST_PROFILES['bare-metal']!;
  return runVirtual({
    events,
    workload,
    start,
    spec: parseAllocator(allocator, cpus),
    cpus,
    topology,
    costs,
    touch: 'none',
  });
}

/** How long glibc takes, of what jemalloc takes. */
async function ratio(workload: string, cpus: number, of: (result: RunResult) => number): Promise<number> {
  return of(await run(workload, 'glibc', cpus)) / of(await run(workload, 'jemalloc', cpus));
}

const wall = ({ summary }: RunResult): number => summary.virtualNs;
const busy = ({ summary }: RunResult): number => summary.cpuNs!;
const MIMALLOC = 'github.com/microsoft/mimalloc, doc/bench-2021';

function lockOf(result: RunResult) {
  return result.locks.find((lock) => lock.name === 'main_arena.mutex')!;
}

const onOneArena = (threads: number) => run(`rows:threads=${threads},rounds=250`, 'glibc:arena_max=1', threads);

async function acquisitionRate(threads: number): Promise<number> {
  const result = await onOneArena(threads);
  return lockOf(result).acquisitions / result.summary.virtualNs;
}

async function futexRate(threads: number): Promise<number> {
  const result = await onOneArena(threads);
  return ((lockOf(result).futexWaits + lockOf(result).futexWakes) / result.summary.virtualNs) * 1e3;
}

export const PUBLISHED: readonly Published[] = [
  {
    what: 'larson, 32 threads, six lives of 100 times a table of 200: processor time under glibc, of that under jemalloc',
    range: [1.2, 1.7],
    unit: 'times',
    source: MIMALLOC,
    measure: () => ratio('larson:threads=32,blocks=200,replacements=20000,rounds=6', 32, busy),
  },
  {
    // The main thread fills the tables, so in the first life most frees go to the main arena.
    what: 'larson, 32 threads, one life of 100 times a table of 1,000: the same',
    range: [1.2, 1.7],
    unit: 'times',
    source: MIMALLOC,
    measure: () => ratio('larson:threads=32,blocks=1000,replacements=100000,rounds=1', 32, busy),
  },
  {
    what: 'xmalloc-test, 16 pairs: time under glibc, of that under jemalloc',
    range: [0.3, 0.8],
    unit: 'times',
    source: MIMALLOC,
    measure: () => ratio('xmalloc-test:pairs=16,batches=200', 32, wall),
  },
  {
    what: 'alloc-test, one thread: the same',
    range: [1.05, 1.3],
    unit: 'times',
    source: MIMALLOC,
    measure: () => ratio('alloc-test', 32, wall),
  },
  {
    what: 'one mutex: acquisitions with 36 threads on 36 processors, fewer than with 9 on 9',
    range: [10, 40],
    unit: '%',
    source: 'github.com/Amanieu/parking_lot/pull/419',
    measure: async () => (1 - (await acquisitionRate(36)) / (await acquisitionRate(9))) * 100,
  },
  ...[32, 72].map((threads) => ({
    what: `one futex word, ${threads} threads: calls`,
    range: [0.4, 1.2] as const,
    unit: 'M a second',
    source: 'github.com/bram209/leptosfmt/pull/191, github.com/openai/codex/issues/43170',
    measure: () => futexRate(threads),
  })),
];

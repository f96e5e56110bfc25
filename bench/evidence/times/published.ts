import { parseAllocator } from '../../../allocators/spec.ts';
import type { Touch } from '../../../sim/contract/event.ts';
import { COST_PROFILES } from '../../../sim/time/costs.ts';
import { DEFAULT_TOPOLOGY } from '../../../sim/time/topology.ts';
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

/** The two machines of doc/bench-2021. */
const machineOf = (cpus: number) => (cpus > 32 ? 'cascadelake' : 'zen3');

/** The originals write into their blocks. */
async function run(
  workload: string,
  allocator: string,
  cpus: number,
  touch: Touch = 'full',
  topology = machineOf(cpus),
): Promise<RunResult> {
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
    touch,
  });
}

type Measure = (workload: string, allocator: string, cpus: number) => Promise<number>;

/** How long glibc takes, of what jemalloc takes. */
async function ratio(measure: Measure, workload: string, cpus: number): Promise<number> {
  return (await measure(workload, 'glibc', cpus)) / (await measure(workload, 'jemalloc', cpus));
}

const wall: Measure = async (...what) => (await run(...what)).summary.virtualNs;

/** Of all processors. */
const busy: Measure = async (...what) => (await run(...what)).concurrency!.processors!.busyNs;

/**
 * Busy time of further replacements in a life: in the original, whose lives have half a million of them, what a thread's begin, its end and the
 * blocks that it was handed cost does not count.
 */
const laterReplacements: Measure = async (workload, allocator, cpus) => {
  const first = async (replacements: number) =>
    (await run(`${workload},replacements=${replacements}`, allocator, cpus, 'first')).concurrency!.processors!.busyNs;
  return (await first(200_000)) - (await first(100_000));
};

/** Time for further batches of xmalloc-test, which the original counts for five seconds: the first ones make the arenas. */
const laterBatches: Measure = async (workload, allocator, cpus) =>
  (await wall(`${workload},batches=45`, allocator, cpus)) - (await wall(`${workload},batches=15`, allocator, cpus));

const MIMALLOC = 'github.com/microsoft/mimalloc, doc/bench-2021';
/** What glibc took of what jemalloc took on the two machines there, 2x18 cores of Cascade Lake and 16 of Zen 3. */
const COMPARED: readonly (readonly [
  what: string,
  range: readonly [number, number],
  measure: Measure,
  workload: string,
])[] = [
  ['alloc-testN', [1.14, 1.16], busy, 'alloc-test:threads=16,steps=3200000'],
  ['mstressN', [1, 1.18], wall, 'mstress:threads=32,iterations=2'],
  ['rptestN', [1.01, 1.17], busy, 'rptest:threads=32,loops=200'],
  ['sh6benchN', [3.05, 6.8], wall, 'sh6bench:threads=64,rounds=4'],
  ['sh8benchN', [2.27, 2.31], wall, 'sh8bench:threads=64,iterations=3000'],
  ['cache-scratchN', [0.21, 0.35], wall, 'cache-scratch:threads=32,iterations=100,writes=640'],
];

function lockOf(result: RunResult) {
  return result.locks.find((lock) => lock.name === 'main_arena.mutex')!;
}

/** Nobody says on which machine. */
const onOneArena = (threads: number, rounds: number) =>
  run(`rows:threads=${threads},rounds=${rounds}`, 'glibc:arena_max=1', threads, 'none', DEFAULT_TOPOLOGY);

async function acquisitionRate(threads: number): Promise<number> {
  const result = await onOneArena(threads, 1000); // in shorter runs the beginning decides: 11 to 27 %
  return lockOf(result).acquisitions / result.summary.virtualNs;
}

async function futexRate(threads: number): Promise<number> {
  const result = await onOneArena(threads, 250);
  return ((lockOf(result).futexWaits + lockOf(result).futexWakes) / result.summary.virtualNs) * 1e3;
}

export const PUBLISHED: readonly Published[] = [
  ...[32, 72].map((cpus) => ({
    what: `larsonN, ${cpus} threads, late in a life: processor time under glibc, of that under jemalloc`,
    range: [1.2, 1.7] as const,
    unit: 'times',
    source: MIMALLOC,
    measure: () => ratio(laterReplacements, `larson:threads=${cpus},blocks=500,rounds=1,warmup=4`, cpus),
  })),
  ...[32, 72].map((cpus) => ({
    what: `xmalloc-testN, ${cpus} threads and as many: time for so many blocks under glibc, of that under jemalloc`,
    range: [0.3, 0.8] as const,
    unit: 'times',
    source: MIMALLOC,
    measure: () => ratio(laterBatches, `xmalloc-test:pairs=${cpus},batch=4096,queue=${Math.ceil(100 / cpus)}`, cpus),
  })),
  {
    what: 'alloc-test1: the same',
    range: [1.05, 1.3],
    unit: 'times',
    source: MIMALLOC,
    measure: () => ratio(wall, 'alloc-test:steps=1000000', 32),
  },
  ...COMPARED.map(([what, range, measure, workload]) => ({
    what: `${what}, 32 processors: the same`,
    range,
    unit: 'times',
    source: MIMALLOC,
    measure: () => ratio(measure, workload, 32),
  })),
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

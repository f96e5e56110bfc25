import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runVirtual } from '../../bench/run/modes/virtual.ts';
import type { RunResult } from '../../bench/run/result.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import { scalingOf, scalingText } from '../../bench/study/scaling/scaling.ts';
import { STARTS } from '../../sim/contract/start.ts';
import { COST_PROFILES } from '../../sim/time/costs.ts';
import { CALIBRATED, TOPOLOGY_NAMES } from '../../sim/time/topology.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { type CoreOptions, playCore, type Step } from './core.ts';

async function run(workload: string, allocator: string, cpus: number, more: Partial<RunOptions> = {}) {
  const { events, start } = await resolveWorkload(workload);
  return runVirtual({ events, workload, start, spec: parseAllocator(allocator, cpus), cpus, touch: 'none', ...more });
}

const bareMetal = { costs: COST_PROFILES['bare-metal']! };
const withoutEngine = ({ engine: _, ...rest }: RunResult) => JSON.stringify(rest);
const futexCallsPerSecond = (result: RunResult, name: string): number => {
  const lock = result.locks.find((l) => l.name === name)!;
  return ((lock.futexWaits + lock.futexWakes) / result.summary.virtualNs) * 1e9;
};

/** Whatever threads, processors, model and machine: the invariants of sim/time/invariants.ts hold, which every run checks at its end. */
test('invariants hold from 1 to 256 threads on 1 to 256 processors', { timeout: 120_000 }, async () => {
  const size = fc.oneof(fc.constantFrom(1, 2, 3, 8, 32, 64, 128, 256), fc.integer({ min: 1, max: 256 }));
  const workload = fc.oneof(
    size.map((n) => `rows:threads=${n},rounds=${Math.ceil(400 / n)}`),
    size.map((n) => `larson:threads=${n},blocks=20,replacements=${Math.ceil(800 / n)},rounds=2`),
    fc.integer({ min: 1, max: 128 }).map((n) => `xmalloc-test:pairs=${n},batches=${Math.ceil(30 / n)}`),
    fc.constantFrom('mix', 'decay', 'prodcons', 'exits').map((p) => `stress:profile=${p},threads=9,events=1500`),
    fc.integer({ min: 1, max: 12 }).map((n) => `mstress:threads=${n},scale=1,iterations=1,transfers=20`),
    size.map((n) => `rptest:threads=${n},loops=${Math.ceil(12 / n)},allocs=50,ops=20`),
    fc.integer({ min: 1, max: 3 }).map((n) => `sh8bench:threads=${n},iterations=3,heap=2000,foreign=500`),
    size.map((n) => `cache-scratch:threads=${n},iterations=${Math.ceil(100 / n)},writes=64`),
    size.map((n) => `lanczos-32t:threads=${n},width=60,height=100,sizes=40x50`),
  );
  const allocator = fc.constantFrom(
    'glibc',
    'glibc:arena_max=1',
    'glibc:tcache_count=0',
    'jemalloc',
    'jemalloc:narenas=1',
  );
  const machine = fc.record({
    seed: fc.integer({ min: 0, max: 99 }),
    topology: fc.constantFrom(...TOPOLOGY_NAMES.filter((name) => name !== CALIBRATED)),
    hz: fc.constantFrom(100, 250, 1000),
    start: fc.constantFrom(...STARTS),
    kernel: fc.constantFrom({ version: '6.1' as const }, { version: '6.18' as const }),
    costs: fc.constantFrom(...Object.values(COST_PROFILES)),
    touch: fc.constantFrom('none' as const, 'full' as const),
  });
  await fc.assert(
    fc.asyncProperty(workload, allocator, size, machine, async (w, a, cpus, options) => {
      const result = await run(w, a, cpus, options);
      expect(result.partial).toBe(false);
      for (const { waitNs, holdNs } of result.locks) {
        expect(waitNs.total).toBeGreaterThanOrEqual(0);
        expect(holdNs).toBeLessThanOrEqual(result.summary.virtualNs * (1 + 1e-6) + 1);
      }
    }),
    { numRuns: 40, seed: 24 },
  );
});

describe('one lock for all', () => {
  const lock = 'main_arena.mutex';
  const onOneArena = (threads: number, rounds: number, cpus = threads) =>
    run(`rows:threads=${threads},rounds=${rounds}`, 'glibc:arena_max=1', cpus, bareMetal);

  test('is held no longer than the run takes, and its futex calls go one after the other', async () => {
    for (const threads of [32, 64]) {
      const result = await onOneArena(threads, 150);
      expect(result.locks.find((l) => l.name === lock)!.holdNs).toBeLessThanOrEqual(result.summary.virtualNs);
      expect(futexCallsPerSecond(result, lock)).toBeLessThan(2e6);
      // Most processors are busy, nearly always in the kernel, where they queue for the bucket.
      const { busyNs, idleNs, kernelNs } = result.concurrency!.processors!;
      expect(busyNs / (busyNs + idleNs)).toBeGreaterThan(0.75);
      expect(kernelNs / busyNs).toBeGreaterThan(0.9);
    }
  });

  test('two arenas take longer than the default, one longest', async () => {
    const workload = 'lanczos-32t:width=800,height=640,sizes=600x400';
    const times: number[] = [];
    for (const allocator of ['glibc', 'glibc:arena_max=2', 'glibc:arena_max=1']) {
      times.push((await run(workload, allocator, 32)).summary.virtualNs);
    }
    expect(times[1]).toBeGreaterThan(times[0]!);
    expect(times[2]).toBeGreaterThan(times[1]!);
  });
});

// Threads that share nothing, each with as much to do: with unequal shares a scheduler may do a little worse on one more
// processor, the real one too.
test('more processors are not slower for threads that share nothing', () => {
  const prices = { contextSwitchNs: 1500, wakeThreadNs: 1000, wakeIdleNs: 2000, wakeLatencyNs: 3000 };
  const endNs = (threads: number, workNs: number, options: CoreOptions) => {
    const scripts = Array.from({ length: threads }, (): Step[] => [['user', workNs]]);
    return playCore(scripts, options).endNs;
  };
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1000, max: 5_000_000 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      fc.record({
        topology: fc.constantFrom(...TOPOLOGY_NAMES.filter((name) => name !== CALIBRATED)),
        version: fc.constantFrom('6.1' as const, '6.18' as const),
        hz: fc.constantFrom(100, 250, 1000),
        costs: fc.constantFrom({}, prices),
      }),
      (threads, workNs, cpus, more, options) => {
        const few = endNs(threads, workNs, { cpus, ...options });
        expect(endNs(threads, workNs, { cpus: cpus + more, ...options })).toBeLessThanOrEqual(few);
      },
    ),
    { numRuns: 60, seed: 24 },
  );
});

// Uncontended work, arenas and topology being the same: what little differs is where the lines come from.
test('more processors are not slower', async () => {
  for (const allocator of ['glibc:arena_max=64', 'jemalloc:narenas=64']) {
    let before = Infinity;
    for (const cpus of [1, 2, 4, 8]) {
      const ns = (await run('rows:threads=8,rounds=500', allocator, cpus, { topology: 'icelake' })).summary.virtualNs;
      expect(ns).toBeLessThanOrEqual(before * 1.001);
      before = ns;
    }
    const [few, more] = await Promise.all([32, 40].map((cpus) => run('rows:threads=32,rounds=300', allocator, cpus)));
    expect(more!.summary.virtualNs).toBeLessThanOrEqual(few!.summary.virtualNs);
  }
});

test('where the run is cut changes nothing', async () => {
  const { events } = await resolveWorkload('larson:threads=12,blocks=60,replacements=300');
  const options = { events, workload: 'larson', spec: parseAllocator('glibc', 4), cpus: 4 };
  const whole = await runVirtual(options);
  // Samples end shares of events; those that are taken must be left out of the comparison.
  const cut = await runVirtual({ ...options, sampleEvery: 7 });
  const without = (result: RunResult) => withoutEngine({ ...result, samples: [] });
  expect(without(cut)).toBe(without(whole));
  const times = cut.samples.map((sample) => sample.virtualNs);
  expect([...times].sort((a, b) => a - b)).toEqual(times);
});

test('the law of scaling is printed where it fits, and no sentence contradicts the points', () => {
  const point = (threads: number, throughput: number) => ({
    threads,
    throughput,
    virtualNs: 1e6,
    contended: 0,
    waiting: 0,
    futexCalls: 0,
    rssPeakBytes: 0,
  });
  const rates = [31, 25, 12, 8, 7, 6, 5, 4].map((rate, i) => point(2 ** i, rate * 1e6));
  const falling = scalingOf('rows', 'glibc', 128, rates);
  expect(falling.fit).toBeNull();
  expect(falling.predictions).toEqual([]);
  expect(scalingText(falling)).toContain('do not follow');
  expect(scalingText(falling)).toContain('Most was done with 1 thread; more of them got less done.');
  expect(scalingText(falling)).not.toMatch(/never get less|More threads got more/);
  const linear = scalingOf(
    'rows',
    'glibc',
    8,
    [1, 2, 4, 8].map((n) => point(n, n * 1e6)),
  );
  expect(linear.fit!.rSquared).toBeGreaterThan(0.99);
  expect(scalingText(linear)).toContain('More threads got more done each time.');
});

test('the law is about threads that each have a processor: others are no part of it, and it tells nothing of them', () => {
  const grows = [1, 2, 3, 4, 8, 16].map((threads) => ({ threads, throughput: 1e6 * Math.min(threads, 4) }));
  const points = grows.map((point) => ({
    ...point,
    virtualNs: 1,
    contended: 0,
    waiting: 0,
    futexCalls: 0,
    rssPeakBytes: 0,
  }));
  const onFour = scalingOf('rows', 'glibc', 4, points);
  expect(onFour.fit!.rSquared).toBeGreaterThan(0.999);
  expect(onFour.predictions).toEqual([]);
  const onTwo = scalingOf('rows', 'glibc', 2, points);
  expect(onTwo.fit).toBeNull();
  expect(scalingText(onTwo)).toContain('it takes four, of threads that each have one of the 2 processors');
});

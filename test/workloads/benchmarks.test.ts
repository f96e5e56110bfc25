import { describe, expect, test } from 'vitest';
import { resolveWorkload } from '../../workloads/index.ts';
import { type TraceStatistics, traceStatistics } from '../../workloads/trace/statistics.ts';

const statistics = async (workload: string): Promise<TraceStatistics> =>
  traceStatistics((await resolveWorkload(workload)).events);

/** Share of the allocations that are at most so large. */
const shareUpTo = ({ sizes, allocations }: TraceStatistics, bytes: number): number =>
  sizes.reduce((sum, { upTo, blocks }) => sum + (upTo <= bytes ? blocks : 0), 0) / allocations;

// What was found in recordings of the original programs (daanx/mimalloc-bench), with the same parameters.
describe('kind of sizes, threads and lives as in recordings of the originals', () => {
  test('mstress 8 50 2', async () => {
    const s = await statistics('mstress');
    // Recorded: 540,045 allocations, 8 threads at once and 15 in all, 71 % up to 127 bytes, the largest 5 MB, 116,833 blocks at most.
    expect(Math.abs(s.allocations - 540_045)).toBeLessThan(100);
    expect([s.threads, s.threadsPeak]).toEqual([15, 8]);
    expect(shareUpTo(s, 127)).toBeCloseTo(0.708, 2);
    expect(shareUpTo(s, 1023)).toBeCloseTo(0.983, 2);
    expect(s.sizes.at(-1)!.upTo).toBe(2 ** 23 - 1);
    expect(s.liveBlocksPeak / 116_833).toBeCloseTo(1, 1);
    expect(s.crossThreadFrees / s.frees).toBeGreaterThan(0.04);
    expect(s.liveBlocksAtEnd).toBe(0);
  });

  test('rptest 8 0 1 2 500 1000 100 8 16000', async () => {
    const s = await statistics('rptest:loops=250');
    // Recorded: posix_memalign and calloc by halves, 26 to 34 % of the frees by others (as the threads happen to run), 2,770 bytes on average.
    expect(s.eventCounts['a']! / s.allocations).toBeCloseTo(0.51, 1);
    expect(s.allocatedBytes / s.allocations).toBeGreaterThan(2300);
    expect(s.allocatedBytes / s.allocations).toBeLessThan(3000);
    expect(shareUpTo(s, 1023)).toBeCloseTo(0.35, 1);
    expect(shareUpTo(s, 4095)).toBeCloseTo(0.75, 1);
    expect(s.crossThreadFrees / s.frees).toBeGreaterThan(0.25);
    expect(s.liveBlocksAtEnd).toBe(0);
  });

  test('alloc-test 1', async () => {
    const s = await statistics('alloc-test');
    // Recorded: 131,049 blocks live of 262,144 slots; 37.4 % up to 7 bytes, 86.6 % up to 31.
    expect(s.liveBlocksPeak / 131_049).toBeCloseTo(1, 1);
    expect(shareUpTo(s, 7)).toBeCloseTo(0.374, 2);
    expect(shareUpTo(s, 31)).toBeCloseTo(0.866, 2);
    expect(s.crossThreadFrees).toBe(0);
  });

  test('larson 5 8 1000 1000 2 4141 4', async () => {
    const s = await statistics('larson:threads=4,blocks=1000,replacements=2000,rounds=16,warmup=4');
    // Recorded: 42.7 % of the frees by another thread; sizes even from 8 to 1,000.
    expect(s.crossThreadFrees / s.frees).toBeCloseTo(0.43, 1);
    expect(shareUpTo(s, 511)).toBeCloseTo(0.508, 1);
    expect(s.liveBlocksPeak).toBe(4000);
  });
});

describe('shbench', () => {
  test('sh6bench: four fifths of a buffer are freed at each lap’s end, sizes as often as in the original', async () => {
    const s = await statistics('sh6bench:threads=2,calls=200,rounds=2');
    // A round of each thread has 69 runs of 250 blocks of less than 100 bytes, and 15 of 50 larger ones.
    const runs: number[] = [];
    for (let base = 1; base < 1000; base = Math.floor((base * 3) / 2) + 1)
      for (let size = base; size > 0; size >>= 1) runs.push(size);
    const small = runs.filter((size) => size < 100).length * 250;
    const large = runs.filter((size) => size >= 100).length * 50;
    expect(s.allocations).toBe(4 * (small + large) + 2);
    expect(s.crossThreadFrees).toBe(0);
    expect(s.liveBlocksPeak).toBeLessThan(s.allocations / 10);
    expect(s.threadsPeak).toBe(3);
  });

  test('sh8bench: what the main thread allocates the others free', async () => {
    const s = await statistics('sh8bench:threads=4,iterations=48,heap=20000,foreign=1600');
    expect(s.crossThreadFrees).toBe(1600);
    // Two thirds of what the threads allocate for themselves has 16 bytes.
    expect(shareUpTo(s, 31) - shareUpTo(s, 15)).toBeGreaterThan(0.6);
    expect(s.liveBlocksAtEnd).toBeGreaterThan(0); // the buffers are left as they are
  });

  test('more threads than calls, and a buffer of the least size, are no matter', async () => {
    for (const w of ['sh6bench:threads=64,calls=5,rounds=1', 'sh8bench:threads=9,iterations=1,heap=5,foreign=1'])
      expect((await statistics(w)).allocations).toBeGreaterThan(0);
  });
});

test('cache-scratch: each thread frees the main thread’s object, and writes to its own', async () => {
  const s = await statistics('cache-scratch:threads=4,iterations=10,writes=40');
  expect(s.crossThreadFrees).toBe(4);
  expect(s.eventCounts['w']).toBe(4 * 10 * 10);
  expect(s.liveBlocksAtEnd).toBe(0);
});

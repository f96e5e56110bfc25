import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseThreadCounts, withThreads } from '../../bench/study/scaling/scaling.ts';
import { fitScalability, throughputAt } from '../../sim/metrics/scalability.ts';

const COUNTS = [1, 2, 4, 8, 16, 32, 64];

test('finds the law that made the points', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1, max: 1e9, noNaN: true }),
      fc.double({ min: 0, max: 0.5, noNaN: true }),
      fc.double({ min: 0, max: 0.01, noNaN: true }),
      (perThread, contention, coherence) => {
        const law = { perThread, contention, coherence };
        const points = COUNTS.map((threads) => ({ threads, throughput: throughputAt(law, threads) }));
        const fit = fitScalability(points)!;
        expect(fit.perThread / perThread).toBeCloseTo(1, 5);
        expect(fit.contention).toBeCloseTo(contention, 5);
        expect(fit.coherence).toBeCloseTo(coherence, 5);
        expect(fit.rSquared).toBeGreaterThan(0.999);
      },
    ),
  );
});

test('linear scaling has neither contention nor a peak', () => {
  const fit = fitScalability(COUNTS.map((threads) => ({ threads, throughput: 3 * threads })))!;
  expect(fit.contention).toBeCloseTo(0, 9);
  expect(fit.peakThreads).toBeNull();
});

test('the peak is where one more thread stops helping', () => {
  const law = { perThread: 1, contention: 0.04, coherence: 0.001 };
  const points = COUNTS.map((threads) => ({ threads, throughput: throughputAt(law, threads) }));
  expect(fitScalability(points)!.peakThreads).toBeCloseTo(Math.sqrt(0.96 / 0.001), 3);
});

test('one number of threads is too few', () => {
  expect(fitScalability([{ threads: 4, throughput: 1 }])).toBeUndefined();
});

test('thread counts and workloads on the command line', () => {
  expect(parseThreadCounts('8,1,2,2')).toEqual([1, 2, 8]);
  expect(() => parseThreadCounts('1,x')).toThrow("--threads: found 'x'");
  expect(withThreads('rows:rounds=5,threads=3', 8)).toBe('rows:rounds=5,threads=8');
  expect(withThreads('rows', 2)).toBe('rows:threads=2');
  expect(() => withThreads('trace.htrace', 2)).toThrow('has no parameter threads');
});

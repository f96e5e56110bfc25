import fc from 'fast-check';
import { expect, test } from 'vitest';
import { percentiles } from '../../sim/metrics/percentiles.ts';
import { bucketDuration, DURATION_BUCKETS, durationBucket } from '../../sim/time/durations.ts';

test('a bucket is within 6.25 % of the durations that it counts', () => {
  fc.assert(
    fc.property(fc.double({ min: 16, max: 2 ** 43, noNaN: true }), (ns) => {
      const bucket = durationBucket(ns);
      expect(bucket).toBeLessThan(DURATION_BUCKETS);
      expect(Math.abs(bucketDuration(bucket) - ns) / ns).toBeLessThan(0.0625);
    }),
  );
});

test('percentiles of counted durations', () => {
  const counts = new Int32Array(DURATION_BUCKETS);
  for (let i = 0; i < 990; i++) counts[durationBucket(10)]!++;
  for (let i = 0; i < 10; i++) counts[durationBucket(5000)]!++;
  const { count, p50, p99, p999, max } = percentiles(counts, 5100);
  expect({ count, p50, p99, max }).toEqual({ count: 1000, p50: 10, p99: 10, max: 5100 });
  expect(p999).toBeGreaterThan(4800);
  expect(p999).toBeLessThanOrEqual(5100);
});

test('no durations have no percentiles', () => {
  expect(percentiles([])).toEqual({ count: 0, p50: 0, p99: 0, p999: 0, max: 0 });
});

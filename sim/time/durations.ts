import type { Ns } from '../contract/units.ts';

// A distribution of durations while it is being measured: counts over 16 steps in each power of two, so that recording
// costs a store, a load and an error of at most 6 % / 2. Percentiles are read through an HDR histogram afterwards.
const STEPS_LOG2 = 4;
const STEPS = 1 << STEPS_LOG2;
/** Durations up to 2^44 ns (five hours); longer ones count as that. */
export const DURATION_BUCKETS = (44 - STEPS_LOG2 + 1) * STEPS;

// A double's upper half begins with its exponent, biased by 1023, and the first digits behind the leading one: the bucket, but for an offset.
const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);
const UPPER = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0;
const MANTISSA_BITS = 20;
const OFFSET = (1023 + STEPS_LOG2 - 1) << STEPS_LOG2;

/** Bucket of a duration in nanoseconds, 0 or more. */
export function durationBucket(ns: Ns): number {
  if (ns < STEPS) return ns | 0;
  double[0] = ns;
  const bucket = (halves[UPPER]! >>> (MANTISSA_BITS - STEPS_LOG2)) - OFFSET;
  return bucket < DURATION_BUCKETS ? bucket : DURATION_BUCKETS - 1;
}

/** The middle of a bucket. */
export function bucketDuration(bucket: number): Ns {
  if (bucket < STEPS) return bucket;
  const shift = (bucket >> STEPS_LOG2) - 1;
  return (STEPS + (bucket & (STEPS - 1)) + 0.5) * 2 ** shift;
}

import { createRequire } from 'node:module';
import type { Ns } from '../contract/units.ts';
import { bucketDuration } from '../time/durations.ts';

/** p50, p99 and so on of a distribution in nanoseconds. */
export interface Percentiles {
  readonly count: number;
  readonly p50: Ns;
  readonly p99: Ns;
  readonly p999: Ns;
  readonly max: Ns;
}

// The package as a whole brings compression and WebAssembly: twelve times as long to load.
const { default: Int32Histogram } = createRequire(import.meta.url)(
  'hdr-histogram-js/dist/Int32Histogram.js',
) as typeof import('hdr-histogram-js/dist/Int32Histogram.js');

const HIGHEST_NS: Ns = 2 ** 45;
const DIGITS = 2;

/** Percentiles of counted durations; `max` is exact where it is given. */
export function percentiles(counts: ArrayLike<number>, max?: Ns): Percentiles {
  const histogram = new Int32Histogram(1, HIGHEST_NS, DIGITS);
  histogram.autoResize = true;
  let count = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    const n = counts[bucket]!;
    if (n > 0) histogram.recordValueWithCount(Math.max(0, Math.round(bucketDuration(bucket))), n);
    count += n;
  }
  if (count === 0) return { count: 0, p50: 0, p99: 0, p999: 0, max: 0 };
  const most = max ?? histogram.maxValue;
  const at = (percent: number) => Math.min(histogram.getValueAtPercentile(percent), most);
  return { count, p50: at(50), p99: at(99), p999: at(99.9), max: most };
}

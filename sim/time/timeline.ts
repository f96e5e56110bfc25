import type { Beginning } from '../contract/beginning.ts';
import type { Ns } from '../contract/units.ts';

/** What a thread waits for: the columns of the timeline. */
export const WAITS_FOR_LOCK = 0;
export const WAITS_FOR_KERNEL_LOCK = 1;
export const WAITS_FOR_PROCESSOR = 2;
export const WAITS_FOR_THREAD = 3;
const KINDS = 4;
const BUCKETS = 256;
const FIRST_NS = 1024;

/** Nanoseconds of waiting in each stretch of the run, by what was waited for; stretches widen as the run gets longer. */
export interface Timeline {
  add(kind: number, from: Ns, duration: Ns): void;
  /** Width of a stretch, and for each kind the waiting in each of the stretches up to `end`. */
  read(end: Ns): { widthNs: Ns; waits: number[][] };
}

export function createTimeline({ keep, also }: Beginning): Timeline {
  let width = FIRST_NS;
  const sums = keep(new Float64Array(KINDS * BUCKETS));
  also(() => {
    width = FIRST_NS;
  });

  /** Twice the width: pairs of stretches become one. */
  function widen(): void {
    width *= 2;
    for (let kind = 0; kind < KINDS; kind++) {
      const base = kind * BUCKETS;
      for (let i = 0; i < BUCKETS / 2; i++) sums[base + i] = sums[base + 2 * i]! + sums[base + 2 * i + 1]!;
      sums.fill(0, base + BUCKETS / 2, base + BUCKETS);
    }
  }

  return {
    add(kind, from, duration) {
      const to = from + duration;
      while (to >= width * BUCKETS) widen();
      const base = kind * BUCKETS;
      for (let at = from; at < to; ) {
        const bucket = Math.floor(at / width);
        const end = Math.min(to, (bucket + 1) * width);
        sums[base + bucket]! += end - at;
        at = end;
      }
    },
    read(end) {
      const count = Math.min(BUCKETS, Math.ceil(end / width));
      return {
        widthNs: width,
        waits: Array.from({ length: KINDS }, (_, kind) => [...sums.slice(kind * BUCKETS, kind * BUCKETS + count)]),
      };
    },
  };
}

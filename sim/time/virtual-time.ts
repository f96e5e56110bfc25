import type { Ns } from '../contract/units.ts';
import type { Costs } from './costs.ts';

/**
 * Where every thread stands in virtual time: shared by the scheduler, the locks and the replay, which each move clocks
 * for their own reasons.
 */
export interface VirtualTime {
  readonly threads: number;
  readonly costs: Costs;
  readonly seed: number;
  /** Each thread's own time. */
  readonly clocks: Float64Array;
  /** To be added to a thread's clock before its next event: interrupts, wake-ups that it had to do for waiters. */
  readonly debts: Float64Array;
  /** While a call runs: when the thread went to sleep first, and how long it slept in all. */
  readonly sleepFrom: Float64Array;
  readonly sleepNs: Float64Array;
  /** How fast each thread is at the moment: a factor of its prices, drawn anew for each time slice. */
  readonly pace: Float64Array;
  /** When a thread that stopped for a known time goes on. */
  readonly until: Float64Array;
  /** The processor that a thread runs on, or ran on last. */
  readonly processor: Int32Array;
  /** The thread on each processor, -1 for none. */
  readonly running: Int32Array;
  /** By processor: how many threads are ready behind the one that runs there, and the first of them. */
  readonly queued: Int32Array;
  readonly front: Int32Array;
  /** 1: the thread last left its processor although it could have gone on: it gave way, or its slice was over. */
  readonly gaveWay: Uint8Array;
  /** Since when the thread is off its processor in the middle of a call, maybe; -1 where it is not. */
  readonly preemptedAt: Float64Array;
  /** How many threads are off their processors so. */
  readonly preempted: Int32Array;
  /** While a call runs, and then asleep: the thread that has to get its processor back first, + 1; 0 for none. */
  readonly sleepsFor: Int32Array;
  /** 1: it sleeps with no lock of the allocator. */
  readonly sleepsBare: Uint8Array;
  /** When the thread loses its processor to the next one that is ready there. */
  readonly sliceEnd: Float64Array;
  /** Whether it sleeps for mmap_lock as it begins: CROWDED_TO_COME, CROWDED_OUT, or 0. */
  readonly crowded: Uint8Array;
  /** 1: the sleeping thread will preempt another one when it wakes. */
  readonly preempts: Uint8Array;
  /** Nobody acts before this time any more: when the running turn began. */
  readonly horizon: Float64Array;
  /** Of each thread, over the whole run: time waiting for locks, and the part of it spent spinning. */
  readonly lockWaitNs: Float64Array;
  readonly spinNs: Float64Array;
  /** Waiting over virtual time. */
  readonly timeline: Timeline;
}

export function createVirtualTime(threads: number, cpus: number, costs: Costs, seed: number): VirtualTime {
  const perThread = () => new Float64Array(threads);
  return {
    threads,
    costs,
    seed,
    clocks: perThread(),
    debts: perThread(),
    sleepFrom: perThread(),
    sleepNs: perThread(),
    pace: perThread().fill(1),
    until: perThread(),
    processor: new Int32Array(threads),
    running: new Int32Array(cpus).fill(-1),
    queued: new Int32Array(cpus),
    front: new Int32Array(cpus),
    gaveWay: new Uint8Array(threads),
    preemptedAt: perThread().fill(-1),
    preempted: new Int32Array(1),
    sleepsFor: new Int32Array(threads),
    sleepsBare: new Uint8Array(threads),
    sliceEnd: perThread().fill(Infinity),
    crowded: new Uint8Array(threads),
    preempts: new Uint8Array(threads),
    horizon: new Float64Array(1),
    lockWaitNs: perThread(),
    spinNs: perThread(),
    timeline: createTimeline(),
  };
}

/** It will lose its processor at its next call that takes mmap_lock, where another processor is at the same time. */
export const CROWDED_TO_COME = 1;
/** It has, and gets mmap_lock, as a reader, before it runs again. */
export const CROWDED_OUT = 2;

/** What a thread waits for: the columns of the timeline. */
export const WAITS_FOR_LOCK = 0;
export const WAITS_FOR_KERNEL_LOCK = 1;
export const WAITS_FOR_PROCESSOR = 2;
export const WAITS_FOR_THREAD = 3;
const KINDS = 4;
const BUCKETS = 256;

/** Nanoseconds of waiting in each stretch of the run, by what was waited for; stretches widen as the run gets longer. */
export interface Timeline {
  add(kind: number, from: Ns, duration: Ns): void;
  /** Width of a stretch, and for each kind the waiting in each of the stretches up to `end`. */
  read(end: Ns): { widthNs: Ns; waits: number[][] };
}

function createTimeline(): Timeline {
  let width = 1024;
  const sums = new Float64Array(KINDS * BUCKETS);

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

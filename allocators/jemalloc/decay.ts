import type { Ns, Pages } from '../../sim/contract/units.ts';
import { prngRange, seedPrng } from './prng.ts';

/**
 * How many unused pages may stay now (decay.c). Pure: the caller has the clock, the lock and the pages.
 *
 * Time is cut into SMOOTHSTEP_NSTEPS intervals of decay time / 200. A page that became unused may stay with a
 * probability that falls from 1 to 0 along a smootherstep curve, 6x⁵ - 15x⁴ + 10x³: the backlog remembers how many
 * pages each of the last 200 intervals added, and the limit is the sum of each entry times its place on the curve.
 * The limit changes only when an epoch has ended and its deadline, blurred by up to one interval, has passed.
 */
export const SMOOTHSTEP_NSTEPS = 200;
const SMOOTHSTEP_ONE = 2 ** 24; // SMOOTHSTEP_BFP bits after the point

/** h_steps: the curve at (i + 1) / 200, rounded down to 24 bits; (6n⁵ - 3000n⁴ + 400000n³) / 200⁵ is exact. */
export const H_STEPS: Float64Array = Float64Array.from({ length: SMOOTHSTEP_NSTEPS }, (_, i) => {
  const n = i + 1;
  const numerator = n ** 3 * (6 * n * n - 3000 * n + 400000);
  const divisor = 200 ** 5;
  // Both factors by parts, so that no product passes 2^53.
  const whole = Math.floor(numerator / divisor);
  let rest = numerator - whole * divisor;
  let result = whole;
  for (let bit = 0; bit < 24; bit += 8) {
    rest *= 256;
    const digit = Math.floor(rest / divisor);
    rest -= digit * divisor;
    result = result * 256 + digit;
  }
  return result;
});

// decay_t as DECAY_WORDS doubles: fields, then the backlog; the jitter generator lies in two int32 of its own.
const TIME_MS = 0;
const INTERVAL = 1;
const EPOCH = 2;
const DEADLINE = 3;
const NPAGES_LIMIT = 4;
const NUNPURGED = 5;
const PURGING = 6;
const LAST_UNUSED = 7; // when pages last became unused; not in the real decay_t
const BACKLOG = 8;
export const DECAY_WORDS = BACKLOG + SMOOTHSTEP_NSTEPS;

/** What decay_ns_until_purge says where nothing will ever be due. */
export const DECAY_UNBOUNDED: Ns = Number.POSITIVE_INFINITY;

export type Decay = ReturnType<typeof createDecay>;

/** Decay states side by side: number `d` has its doubles at d × DECAY_WORDS and its generator at 2 d. */
export function createDecay(words: Float64Array, jitter: Int32Array) {
  const at = (d: number) => d * DECAY_WORDS;

  /** decay_deadline_init */
  function setDeadline(d: number): void {
    const w = at(d);
    words[w + DEADLINE] = words[w + EPOCH]! + words[w + INTERVAL]!;
    if (words[w + TIME_MS]! > 0) words[w + DEADLINE]! += prngRange(jitter, d * 2, words[w + INTERVAL]!);
  }

  /** decay_reinit; `address` is where the real decay_t lies, which seeds the jitter. */
  function reinit(d: number, now: Ns, timeMs: number, address: number): void {
    const w = at(d);
    words[w + TIME_MS] = timeMs;
    if (timeMs > 0) words[w + INTERVAL] = Math.floor((timeMs * 1e6) / SMOOTHSTEP_NSTEPS);
    words[w + EPOCH] = now;
    seedPrng(jitter, d * 2, address);
    setDeadline(d);
    words[w + NUNPURGED] = 0;
    words.fill(0, w + BACKLOG, w + DECAY_WORDS);
  }

  /** decay_backlog_npages_limit */
  function backlogLimit(d: number): Pages {
    const w = at(d) + BACKLOG;
    let sum = 0;
    for (let i = 0; i < SMOOTHSTEP_NSTEPS; i++) sum += words[w + i]! * H_STEPS[i]!;
    return Math.floor(sum / SMOOTHSTEP_ONE);
  }

  /** decay_backlog_update: `advanced` intervals have passed; what was added in them counts as added in the last. */
  function updateBacklog(d: number, advanced: number, current: Pages): void {
    const w = at(d);
    const first = w + BACKLOG;
    const last = first + SMOOTHSTEP_NSTEPS - 1;
    if (advanced >= SMOOTHSTEP_NSTEPS) {
      words.fill(0, first, last);
    } else {
      words.copyWithin(first, first + advanced, last + 1);
      if (advanced > 1) words.fill(0, last + 1 - advanced, last);
    }
    words[last] = Math.max(0, current - words[w + NUNPURGED]!);
  }

  /** decay_maybe_advance_epoch: whether the deadline had passed, so that there is a new limit. */
  function maybeAdvanceEpoch(d: number, now: Ns, current: Pages): boolean {
    const w = at(d);
    if (words[w + DEADLINE]! > now) return false;
    const interval = words[w + INTERVAL]!;
    const advanced = Math.floor((now - words[w + EPOCH]!) / interval);
    words[w + EPOCH]! += advanced * interval;
    setDeadline(d);
    updateBacklog(d, advanced, current);
    const limit = backlogLimit(d);
    words[w + NPAGES_LIMIT] = limit;
    words[w + NUNPURGED] = Math.max(limit, current);
    return true;
  }

  /** decay_npurge_after_interval: pages to purge until `intervals` from now. */
  function purgeAfter(d: number, intervals: number): Pages {
    const w = at(d) + BACKLOG;
    let sum = 0;
    for (let i = 0; i < SMOOTHSTEP_NSTEPS; i++) {
      sum += words[w + i]! * (H_STEPS[i]! - (i < intervals ? 0 : H_STEPS[i - intervals]!));
    }
    return Math.floor(sum / SMOOTHSTEP_ONE);
  }

  /** decay_ns_until_purge: when about `threshold` pages will be due; a binary search over intervals. */
  function nsUntilPurge(d: number, current: Pages, threshold: Pages): Ns {
    const w = at(d);
    if (words[w + TIME_MS]! <= 0) return DECAY_UNBOUNDED;
    const interval = words[w + INTERVAL]!;
    if (current === 0) {
      let i = 0;
      while (i < SMOOTHSTEP_NSTEPS && words[w + BACKLOG + i] === 0) i++;
      if (i === SMOOTHSTEP_NSTEPS) return DECAY_UNBOUNDED;
    }
    if (current <= threshold) return interval * SMOOTHSTEP_NSTEPS;
    let low = 2;
    let high = SMOOTHSTEP_NSTEPS;
    let purgeLow = purgeAfter(d, low);
    if (purgeLow > threshold) return interval * low;
    let purgeHigh = purgeAfter(d, high);
    if (purgeHigh < threshold) return interval * high;
    while (purgeLow + threshold < purgeHigh && low + 2 < high) {
      const target = (low + high) >> 1;
      const purge = purgeAfter(d, target);
      if (purge > threshold) {
        high = target;
        purgeHigh = purge;
      } else {
        low = target;
        purgeLow = purge;
      }
    }
    return Math.floor((interval * (high + low)) / 2);
  }

  /** decay_npages_purge_in: how many of `added` pages will be due within `ns`. */
  function purgeIn(d: number, ns: Ns, added: Pages): Pages {
    const epochs = Math.floor(ns / words[at(d) + INTERVAL]!);
    if (epochs >= SMOOTHSTEP_NSTEPS) return added;
    return Math.floor(
      (added * (H_STEPS[SMOOTHSTEP_NSTEPS - 1]! - H_STEPS[SMOOTHSTEP_NSTEPS - 1 - epochs]!)) / SMOOTHSTEP_ONE,
    );
  }

  /**
   * How many of `current` pages the curve would let stay now, had anybody looked: those of the backlog by their age, those
   * that no epoch has seen yet by the time when the last of them became unused. Nothing changes.
   */
  function allowedAt(d: number, now: Ns, current: Pages): Pages {
    const w = at(d);
    const interval = words[w + INTERVAL]!;
    const share = (steps: number) => (steps >= SMOOTHSTEP_NSTEPS ? 0 : H_STEPS[SMOOTHSTEP_NSTEPS - 1 - steps]!);
    const passed = Math.floor((now - words[w + EPOCH]!) / interval);
    let sum =
      Math.max(0, current - words[w + NUNPURGED]!) * share(Math.floor((now - words[w + LAST_UNUSED]!) / interval));
    for (let i = 0; i < SMOOTHSTEP_NSTEPS; i++) {
      const pages = words[w + BACKLOG + i]!;
      if (pages > 0) sum += pages * share(SMOOTHSTEP_NSTEPS - 1 - i + passed);
    }
    return Math.min(current, Math.floor(sum / SMOOTHSTEP_ONE));
  }

  return {
    allowedAt,
    /** Pages became unused now; only the report asks for it. */
    noteUnused: (d: number, now: Ns): void => {
      words[at(d) + LAST_UNUSED] = now;
    },
    reinit,
    maybeAdvanceEpoch,
    nsUntilPurge,
    purgeIn,
    timeMs: (d: number) => words[at(d) + TIME_MS]!,
    epoch: (d: number): Ns => words[at(d) + EPOCH]!,
    deadline: (d: number): Ns => words[at(d) + DEADLINE]!,
    limit: (d: number): Pages => words[at(d) + NPAGES_LIMIT]!,
    /** decay_epoch_npages_delta: pages that the last epoch added. */
    lastAdded: (d: number): Pages => words[at(d) + BACKLOG + SMOOTHSTEP_NSTEPS - 1]!,
    /** decay->purging: a thread is at it. */
    isPurging: (d: number) => words[at(d) + PURGING] !== 0,
    setPurging: (d: number, purging: boolean): void => {
      words[at(d) + PURGING] = purging ? 1 : 0;
    },
  };
}

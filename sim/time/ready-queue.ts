import { createBeginning } from '../contract/beginning.ts';

/**
 * A tournament over `size` places, each with a time (Infinity: takes no part): which place has the least? A change of
 * one place's time replays only the matches on its way up, log2(size) comparisons over one typed array. Of equal times
 * the lower place wins, so the order is the same in every run.
 */
export interface Tournament {
  /** Written by the owner, who then calls `update`: a number that is passed to a function is a heap object. */
  readonly times: Float64Array;
  /** The time of `place` has changed. */
  update(place: number): void;
  /** The place with the least time; its time may be Infinity. */
  winner(): number;
  /** The place with the least time but the winner's; the winner itself where there is one place. */
  runnerUp(): number;
}

export function createTournament(size: number, { keep } = createBeginning()): Tournament {
  let leaves = 1;
  while (leaves < size) leaves *= 2;
  // Node n has the children 2n and 2n + 1; leaf nodes from `leaves` on stand for places. Each node holds the time and the
  // place that wins below it: what a match needs is there without a look at the place.
  const keys = keep(new Float64Array(2 * leaves).fill(Infinity));
  const places = keep(new Int32Array(2 * leaves));
  for (let i = 0; i < leaves; i++) places[leaves + i] = i;
  for (let n = leaves - 1; n > 0; n--) places[n] = places[2 * n]!;

  function update(place: number): void {
    let time = keys[leaves + place]!;
    let winner = place;
    for (let n = leaves + place; n > 1; n >>= 1) {
      const other = keys[n ^ 1]!;
      if (other < time || (other === time && (n & 1) === 1)) {
        time = other;
        winner = places[n ^ 1]!;
      }
      keys[n >> 1] = time;
      places[n >> 1] = winner;
    }
  }

  const winner = (): number => places[1]!;

  function runnerUp(): number {
    // Whoever is second has lost to the winner directly: it won the other half at some level of the winner's way up.
    let best = places[1]!;
    let least = Infinity;
    for (let n = leaves + best; n > 1; n >>= 1) {
      if (keys[n ^ 1]! < least) {
        least = keys[n ^ 1]!;
        best = places[n ^ 1]!;
      }
    }
    return best;
  }

  return { times: keys.subarray(leaves), update, winner, runnerUp };
}

/** Things that become due at a time: a binary heap of (time, thread) pairs; of equal times the first to come goes first. */
export interface Timers {
  /** At index 0 when the first is due, Infinity where there is none. */
  readonly next: Float64Array;
  add(time: number, thread: number): void;
  /** Takes the earliest away and returns its thread. */
  take(): number;
}

/** Room for `size` timers at once. */
export function createTimers(size: number, { keep, also } = createBeginning()): Timers {
  const times = new Float64Array(size + 1);
  const threads = new Int32Array(size + 1);
  const order = new Float64Array(size + 1); // of insertion
  let count = 0;
  let inserted = 0;
  also(() => {
    count = 0;
    inserted = 0;
  });

  const before = (i: number, j: number): boolean =>
    times[i]! < times[j]! || (times[i]! === times[j]! && order[i]! < order[j]!);
  const swap = (i: number, j: number): void => {
    const time = times[i]!;
    const thread = threads[i]!;
    const rank = order[i]!;
    times[i] = times[j]!;
    threads[i] = threads[j]!;
    order[i] = order[j]!;
    times[j] = time;
    threads[j] = thread;
    order[j] = rank;
  };

  const next = keep(new Float64Array(1).fill(Infinity));
  const announce = (): void => {
    next[0] = count === 0 ? Infinity : times[1]!;
  };

  return {
    next,
    add(time, thread) {
      let i = ++count;
      times[i] = time;
      threads[i] = thread;
      order[i] = inserted++;
      for (; i > 1 && before(i, i >> 1); i >>= 1) swap(i, i >> 1);
      announce();
    },
    take() {
      const thread = threads[1]!;
      swap(1, count--);
      for (let i = 1; 2 * i <= count; ) {
        let child = 2 * i;
        if (child < count && before(child + 1, child)) child++;
        if (!before(child, i)) break;
        swap(child, i);
        i = child;
      }
      announce();
      return thread;
    },
  };
}

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

export function createTournament(size: number): Tournament {
  let leaves = 1;
  while (leaves < size) leaves *= 2;
  const times = new Float64Array(leaves).fill(Infinity);
  // Node n has the children 2n and 2n + 1; leaf nodes from `leaves` on stand for places. Each inner node holds the
  // place that wins below it.
  const winners = new Int32Array(2 * leaves);
  for (let i = 0; i < leaves; i++) winners[leaves + i] = i;
  for (let n = leaves - 1; n > 0; n--) winners[n] = winners[2 * n]!;

  function update(place: number): void {
    for (let n = (leaves + place) >> 1; n > 0; n >>= 1) {
      const left = winners[2 * n]!;
      const right = winners[2 * n + 1]!;
      winners[n] = times[right]! < times[left]! ? right : left;
    }
  }

  const winner = (): number => winners[1]!;

  function runnerUp(): number {
    // Whoever is second has lost to the winner directly: it won the other half at some level of the winner's way up.
    let best = winners[1]!;
    let least = Infinity;
    for (let n = leaves + best; n > 1; n >>= 1) {
      const other = winners[n ^ 1]!;
      if (times[other]! < least) {
        least = times[other]!;
        best = other;
      }
    }
    return best;
  }

  return { times, update, winner, runnerUp };
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
export function createTimers(size: number): Timers {
  const times = new Float64Array(size + 1);
  const threads = new Int32Array(size + 1);
  const order = new Float64Array(size + 1); // of insertion
  let count = 0;
  let inserted = 0;

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

  const next = new Float64Array(1).fill(Infinity);
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

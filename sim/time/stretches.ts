import { assert } from '../contract/assert.ts';
import type { LockId } from '../contract/locks.ts';

/**
 * The stretches of time for which locks are taken, those that have not passed for every thread yet: for each lock a list, in the order of
 * their beginnings. Those of one lock overlap only where they are shared, or where one grew longer than the gap that it was put into.
 *
 *   lock   ──[ 7 ]──────[ 3 ]─[ 9 ]────►   time        numbers of stretches, 0 for none: of one pool for all locks
 *             first                last
 */
export interface Stretches {
  /** Of stretch s: its begin at 2s, its end at 2s + 1. */
  readonly spans: Float64Array;
  /** Who has the lock then, and how: the owner's of this table. */
  readonly takers: Int32Array;
  /** The one that begins next, 0 for none. */
  readonly next: Int32Array;
  first(id: LockId): number;
  last(id: LockId): number;
  /** Forgets stretches at the beginning of the list that have passed for everybody; returns how many are left. */
  forgetPassed(id: LockId): number;
  forgetAll(id: LockId): void;
  /** One from `spans[0]` on, without an end as yet; `before` begins earlier, 0 where nobody knows which does. */
  insert(id: LockId, before: number, taker: number): number;
}

/** Of a lock, at most: with more than that far more threads are ahead of their time than there are processors. */
const OF_A_LOCK = 64;

export interface StretchOptions {
  /** Locks and stretches at most. */
  readonly locks: number;
  readonly room: number;
  /** Before this time, at index 0, nobody acts any more. */
  readonly horizon: Float64Array;
}

export function createStretches({ locks, room, horizon }: StretchOptions): Stretches {
  const LG_LIST_WORDS = 2; // of each lock:
  const FIRST = 0;
  const LAST = 1;
  const COUNT = 2;
  const spans = new Float64Array(2 * (room + 1));
  const takers = new Int32Array(room + 1);
  const next = new Int32Array(room + 1);
  const lists = new Int32Array(locks << LG_LIST_WORDS);
  const state = new Int32Array(2);
  const FREE = 0; // the first of those that are free
  const USED = 1; // so many have ever been used

  function forgetFirst(list: number): void {
    const s = lists[list + FIRST]!;
    const following = next[s]!;
    lists[list + FIRST] = following;
    if (following === 0) lists[list + LAST] = 0;
    lists[list + COUNT]!--;
    next[s] = state[FREE]!;
    state[FREE] = s;
  }

  function forgetPassed(id: LockId): number {
    const list = id << LG_LIST_WORDS;
    const past = horizon[0]!;
    for (let s = lists[list + FIRST]!; s !== 0 && spans[2 * s + 1]! <= past; s = lists[list + FIRST]!)
      forgetFirst(list);
    return lists[list + COUNT]!;
  }

  function forgetAll(id: LockId): void {
    const list = id << LG_LIST_WORDS;
    while (lists[list + FIRST] !== 0) forgetFirst(list);
  }

  /** One that is free; where none is, those of locks that nobody has used for long become it. */
  function take(): number {
    const free = state[FREE]!;
    if (free !== 0) {
      state[FREE] = next[free]!;
      return free;
    }
    if (state[USED] === room) {
      for (let id = 0; id < locks; id++) forgetPassed(id);
      assert(state[FREE] !== 0, 'more locks are in use at the same time than there is room for');
      return take();
    }
    return ++state[USED]!;
  }

  function insert(id: LockId, before: number, taker: number): number {
    const list = id << LG_LIST_WORDS;
    const at = spans[0]!;
    if (lists[list + COUNT] === OF_A_LOCK) {
      if (before === lists[list + FIRST]) before = 0;
      forgetFirst(list);
    }
    const s = take();
    spans[2 * s] = at;
    spans[2 * s + 1] = Infinity;
    takers[s] = taker;
    const last = lists[list + LAST]!;
    let previous = last;
    if (last !== 0 && spans[2 * last]! > at) {
      previous = before;
      for (;;) {
        const following = previous === 0 ? lists[list + FIRST]! : next[previous]!;
        if (spans[2 * following]! > at) break;
        previous = following;
      }
    }
    if (previous === 0) {
      next[s] = lists[list + FIRST]!;
      lists[list + FIRST] = s;
    } else {
      next[s] = next[previous]!;
      next[previous] = s;
    }
    if (previous === last) lists[list + LAST] = s;
    lists[list + COUNT]!++;
    return s;
  }

  return {
    spans,
    takers,
    next,
    first: (id) => lists[(id << LG_LIST_WORDS) + FIRST]!,
    last: (id) => lists[(id << LG_LIST_WORDS) + LAST]!,
    forgetPassed,
    forgetAll,
    insert,
  };
}

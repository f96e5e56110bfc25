import type { ThreadSlot } from '../allocator.ts';
import { createRandom } from '../random.ts';
import type { Ns } from '../units.ts';
import { createTimers, createTournament } from './ready-queue.ts';
import { type VirtualTime, WAITS_FOR_PROCESSOR, WAITS_FOR_THREAD } from './virtual-time.ts';

/** Why a thread stopped. */
export const STOP_LIMIT = 0; // its time passed the limit
export const STOP_SLEPT = 1; // a lock made it sleep during its last event
export const STOP_BLOCKED = 2; // it waits for another thread, who will call `wake`
export const STOP_UNTIL = 3; // it waits for what another thread will have done at `until[t]`
export const STOP_EARLY = 4; // its next event is not due before `until[t]`
export const STOP_DONE = 5;
export type Stop = 0 | 1 | 2 | 3 | 4 | 5;

export interface ThreadTimes {
  readonly onProcessorNs: Ns;
  /** Ready, but every processor was taken. */
  readonly readyNs: Ns;
  /** Waiting for what another thread had yet to do. */
  readonly blockedNs: Ns;
  readonly contextSwitches: number;
}

/**
 * Simulated threads on simulated processors, a discrete-event simulation. The thread that is furthest behind acts next, so that
 * whatever threads share is used in the order of virtual time; it acts until another one is furthest behind.
 *
 *            ┌─────────────────────── slice over ──────────────────────┐
 *            ▼                                                         │
 *   start ─► ready (a queue) ── processor free ──► running (a tournament by clock) ──► done
 *            ▲                                       │
 *            └── timers ◄── wake at a time ◄─────────┴── slept, blocked, early
 *
 * One queue for all processors, first come first served, in slices of `timeSliceNs`: what balanced run queues come to. A
 * thread that is woken does not push another off its processor.
 */
export interface Scheduler {
  /** All threads become ready at the beginning, the main thread first, the others in an order drawn by the seed. */
  start(): void;
  /** The thread becomes ready at `at`. */
  wake(t: ThreadSlot, at: Ns): void;
  /**
   * The thread that acts next, while its clock is at most `limit[0]`; -1 where there is none: all are done, or wait for
   * each other.
   */
  turn(): ThreadSlot | -1;
  readonly limit: Float64Array;
  /** The thread has acted. */
  stopped(t: ThreadSlot, stop: Stop): void;
  /** Threads that have not ended. */
  unfinished(): number;
  /** The latest end of a thread so far. */
  endNs(): Ns;
  timesOf(t: ThreadSlot): ThreadTimes;
}

/** With more processors than this another one's turn comes after nearly each event: looking for the runner-up would not pay. */
const FEW = 4;

/** Ticks, neighbours and caches: the same work takes one thread longer than the next. */
const PACE_SPREAD = 0.15;

export function createScheduler(time: VirtualTime): Scheduler {
  const { threads, clocks, debts, sleepFrom, sleepNs, processor, running, queued, pace, until, costs, timeline } = time;
  const random = createRandom(time.seed, 'time slices and paces');
  const { contextSwitchNs, timeSliceNs, lineTransferNs } = costs;
  const { horizon } = time;
  const processors = running.length;
  const tournament = createTournament(processors);
  const { times } = tournament;
  const timers = createTimers(threads + 1);
  const limit = new Float64Array(1);
  const queue = new Int32Array(threads + 1); // a ring
  let queueHead = 0;
  let queueLength = 0;
  let idle = processors;
  const readyAt = new Float64Array(threads);
  const tailNs = new Float64Array(threads); // work of a call after its sleep, still to be done
  const onSince = new Float64Array(threads);
  const onProcessorNs = new Float64Array(threads);
  const readyNs = new Float64Array(threads);
  const blockedNs = new Float64Array(threads);
  const blockedSince = new Float64Array(threads).fill(-1);
  const switches = new Int32Array(threads);
  const sliceEnd = new Float64Array(threads);
  const lastOn = new Int32Array(processors).fill(-1);
  let unfinished = threads;
  let end = 0;

  function wake(t: ThreadSlot, at: Ns): void {
    const since = blockedSince[t]!;
    if (since < 0) {
      timers.add(at, t);
      return;
    }
    blockedSince[t] = -1;
    if (at > since) {
      blockedNs[t]! += at - since;
      timeline.add(WAITS_FOR_THREAD, since, at - since);
    }
    timers.add(Math.max(at, since), t);
  }

  function start(): void {
    const order = Array.from({ length: threads }, (_, t) => t);
    for (let i = threads - 1; i > 1; i--) {
      const other = random.integer(1, i);
      const t = order[i]!;
      order[i] = order[other]!;
      order[other] = t;
    }
    for (const t of order) timers.add(0, t);
  }

  function enqueue(t: ThreadSlot, at: Ns): void {
    readyAt[t] = at;
    queue[(queueHead + queueLength++) % queue.length] = t;
    queued[0] = queueLength;
  }

  function beginSlice(t: ThreadSlot, at: Ns): void {
    sliceEnd[t] = at + timeSliceNs * (0.5 + random.next());
    pace[t] = 1 + (2 * random.next() - 1) * PACE_SPREAD;
  }

  /** Puts `t` on processor `p`, which is free from `at` on. */
  function dispatch(p: number, t: ThreadSlot, at: Ns): void {
    let start = Math.max(at, readyAt[t]!);
    const waited = start - readyAt[t]!;
    if (waited > 0) {
      readyNs[t]! += waited;
      timeline.add(WAITS_FOR_PROCESSOR, readyAt[t]!, waited);
    }
    onSince[t] = start;
    if (lastOn[p] !== t) {
      if (lastOn[p]! >= 0) {
        start += contextSwitchNs;
        switches[t]!++;
      }
      lastOn[p] = t;
    }
    running[p] = t;
    processor[t] = p;
    clocks[t] = start + tailNs[t]!;
    beginSlice(t, start);
    tailNs[t] = 0;
    times[p] = clocks[t]!;
    tournament.update(p);
  }

  /** Processor `p` has nothing to do from `at` on. */
  function next(p: number, at: Ns): void {
    if (queueLength === 0) {
      running[p] = -1;
      idle++;
      times[p] = Infinity;
      tournament.update(p);
      return;
    }
    const t = queue[queueHead]!;
    queueHead = (queueHead + 1) % queue.length;
    queued[0] = --queueLength;
    dispatch(p, t, at);
  }

  /** The idle processor that the thread knows, or the first. */
  function idleProcessor(t: ThreadSlot): number {
    if (running[processor[t]!]! < 0) return processor[t]!;
    return running.indexOf(-1);
  }

  function leave(t: ThreadSlot, at: Ns): void {
    onProcessorNs[t]! += at - onSince[t]!;
  }

  function turn(): ThreadSlot | -1 {
    for (;;) {
      const p = tournament.winner();
      const due = timers.next[0]!;
      if (due <= times[p]!) {
        if (due === Infinity) return -1;
        ready(timers.take(), due);
        continue;
      }
      const t = running[p]!;
      if (debts[t]! > 0) {
        clocks[t]! += debts[t]!;
        debts[t] = 0;
        times[p] = clocks[t]!;
        tournament.update(p);
        continue;
      }
      let least = Infinity;
      // What a thread does reaches another processor no sooner than the line that it wrote: so far ahead it may be.
      if (processors > FEW) least = clocks[t]! + lineTransferNs;
      else if (processors > 1) least = times[tournament.runnerUp()]! + lineTransferNs;
      if (due < least) least = due;
      const now = clocks[t]!;
      if (now >= sliceEnd[t]!) {
        if (queueLength > 0) {
          leave(t, now);
          enqueue(t, now);
          next(p, now);
          continue;
        }
        beginSlice(t, now);
      }
      if (queueLength > 0 && sliceEnd[t]! < least) least = sliceEnd[t]!;
      limit[0] = least;
      horizon[0] = now;
      return t;
    }
  }

  function ready(t: ThreadSlot, at: Ns): void {
    if (idle === 0) {
      enqueue(t, at);
      return;
    }
    idle--;
    readyAt[t] = at;
    dispatch(idleProcessor(t), t, at);
  }

  function stopped(t: ThreadSlot, stop: Stop): void {
    const p = processor[t]!;
    if (stop === STOP_LIMIT) {
      times[p] = clocks[t]!;
      tournament.update(p);
      return;
    }
    const clock = clocks[t]!;
    if (stop === STOP_SLEPT) {
      // Asleep from `from` to `awake`; what the call did afterwards is still to be paid for with processor time.
      const from = sleepFrom[t]!;
      const awake = from + sleepNs[t]!;
      sleepNs[t] = 0;
      tailNs[t] = Math.max(0, clock - awake);
      leave(t, from);
      timers.add(awake, t);
      next(p, from);
      return;
    }
    leave(t, clock);
    if (stop === STOP_DONE) {
      unfinished--;
      if (clock > end) end = clock;
    } else if (stop === STOP_EARLY) {
      timers.add(until[t]!, t);
    } else {
      blockedSince[t] = clock;
      if (stop === STOP_UNTIL) wake(t, until[t]!);
    }
    next(p, clock);
  }

  return {
    start,
    wake,
    turn,
    limit,
    stopped,
    unfinished: () => unfinished,
    endNs: () => end,
    timesOf: (t) => ({
      onProcessorNs: onProcessorNs[t]!,
      readyNs: readyNs[t]!,
      blockedNs: blockedNs[t]!,
      contextSwitches: switches[t]!,
    }),
  };
}

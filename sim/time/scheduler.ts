import type { ThreadSlot } from '../contract/allocator.ts';
import { createRandom } from '../contract/random.ts';
import type { Ns } from '../contract/units.ts';
import { createDraws } from './draws.ts';
import { createTimers, createTournament } from './ready-queue.ts';
import type { VirtualLocks } from './virtual-locks.ts';
import {
  CROWDED_OUT,
  CROWDED_TO_COME,
  type VirtualTime,
  WAITS_FOR_PROCESSOR,
  WAITS_FOR_THREAD,
} from './virtual-time.ts';

/** Why a thread stopped. */
export const STOP_LIMIT = 0; // its time passed the limit
export const STOP_SLEPT = 1; // a lock made it sleep during its last event
export const STOP_BLOCKED = 2; // it waits for another thread, who will call `wake`, and gives way until then
export const STOP_UNTIL = 3; // it waits for what another thread will have done at `until[t]`
export const STOP_EARLY = 4; // its next event is not due before `until[t]`
export const STOP_DONE = 5;
export const STOP_ASLEEP = 6; // it sleeps for a lock before its next event, until the locks say that it is woken
export type Stop = 0 | 1 | 2 | 3 | 4 | 5 | 6;

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
 *   start ─► ready (queues) ─── processor free ──► running (a tournament by clock) ──► done
 *            ▲   ▲                                   │  │
 *            │   └────── gives way: blocked ─────────┘  │
 *            └── timers ◄── wake at a time ◄────────────┴── slept, early
 *
 * Each processor has a queue, first come first served, and slices that end at ticks, as on Linux. A thread that wakes takes a
 * processor that is idle at that moment; else it queues where it ran last, or preempts who runs there (wake-ups.ts). A processor
 * without a queue takes over from others with the odds below: short runs of many threads do not use all processors. What is drawn
 * (the order of waking, when ticks come, who takes over) differs by the seed, as it does from run to run on a real machine.
 *
 * A thread that waits for what another one has yet to do stays ready, as in the ground-truth replay: whenever its turn comes it
 * looks and gives way (sched_yield), and that takes time from the others. Where all threads of a processor wait, nothing
 * happens there until one of them is woken or another one comes.
 */
export interface Scheduler {
  /** All threads become ready at the beginning, the main thread first, the others in an order drawn by the seed. */
  start(): void;
  /** What the thread waits for is there at `at`. */
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

/** The share of a slice that a thread must have run for to lose its processor at a tick. */
const SLICE_SHARE = 0.35;

/**
 * How often a processor takes over from another one's queue: a thread, when it becomes idle; up to half, at a tick where it is idle; and
 * where it has a thread, but no queue.
 */
const TAKES_WHEN_IDLE = 0.25;
const TAKES_AT_TICK = 0.6;
const TAKES_WHILE_BUSY = 0.08;

/**
 * Up to this share of the threads fall asleep on the main thread's processor, where there are two, and at least one does: it gets the processor while
 * the main thread waits until all have been made. Of two threads that one is mostly woken first, and finds the other processor idle, where they are both then.
 */
const SLEEP_BESIDE_MAIN = 0.7;
const BESIDE_MAIN_FIRST = 0.7;

/**
 * Two processors that begin threads at the same time get into each other's way in the kernel: a thread that maps memory, or faults
 * beside a mapping that changes, sleeps for mmap_lock with whatever lock it holds, the next one begins, and does the same. Of four threads hardly any
 * does and each runs to its end; the more there are, the more likely it begins, and then goes on for so many threads. The first on each processor
 * make their arenas, or let the heap grow, at the same time: each of them sleeps there, and whoever comes then finds the arenas locked.
 */
const CROWDED_FROM = 3;
const CROWDED_BY = 8;
const CROWDED_AT_MOST = 0.9;
const PUSHED_ASIDE = 8;
/** How long the first one ran: 10 to 30 us were seen. */
const FIRST_NS = 30_000;

/** `wakeSleeper`, `goesOn` as in virtual-locks.ts. */
export function createScheduler(
  time: VirtualTime,
  { wakeSleeper, goesOn, runs, onWoken }: Pick<VirtualLocks, 'wakeSleeper' | 'goesOn' | 'runs' | 'onWoken'>,
): Scheduler {
  const { threads, clocks, debts, sleepFrom, sleepNs, processor, running, queued, pace, until, costs, timeline } = time;
  const { front, gaveWay, crowded, preempts, preemptedAt, sleepsFor, sliceEnd } = time;
  const random = createRandom(time.seed, 'time slices');
  const paces = createDraws(time.seed, 'paces');
  const {
    contextSwitchNs,
    timeSliceNs,
    wakeLatencyNs,
    wakeIdleNs,
    wakeThreadNs,
    threadBeginNs,
    lineKeepNs,
    syscallNs,
  } = costs;
  const { horizon } = time;
  const processors = running.length;
  const tournament = createTournament(processors);
  const { times } = tournament;
  const timers = createTimers(threads + 2);
  const limit = new Float64Array(1);
  const others = threads - 1;
  const isCrowded = random.next() < Math.min(CROWDED_AT_MOST, (others - CROWDED_FROM) / CROWDED_BY);
  const pushed = isCrowded ? Math.min(0.95, PUSHED_ASIDE / others) : 0;
  const tickNs = random.next() * timeSliceNs; // when the first tick comes
  const TICK = threads; // a timer that is no thread's
  const ring = threads + 1;
  const queues = new Int32Array(processors * ring); // a ring for each processor
  const heads = new Int32Array(processors);
  const awake = new Int32Array(processors); // in the queue, with something to do but wait for another thread
  let waiting = 0; // in all queues
  let ticks = false; // whether a tick is due
  let idle = processors;
  const readyAt = new Float64Array(threads);
  const tailNs = new Float64Array(threads); // work of a call after its sleep, still to be done
  const onSince = new Float64Array(threads);
  const onProcessorNs = new Float64Array(threads);
  const readyNs = new Float64Array(threads);
  const blockedNs = new Float64Array(threads);
  const blockedSince = new Float64Array(threads).fill(-1);
  const switches = new Int32Array(threads);
  // Those that sleep until a thread has its processor again: the first and the last of each thread's, and the next, + 1.
  const firstSleeper = new Int32Array(threads);
  const lastSleeper = new Int32Array(threads);
  const nextSleeper = new Int32Array(threads);
  const turnFrom = new Float64Array(threads); // when the thread's last turn began
  const lastOn = new Int32Array(processors).fill(-1);
  const hasBegun = new Uint8Array(processors); // 1: a thread other than the main one
  let unfinished = threads;
  onWoken((t, at) => timers.add(at, t));
  const end = new Float64Array(1); // in an array: as a variable it would be an integer first, and code that knows that thrown away

  function wake(t: ThreadSlot, at: Ns): void {
    const since = blockedSince[t]!;
    const p = processor[t]!;
    if (since < 0) {
      // It looks for the block, on its processor up to a later time.
      if (running[p] === t && at < clocks[t]!) setClock(p, at);
      return;
    }
    blockedSince[t] = -1;
    if (at > since) {
      blockedNs[t]! += at - since;
      timeline.add(WAITS_FOR_THREAD, since, at - since);
    }
    const until = Math.max(at, since);
    if (running[p] === t) {
      if (since > onSince[t]!) onProcessorNs[t]! += since - onSince[t]!;
      onSince[t] = until;
    } else {
      readyAt[t] = until;
      awake[p]!++;
    }
    rouse(p, until);
  }

  /** The thread on processor `p` goes on at `at`. */
  function setClock(p: number, at: Ns): void {
    clocks[running[p]!] = at;
    times[p] = at;
    tournament.update(p);
  }

  /** Where all threads of processor `p` only wait, there is a reason to look again. */
  function rouse(p: number, at: Ns): void {
    const t = running[p]!;
    if (t >= 0 && times[p] === Infinity) setClock(p, Math.max(at, clocks[t]!));
  }

  /**
   * The main thread has made the others, who fell asleep on its processor or another one, and wakes them in an order drawn by the
   * seed. Each goes where it slept, unless that is taken and another processor idle.
   */
  function start(): void {
    const order = Array.from({ length: threads }, (_, t) => t);
    for (let i = threads - 1; i > 1; i--) {
      const other = random.integer(1, i);
      const t = order[i]!;
      order[i] = order[other]!;
      order[other] = t;
    }
    idle--;
    dispatch(0, 0, 0);
    let wakingNs = wakeThreadNs; // what the main thread has spent on it so far
    const beside = (random.next() * SLEEP_BESIDE_MAIN * 2) / processors;
    const surelyBeside = others > 2 ? random.integer(1, others) : random.next() < BESIDE_MAIN_FIRST ? 1 : 2;
    for (let i = 1; i < threads; i++) {
      const t = order[i]!;
      const isBesideMain =
        processors === 1 || (others > 1 && i === surelyBeside) || (others !== 2 && random.next() < beside);
      processor[t] = isBesideMain ? 0 : 1 + (i % (processors - 1));
      const awakeAt = wakingNs + wakeLatencyNs;
      if (idle > 0) {
        wakingNs += wakeIdleNs;
        idle--;
        readyAt[t] = awakeAt;
        dispatch(idleProcessor(t), t, awakeAt);
      } else {
        wakingNs += wakeThreadNs;
        enqueue(processor[t]!, t, awakeAt);
      }
    }
    if (threads > 1) setClock(0, wakingNs);
  }

  /** At the end of the queue of processor `p`. */
  function enqueue(p: number, t: ThreadSlot, at: Ns): void {
    readyAt[t] = at;
    processor[t] = p;
    queues[p * ring + ((heads[p]! + queued[p]!) % ring)] = t;
    if (queued[p] === 0) front[p] = t;
    queued[p]!++;
    if (blockedSince[t]! < 0) awake[p]!++;
    waiting++;
    rouse(p, at);
    if (!ticks) {
      ticks = true;
      timers.add(nextTick(at), TICK);
    }
  }

  /** The first tick after a time. */
  function nextTick(at: Ns): Ns {
    return (Math.floor((at - tickNs) / timeSliceNs) + 1) * timeSliceNs + tickNs;
  }

  function dequeue(p: number): ThreadSlot {
    const t = queues[p * ring + heads[p]!]!;
    heads[p] = (heads[p]! + 1) % ring;
    front[p] = queues[p * ring + heads[p]!]!;
    queued[p]!--;
    if (blockedSince[t]! < 0) awake[p]!--;
    waiting--;
    return t;
  }

  function longestQueue(): number {
    let longest = 0;
    for (let other = 1; other < processors; other++) if (queued[other]! > queued[longest]!) longest = other;
    return longest;
  }

  /** Processor `p`, whose queue is empty, takes up to `most` threads from another one's, and no more than half. */
  function takeOver(p: number, other: number, most: number, at: Ns): void {
    let share = Math.min(most, Math.ceil(((queued[other]! + 1) >> 1) * (0.4 + 0.6 * random.next())));
    if (running[p]! < 0) {
      idle--;
      share--;
      dispatch(p, dequeue(other), at);
    }
    for (; share > 0; share--) {
      const t = dequeue(other);
      enqueue(p, t, readyAt[t]!);
    }
  }

  /** A tick: processors without a queue look for work, those that are busy seldom. */
  function balance(at: Ns): void {
    for (let p = 0; p < processors && waiting > 0; p++) {
      if (queued[p]! > 0) continue;
      const longest = longestQueue();
      if (running[p]! >= 0) {
        if (queued[longest]! > 1 && random.next() < TAKES_WHILE_BUSY) takeOver(p, longest, threads, at);
      } else if (random.next() < TAKES_AT_TICK) takeOver(p, longest, threads, at);
    }
    // Where everybody waits for somebody, ticks change nothing.
    ticks = waiting > 0 && running.some((t, p) => t >= 0 && times[p]! < Infinity);
    if (ticks) timers.add(at + timeSliceNs, TICK);
  }

  /** A slice ends at a tick, the first by which the thread has run for a while. */
  function beginSlice(t: ThreadSlot, at: Ns): void {
    sliceEnd[t] = nextTick(at + SLICE_SHARE * timeSliceNs);
    pace[t] = 1 + (2 * paces.next() - 1) * PACE_SPREAD;
  }

  /** A thread's first slice, where threads get into each other's way. */
  function beginCrowded(p: number, t: ThreadSlot, start: Ns): void {
    if (hasBegun[p] === 0) crowded[t] = CROWDED_TO_COME;
    hasBegun[p] = 1;
    if (random.next() < pushed) sliceEnd[t] = start + threadBeginNs + random.next() * FIRST_NS;
  }

  /** Puts `t` on processor `p`, which is free from `at` on. */
  function dispatch(p: number, t: ThreadSlot, at: Ns): void {
    let start = Math.max(at, readyAt[t]!);
    const waited = start - readyAt[t]!;
    if (waited > 0 && blockedSince[t]! < 0) {
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
    if (preemptedAt[t]! >= 0) {
      preemptedAt[t] = -1;
      time.preempted[0]!--;
    }
    if (crowded[t] === CROWDED_OUT) crowded[t] = 0;
    goesOn(t);
    runs(t, start);
    if (firstSleeper[t] !== 0) wakeSleepers(t, start);
    // Never backwards: in the last digits the sum may be less than what it was taken apart from.
    clocks[t] = Math.max(clocks[t]!, start + tailNs[t]!);
    beginSlice(t, start);
    if (isCrowded && onProcessorNs[t] === 0 && t !== 0) beginCrowded(p, t, start);
    tailNs[t] = 0;
    times[p] = clocks[t]!;
    tournament.update(p);
  }

  /** In the middle of a call, maybe. */
  function leaveAt(t: ThreadSlot, at: Ns): void {
    if (preemptedAt[t]! < 0) time.preempted[0]!++;
    preemptedAt[t] = at;
  }

  function sleepUntilRuns(t: ThreadSlot, holder: ThreadSlot): void {
    if (firstSleeper[holder] === 0) firstSleeper[holder] = t + 1;
    else nextSleeper[lastSleeper[holder]!] = t + 1;
    lastSleeper[holder] = t;
    nextSleeper[t] = 0;
    if (crowded[holder] === CROWDED_OUT && time.sleepsBare[t] !== 0 && processor[holder] === processor[t])
      goFirst(holder);
  }

  /**
   * A thread that is ready goes to the beginning of its queue. Threads that make arenas beside each other sleep for the lock that one of
   * them is to get: three to seven did in traced runs, then that one ran, although more were ready.
   */
  function goFirst(t: ThreadSlot): void {
    const p = processor[t]!;
    const base = p * ring;
    for (let i = 1; i < queued[p]!; i++) {
      if (queues[base + ((heads[p]! + i) % ring)] !== t) continue;
      for (; i > 0; i--) queues[base + ((heads[p]! + i) % ring)] = queues[base + ((heads[p]! + i - 1) % ring)]!;
      queues[base + heads[p]!] = t;
      front[p] = t;
      return;
    }
  }

  /** `t` has its processor again: those that sleep for what it holds wake, in the order in which they came. */
  function wakeSleepers(t: ThreadSlot, at: Ns): void {
    let sleeper = firstSleeper[t]! - 1;
    firstSleeper[t] = 0;
    while (sleeper >= 0) {
      const following = nextSleeper[sleeper]! - 1;
      timers.add(wakeSleeper(t, sleeper, at), sleeper);
      sleeper = following;
    }
  }

  /** Processor `p` has nothing to do from `at` on. */
  function next(p: number, at: Ns): void {
    if (queued[p] === 0) {
      running[p] = -1;
      idle++;
      times[p] = Infinity;
      tournament.update(p);
      if (waiting > 0) lookAround(p, at);
      return;
    }
    dispatch(p, dequeue(p), at);
  }

  /** Processor `p` has just become idle. */
  function lookAround(p: number, at: Ns): void {
    if (random.next() < TAKES_WHEN_IDLE) takeOver(p, longestQueue(), 1, at);
  }

  /** The idle processor that the thread knows, or the first. */
  function idleProcessor(t: ThreadSlot): number {
    if (running[processor[t]!]! < 0) return processor[t]!;
    return running.indexOf(-1);
  }

  function leave(t: ThreadSlot, at: Ns): void {
    const until = blockedSince[t]! < 0 ? at : blockedSince[t]!; // looking at what is not there is waiting
    if (until > onSince[t]!) onProcessorNs[t]! += until - onSince[t]!;
  }

  function turn(): ThreadSlot | -1 {
    for (;;) {
      const p = tournament.winner();
      const due = timers.next[0]!;
      if (due <= times[p]!) {
        if (due === Infinity) return -1;
        const woken = timers.take();
        if (woken === TICK) balance(due);
        else ready(woken, due);
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
      // A processor that uses a line again and again keeps it from those that want it: so far ahead it may be.
      if (processors > FEW) least = clocks[t]! + lineKeepNs;
      else if (processors > 1) least = times[tournament.runnerUp()]! + lineKeepNs;
      if (due < least) least = due;
      const now = clocks[t]!;
      if (now >= sliceEnd[t]!) {
        if (queued[p]! > 0) {
          leave(t, now);
          gaveWay[t] = 1;
          // The tick came in the middle of its last turn, if it did not come earlier, when nobody queued.
          if (blockedSince[t]! < 0 && sliceEnd[t]! >= turnFrom[t]!) leaveAt(t, sliceEnd[t]!);
          enqueue(p, t, now);
          next(p, now);
          continue;
        }
        beginSlice(t, now);
        goesOn(t);
      }
      if (queued[p]! > 0 && sliceEnd[t]! < least) least = sliceEnd[t]!;
      horizon[0] = now;
      if (blockedSince[t]! >= 0) {
        giveWay(p, t, STOP_BLOCKED);
        continue;
      }
      limit[0] = least;
      turnFrom[t] = now;
      return t;
    }
  }

  function ready(t: ThreadSlot, at: Ns): void {
    if (idle === 0) {
      if (preempts[t] === 1) preempt(processor[t]!, t, at);
      else enqueue(processor[t]!, t, at);
      return;
    }
    idle--;
    readyAt[t] = at;
    dispatch(idleProcessor(t), t, at);
  }

  /** `t` is the next on processor `p`, and whoever runs there leaves it after its running call. */
  function preempt(p: number, t: ThreadSlot, at: Ns): void {
    enqueue(p, t, at);
    // From the end of the queue to its beginning.
    heads[p] = (heads[p]! + ring - 1) % ring;
    queues[p * ring + heads[p]!] = t;
    front[p] = t;
    sliceEnd[running[p]!] = at;
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
      gaveWay[t] = 0;
      const holder = sleepsFor[t]! - 1;
      if (holder >= 0) leaveAt(t, from); // with whatever locks it has by then
      if (holder < 0) timers.add(awake, t);
      else if (preemptedAt[holder]! >= 0) sleepUntilRuns(t, holder);
      else timers.add(wakeSleeper(holder, t, from), t); // it has come back since
      next(p, from);
      return;
    }
    if (stop === STOP_BLOCKED || stop === STOP_UNTIL) {
      giveWay(p, t, stop);
      return;
    }
    leave(t, clock);
    if (stop === STOP_ASLEEP) {
      gaveWay[t] = 0;
      next(p, clock);
      return;
    }
    if (stop === STOP_DONE) {
      unfinished--;
      if (clock > end[0]!) end[0] = clock;
    } else timers.add(until[t]!, t); // STOP_EARLY
    next(p, clock);
  }

  /** sched_yield() of a thread that waits for another one: it goes to the end of the queue, and looks again when its turn comes. */
  function giveWay(p: number, t: ThreadSlot, stop: Stop): void {
    const clock = clocks[t]!;
    if (stop === STOP_BLOCKED && blockedSince[t]! < 0) blockedSince[t] = clock;
    if (awake[p]! > 0) {
      const at = clock + syscallNs;
      leave(t, at);
      gaveWay[t] = 1;
      enqueue(p, t, at);
      next(p, at);
      return;
    }
    // All that it could give way to wait as well.
    if (stop === STOP_UNTIL) {
      const there = until[t]!;
      leave(t, clock);
      onSince[t] = there;
      blockedNs[t]! += there - clock;
      timeline.add(WAITS_FOR_THREAD, clock, there - clock);
      clocks[t] = there;
      times[p] = there;
    } else {
      times[p] = Infinity;
    }
    tournament.update(p);
  }

  return {
    start,
    wake,
    turn,
    limit,
    stopped,
    unfinished: () => unfinished,
    endNs: () => end[0]!,
    timesOf: (t) => ({
      onProcessorNs: onProcessorNs[t]!,
      readyNs: readyNs[t]!,
      blockedNs: blockedNs[t]!,
      contextSwitches: switches[t]!,
    }),
  };
}

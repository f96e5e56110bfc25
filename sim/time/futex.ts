import type { ThreadSlot } from '../contract/allocator.ts';
import type { LockId } from '../contract/locks.ts';
import type { Ns } from '../contract/units.ts';
import { type Bucket, newBucket } from './futex-bucket.ts';
import type { LockTable } from './lock-table.ts';
import type { Scheduler } from './scheduling.ts';
import type { VirtualTime } from './virtual-time.ts';

// Where a thread is on its way through a lock that it found taken, or that somebody waits for.
export const NOWHERE = 0;
const EXCHANGES = 1; // asks for the word's line
const HAS_LINE = 2; // exchanges the word for 2
const ENTERS_TO_WAIT = 3; // FUTEX_WAIT asks for the bucket's line
const COMES_TO_WAIT = 4; // has it: is counted, and tries the bucket's lock
const QUEUES_TO_WAIT = 5; // for that
const LOOKS = 6; // has it
const SLEEPS = 7;
const ENTERS_TO_WAKE = 8; // the same for FUTEX_WAKE
const COMES_TO_WAKE = 9;
const QUEUES_TO_WAKE = 10;
const WAKES = 11;
const RETURNS = 12; // out of the kernel
const RETURNS_TO_TRY = 13; // the same, with the lock still to be had
const SPINS = 14; // jemalloc
const SEES_FREE = 15;
const COMPARES = 16; // pthread_mutex_lock() behind that: asks for the line,
const HAS_LINE_TO_COMPARE = 17; // exchanges 0 for 1

/** malloc_mutex: opt_mutex_max_spin looks (jemalloc 5.3.0: 600; 250 before). */
const MAX_SPIN = 600;

/**
 * Lines of a sleeper that FUTEX_WAKE takes from it under the bucket's lock: its futex_q (two), and in its task_struct the count of users and the
 * place in the wake queue (futex_wake_mark(), wake_q_add_safe(); kernel/futex/waitwake.c, kernel/sched/core.c).
 */
const LINES_OF_SLEEPER = 4;

/**
 * glibc's low-level lock, and jemalloc's mutex above it.
 *
 *   word    0 free, 1 taken, 2 taken and maybe waited for
 *   lock    0 → 1; else, unless it is 2 already, exchange for 2: it was 0, or FUTEX_WAIT, and the exchange again
 *   unlock  exchange for 0; it was 2: FUTEX_WAKE of one
 *
 * Both calls take the spin lock of the word's hash bucket, first come first served (qspinlock); the waiter looks at the word under it.
 * So calls on one word go one after the other, each as long as it takes with the lines that it needs: of the word, of the list's neighbours,
 * and of the bucket (its lock, its count of waiters and its list's head lie in one line), which everybody who comes takes away from whoever
 * has the lock. Waiting for the bucket is time in the kernel, on the processor. A woken thread has no right to the lock.
 */
export interface Futexes {
  /** By thread: NOWHERE, or where it is. */
  readonly stage: Uint8Array;
  /** `t`, at its clock, has found the lock taken. */
  wait(t: ThreadSlot, id: LockId): void;
  /** `t`, at its clock, has released the lock, whose word was 2. */
  wake(t: ThreadSlot, id: LockId): void;
  /** The lock is free since `at`: whoever spins will see it. */
  released(id: LockId, p: number, at: Ns): void;
  /** The thread's clock has come: the next step. */
  step(t: ThreadSlot): void;
  /** The thread has its processor back, from `at` on. */
  resumed(t: ThreadSlot, at: Ns): void;
}

export function createFutexes(time: VirtualTime, table: LockTable, scheduler: () => Scheduler): Futexes {
  const { threads, clocks, processor, running, inKernel, isTimedInKernel, kernelNs, costs, topology, cpus } = time;
  const { keep, also } = time.beginning;
  const { spinLimitNs, futexWakeNs, futexWakeWorkNs } = costs;
  // Half of a call that finds nobody is the way into the kernel and to the bucket, half the way back.
  const wayNs = futexWakeNs / 2;
  const { transferNs } = topology;
  const { owner, isMarked, lineAt, locks } = table;
  const pauseNs = spinLimitNs / MAX_SPIN;
  // A FUTEX_WAKE that wakes nobody finds the bucket and goes: what a FUTEX_WAIT that fails takes longer is done under the bucket's lock.
  const waitWorkNs = Math.max(0, costs.futexWaitNs - costs.futexWakeNs);
  const stage = keep(new Uint8Array(threads));
  const stageLock = keep(new Int32Array(threads));
  const kernelFrom = keep(new Float64Array(threads));
  const sleepFrom = keep(new Float64Array(threads));
  const spinFrom = keep(new Float64Array(threads));
  const spinTo = keep(new Float64Array(threads));
  const next = keep(new Int32Array(threads).fill(-1)); // in the queue that the thread is in
  const buckets = new Map<LockId, Bucket>();
  const spinners = new Map<LockId, ThreadSlot[]>();
  also(() => {
    buckets.clear();
    spinners.clear();
  });

  function bucketOf(id: LockId): Bucket {
    let bucket = buckets.get(id);
    if (bucket === undefined) buckets.set(id, (bucket = newBucket()));
    return bucket;
  }

  function enterKernel(t: ThreadSlot, ns: Ns): void {
    inKernel[t] = 1;
    isTimedInKernel[t] = 1;
    kernelFrom[t] = clocks[t]!;
    clocks[t]! += ns;
  }

  function leaveKernel(t: ThreadSlot): void {
    countKernelTime(t);
    scheduler().leftKernel(t);
  }

  function countKernelTime(t: ThreadSlot): void {
    kernelNs[t]! += clocks[t]! - kernelFrom[t]!;
    isTimedInKernel[t] = 0;
  }

  function wait(t: ThreadSlot, id: LockId): void {
    table.beginWait(t, id, clocks[t]!, scheduler().processorNs(t, clocks[t]!));
    stageLock[t] = id;
    if (locks[id]!.kind !== 'spin-then-futex') {
      waitsOrExchanges(t, id);
      return;
    }
    if (cpus === 1) {
      stage[t] = COMPARES;
      return;
    }
    spinFrom[t] = clocks[t]!;
    spinTo[t] = clocks[t]! + spinLimitNs;
    clocks[t] = spinTo[t]!;
    stage[t] = SPINS;
    let list = spinners.get(id);
    if (list === undefined) spinners.set(id, (list = []));
    list.push(t);
    isMarked[id]! |= 2;
  }

  /** __lll_lock_wait(): has just seen the word. */
  function waitsOrExchanges(t: ThreadSlot, id: LockId): void {
    if ((isMarked[id]! & 1) !== 0) entersToWait(t, id);
    else stage[t] = EXCHANGES;
  }

  function entersToWait(t: ThreadSlot, id: LockId): void {
    locks[id]!.futexWaits++;
    enterKernel(t, wayNs);
    stage[t] = ENTERS_TO_WAIT;
  }

  function stopSpinning(t: ThreadSlot, id: LockId): void {
    const list = spinners.get(id)!;
    list.splice(list.indexOf(t), 1);
    if (list.length === 0) isMarked[id]! &= ~2;
  }

  /** The first look of a spinner that comes after the line. */
  function released(id: LockId, p: number, at: Ns): void {
    let first = -1;
    let least = Infinity;
    for (const t of spinners.get(id) ?? []) {
      if (running[processor[t]!] !== t) continue;
      const sees = at + transferNs(p, processor[t]!);
      const looks = spinFrom[t]! + Math.max(0, Math.ceil((sees - spinFrom[t]!) / pauseNs)) * pauseNs;
      if (looks < least) {
        least = looks;
        first = t;
      }
    }
    if (first < 0 || least >= spinTo[first]!) return;
    stage[first] = SEES_FREE;
    scheduler().setClock(first, least);
  }

  function resumed(t: ThreadSlot, at: Ns): void {
    if (stage[t] === SPINS || stage[t] === SEES_FREE) {
      spinTo[t] = clocks[t]!;
      if (owner[stageLock[t]!]! < 0) {
        stage[t] = SEES_FREE;
        clocks[t] = at;
      } else stage[t] = SPINS;
    } else if (stage[t] === SLEEPS) {
      stage[t] = EXCHANGES;
    }
  }

  function has(t: ThreadSlot, id: LockId): void {
    const at = clocks[t]!;
    stage[t] = NOWHERE;
    table.endWait(t, id, at, scheduler().processorNs(t, at));
    clocks[t] = table.take(t, id, at);
  }

  /** `t` comes to the bucket: has its lock at once, or queues. */
  function comeToBucket(t: ThreadSlot, id: LockId, queues: number, works: number): void {
    const bucket = bucketOf(id);
    if (bucket.owner < 0) {
      work(bucket, t, id, Math.max(clocks[t]!, bucket.freeAt), works);
      return;
    }
    stage[t] = queues;
    fetch(bucket, processor[t]!, clocks[t]!); // it writes itself behind the last one, into the lock (xchg_tail())
    clocks[t] = Infinity;
    next[t] = -1;
    if (bucket.last < 0) bucket.first = t;
    else next[bucket.last] = t;
    bucket.last = t;
  }

  /** The bucket's line comes to processor `p`, one that asks after the other: when it is there. */
  function fetch(bucket: Bucket, p: number, at: Ns): Ns {
    const from = bucket.lineAt;
    bucket.lineAt = p;
    if (from === p || from < 0) return at;
    bucket.lineFreeAt = Math.max(at, bucket.lineFreeAt) + transferNs(from, p);
    return bucket.lineFreeAt;
  }

  /** A line that `sleeper` wrote as it fell asleep. */
  const lineOf = (sleeper: ThreadSlot, p: number): Ns => (sleeper < 0 ? 0 : transferNs(processor[sleeper]!, p));

  /** `t` has the bucket's lock from `at` on. */
  function work(bucket: Bucket, t: ThreadSlot, id: LockId, at: Ns, works: number): void {
    const p = processor[t]!;
    bucket.owner = t;
    stage[t] = works;
    // The waiter reads the word, and links itself behind the last sleeper; the waker takes the first away from the second.
    const first = bucket.firstSleeper;
    let list = 0;
    if (works === LOOKS) list = lineOf(bucket.lastSleeper, p);
    else if (first >= 0) list = LINES_OF_SLEEPER * lineOf(first, p) + lineOf(next[first]!, p);
    const word = works === LOOKS && lineAt[id]! >= 0 ? transferNs(lineAt[id]!, p) : 0;
    clocks[t] = at + word + list + (works === LOOKS ? waitWorkNs : futexWakeWorkNs);
  }

  /**
   * The one that leaves must get the line back from those who came meanwhile. Whoever queues first reads it, and then makes it its
   * own to write there.
   */
  function leaveBucket(bucket: Bucket, t: ThreadSlot, id: LockId): void {
    const p = processor[t]!;
    const at = fetch(bucket, p, clocks[t]!);
    clocks[t] = at;
    bucket.owner = -1;
    bucket.freeAt = at;
    const heir = bucket.first;
    if (heir < 0) return;
    bucket.first = next[heir]!;
    if (bucket.first < 0) bucket.last = -1;
    const works = stage[heir] === QUEUES_TO_WAIT ? LOOKS : WAKES;
    const ph = processor[heir]!;
    work(bucket, heir, id, fetch(bucket, ph, at) + transferNs(p, ph), works);
    scheduler().setClock(heir, clocks[heir]!);
  }

  /** FUTEX_WAIT with the bucket's lock: sleeps if the word is still 2. */
  function look(t: ThreadSlot, id: LockId): void {
    const bucket = bucketOf(id);
    if (owner[id]! < 0 || (isMarked[id]! & 1) === 0) {
      leaveBucket(bucket, t, id);
      bucket.pending--;
      clocks[t] = fetch(bucket, processor[t]!, clocks[t]!) + wayNs;
      stage[t] = RETURNS_TO_TRY;
      return;
    }
    next[t] = -1;
    if (bucket.lastSleeper < 0) bucket.firstSleeper = t;
    else next[bucket.lastSleeper] = t;
    bucket.lastSleeper = t;
    leaveBucket(bucket, t, id);
    stage[t] = SLEEPS;
    sleepFrom[t] = clocks[t]!;
    countKernelTime(t);
    scheduler().sleep(t);
  }

  /** FUTEX_WAKE with the bucket's lock: takes the first sleeper out, and wakes it when it has let go of the lock. */
  function wakeOne(t: ThreadSlot, id: LockId): void {
    const bucket = bucketOf(id);
    const sleeper = bucket.firstSleeper;
    if (sleeper >= 0) {
      bucket.firstSleeper = next[sleeper]!;
      if (bucket.firstSleeper < 0) bucket.lastSleeper = -1;
      bucket.pending--;
    }
    leaveBucket(bucket, t, id);
    stage[t] = RETURNS;
    if (sleeper >= 0) {
      const at = clocks[t]!;
      table.slept(sleeper, sleepFrom[sleeper]!, at);
      clocks[t] = at + scheduler().wake(sleeper, t, at);
    }
    clocks[t]! += wayNs;
  }

  function step(t: ThreadSlot): void {
    const id = stageLock[t]!;
    switch (stage[t]) {
      case EXCHANGES:
        stage[t] = HAS_LINE;
        clocks[t] = table.useLine(id, processor[t]!, clocks[t]!);
        break;
      case HAS_LINE:
        if (owner[id]! < 0) {
          isMarked[id]! |= 1;
          has(t, id);
          break;
        }
        isMarked[id]! |= 1;
        entersToWait(t, id);
        break;
      case COMPARES:
        stage[t] = HAS_LINE_TO_COMPARE;
        clocks[t] = table.useLine(id, processor[t]!, clocks[t]!);
        break;
      case HAS_LINE_TO_COMPARE:
        if (owner[id]! < 0) has(t, id);
        else waitsOrExchanges(t, id);
        break;
      case ENTERS_TO_WAIT:
        stage[t] = COMES_TO_WAIT;
        clocks[t] = fetch(bucketOf(id), processor[t]!, clocks[t]!);
        break;
      case COMES_TO_WAIT:
        bucketOf(id).pending++;
        comeToBucket(t, id, QUEUES_TO_WAIT, LOOKS);
        break;
      case LOOKS:
        look(t, id);
        break;
      case ENTERS_TO_WAKE:
        stage[t] = COMES_TO_WAKE;
        clocks[t] = fetch(bucketOf(id), processor[t]!, clocks[t]!);
        break;
      case COMES_TO_WAKE:
        if (bucketOf(id).pending > 0) {
          comeToBucket(t, id, QUEUES_TO_WAKE, WAKES);
          break;
        }
        stage[t] = RETURNS;
        clocks[t]! += wayNs;
        break;
      case WAKES:
        wakeOne(t, id);
        break;
      case RETURNS:
        stage[t] = NOWHERE;
        leaveKernel(t);
        break;
      case RETURNS_TO_TRY:
        stage[t] = EXCHANGES;
        leaveKernel(t);
        break;
      case SPINS:
        stopSpinning(t, id);
        stage[t] = COMPARES;
        break;
      case SEES_FREE:
        if (owner[id]! >= 0) {
          stage[t] = SPINS;
          clocks[t] = Math.max(clocks[t]!, spinTo[t]!);
          break;
        }
        clocks[t] = table.useLine(id, processor[t]!, clocks[t]!);
        stopSpinning(t, id);
        has(t, id);
        break;
      default:
        break;
    }
  }

  function wake(t: ThreadSlot, id: LockId): void {
    locks[id]!.futexWakes++;
    stageLock[t] = id;
    enterKernel(t, wayNs);
    stage[t] = ENTERS_TO_WAKE;
  }

  return { stage, wait, wake, released, step, resumed };
}

import type { ThreadSlot } from '../contract/allocator.ts';
import { type Beginning, createBeginning } from '../contract/beginning.ts';
import type { Ns } from '../contract/units.ts';
import type { KernelVersion } from '../kernel/kernel.ts';

/** How a thread comes to a run queue. */
export const COMES_NEW = 0; // ENQUEUE_INITIAL
export const COMES_AWAKE = 1; // ENQUEUE_WAKEUP
export const COMES_OVER = 2; // from another processor's queue
export type Coming = typeof COMES_NEW | typeof COMES_AWAKE | typeof COMES_OVER;

/**
 * Linux's fair scheduling class, for threads of one weight (nice 0): who runs next on a processor, and for how long. kernel/sched/fair.c; the
 * names of its functions are in the comments. Virtual run time of a thread of that weight is its run time.
 */
export interface FairClass {
  /** Run queues: by processor how many threads are ready behind the one that runs. */
  readonly queued: Int32Array;
  /** The first thread of the queue, in the order of arrival, and the one after `t`; -1 for none. */
  first(p: number): ThreadSlot | -1;
  after(t: ThreadSlot): ThreadSlot | -1;
  /** update_curr(): the thread that runs on `p` has done so for another `ns`. */
  ran(p: number, t: ThreadSlot, ns: Ns): void;
  /** place_entity() and enqueue: `t` becomes ready on `p`, where `running` runs (-1: nobody). */
  enqueue(p: number, t: ThreadSlot, running: ThreadSlot | -1, coming: Coming): void;
  /** put_prev_entity(): `t` has lost the processor and stays ready. */
  putBack(p: number, t: ThreadSlot): void;
  /** `t`, which ran on `p`, goes to sleep. */
  sleeps(p: number, t: ThreadSlot): void;
  /** task_fork_fair(): `maker`, which runs on `p`, has made `t`, which is still to be enqueued. */
  forked(p: number, maker: ThreadSlot, t: ThreadSlot): void;
  /** Whether `t`, asleep, is still in the queue of the processor that it slept on, where `running` runs: it is woken there. */
  isDelayed(t: ThreadSlot, p: number, running: ThreadSlot | -1): boolean;
  /** `t` leaves the queue of `p` for another processor. */
  takeAway(p: number, t: ThreadSlot, running: ThreadSlot | -1): void;
  /** pick_next_entity(), of those for whom `mayRun` is 1 where there is one: taken from the queue; -1 where it is empty. */
  pick(p: number, mayRun: Uint8Array): ThreadSlot | -1;
  /** entity_tick(): whether `running` has to give way to a thread of the queue. */
  tickPreempts(p: number, running: ThreadSlot): boolean;
  /** check_preempt_wakeup(): whether `woken`, which is in the queue, takes the processor from `running`. */
  wakePreempts(p: number, running: ThreadSlot, woken: ThreadSlot): boolean;
}

/** Whether the queue of `p` has a thread that does not only look. */
export function hasWork(fair: FairClass, p: number, mayRun: Uint8Array): boolean {
  for (let t = fair.first(p); t >= 0; t = fair.after(t)) if (mayRun[t] === 1) return true;
  return false;
}

/** get_update_sysctl_factor(), SCHED_TUNABLESCALING_LOG: 1 + ilog2(min(processors, 8)). */
const scaling = (cpus: number): number => 1 + Math.floor(Math.log2(Math.min(cpus, 8)));

/** sysctl_sched_latency of 6.1: within it each thread that may run on a processor, up to eight, has it once. */
export const schedLatencyNs = (cpus: number): Ns => 6_000_000 * scaling(cpus);

/** What both generations have: the queues, and the virtual run times. */
function createQueues(threads: number, cpus: number, { keep }: Beginning) {
  const queued = keep(new Int32Array(cpus));
  const heads = keep(new Int32Array(cpus).fill(-1));
  const tails = keep(new Int32Array(cpus).fill(-1));
  const following = keep(new Int32Array(threads).fill(-1));
  const before = keep(new Int32Array(threads).fill(-1));
  const vruntime = keep(new Float64Array(threads));

  function add(p: number, t: ThreadSlot): void {
    const last = tails[p]!;
    following[t] = -1;
    before[t] = last;
    if (last < 0) heads[p] = t;
    else following[last] = t;
    tails[p] = t;
    queued[p]!++;
  }

  function remove(p: number, t: ThreadSlot): void {
    const a = before[t]!;
    const b = following[t]!;
    if (a < 0) heads[p] = b;
    else following[a] = b;
    if (b < 0) tails[p] = a;
    else before[b] = a;
    queued[p]!--;
  }

  return {
    queued,
    vruntime,
    add,
    remove,
    first: (p: number): ThreadSlot | -1 => heads[p]!,
    after: (t: ThreadSlot): ThreadSlot | -1 => following[t]!,
  };
}

export function createFairClass(
  version: KernelVersion,
  threads: number,
  cpus: number,
  tickNs: Ns,
  beginning?: Beginning,
): FairClass {
  return version === '6.1' ? createCfs(threads, cpus, beginning) : createEevdf(threads, cpus, tickNs, beginning);
}

/** Up to 6.5: the least virtual run time runs. Linux 6.1's defaults, each times the factor above. */
export function createCfs(threads: number, cpus: number, beginning = createBeginning()): FairClass {
  const { keep } = beginning;
  const factor = scaling(cpus);
  const latencyNs = schedLatencyNs(cpus);
  const minGranularityNs = 750_000 * factor; // sysctl_sched_min_granularity
  const wakeupGranularityNs = 1_000_000 * factor; // sysctl_sched_wakeup_granularity
  const NR_LATENCY = 8; // sched_nr_latency
  const { queued, vruntime, add, remove, first, after } = createQueues(threads, cpus, beginning);
  const minVruntime = keep(new Float64Array(cpus));
  const slicedNs = keep(new Float64Array(threads)); // since it was picked
  const sleptOn = keep(new Int32Array(threads).fill(-1));

  function leftmost(p: number): ThreadSlot | -1 {
    let best = first(p);
    for (let t = best; t >= 0; t = after(t)) if (vruntime[t]! < vruntime[best]!) best = t;
    return best;
  }

  /** update_min_vruntime() */
  function updateMin(p: number, running: ThreadSlot | -1): void {
    const left = leftmost(p);
    let least = running >= 0 ? vruntime[running]! : left >= 0 ? vruntime[left]! : minVruntime[p]!;
    if (left >= 0 && vruntime[left]! < least) least = vruntime[left]!;
    if (least > minVruntime[p]!) minVruntime[p] = least;
  }

  /** sched_slice() with `ready` threads. */
  const sliceNs = (ready: number): Ns => (ready > NR_LATENCY ? minGranularityNs : latencyNs / ready);

  return {
    queued,
    first,
    after,
    ran(p, t, ns) {
      vruntime[t]! += ns;
      slicedNs[t]! += ns;
      updateMin(p, t);
    },
    enqueue(p, t, _running, coming) {
      const least = minVruntime[p]!;
      if (coming === COMES_AWAKE) {
        const before = sleptOn[t]!;
        if (before >= 0 && before !== p) vruntime[t]! += least - minVruntime[before]!; // migrate_task_rq_fair()
        vruntime[t] = Math.max(vruntime[t]!, least - latencyNs / 2); // GENTLE_FAIR_SLEEPERS
      } else vruntime[t]! += least;
      add(p, t);
    },
    putBack: (p, t) => add(p, t),
    sleeps(p, t) {
      sleptOn[t] = p;
      updateMin(p, -1);
    },
    forked(p, maker, t) {
      const debit = sliceNs(queued[p]! + 2); // START_DEBIT: sched_vslice() with the maker and the new one
      vruntime[t] = Math.max(vruntime[maker]! - minVruntime[p]!, debit);
    },
    isDelayed: () => false,
    takeAway(p, t) {
      remove(p, t);
      vruntime[t]! -= minVruntime[p]!;
    },
    pick(p, mayRun) {
      let best = -1;
      for (let t = first(p); t >= 0; t = after(t)) {
        if (best < 0 || mayRun[t]! > mayRun[best]! || (mayRun[t] === mayRun[best] && vruntime[t]! < vruntime[best]!))
          best = t;
      }
      if (best >= 0) {
        remove(p, best);
        slicedNs[best] = 0;
      }
      return best;
    },
    // check_preempt_tick()
    tickPreempts(p, running) {
      const ideal = Math.min(sliceNs(queued[p]! + 1), latencyNs);
      if (slicedNs[running]! > ideal) return true;
      if (slicedNs[running]! < minGranularityNs) return false;
      const left = leftmost(p);
      return left >= 0 && vruntime[running]! - vruntime[left]! > ideal;
    },
    // wakeup_preempt_entity()
    wakePreempts: (_p, running, woken) => vruntime[running]! - vruntime[woken]! > wakeupGranularityNs,
  };
}

/** From 6.6 on: of those that are owed time, the earliest deadline runs, up to its deadline (RUN_TO_PARITY). */
export function createEevdf(threads: number, cpus: number, tickNs: Ns, beginning = createBeginning()): FairClass {
  const { keep } = beginning;
  const sliceNs = 700_000 * scaling(cpus); // sysctl_sched_base_slice of 6.12 and later; 750 us before
  const lagLimitNs = Math.max(2 * sliceNs, tickNs); // entity_lag()
  const { queued, vruntime, add, remove, first, after } = createQueues(threads, cpus, beginning);
  const deadline = keep(new Float64Array(threads));
  const protectedTo = keep(new Float64Array(threads)); // vprot: the virtual run time up to which it keeps the processor
  const lag = keep(new Float64Array(threads)); // of a thread that is in no queue
  const deadlineIn = keep(new Float64Array(threads)); // PLACE_REL_DEADLINE: of one between two queues, to its deadline
  const sleptOn = keep(new Int32Array(threads).fill(-1));
  const lastAverage = keep(new Float64Array(cpus)); // of a queue that has become empty

  /** avg_vruntime() */
  function average(p: number, running: ThreadSlot | -1): Ns {
    const ready = queued[p]! + (running >= 0 ? 1 : 0);
    if (ready === 0) return lastAverage[p]!;
    let sum = running >= 0 ? vruntime[running]! : 0;
    for (let t = first(p); t >= 0; t = after(t)) sum += vruntime[t]!;
    return (lastAverage[p] = sum / ready);
  }

  /** update_entity_lag() */
  function noteLag(p: number, t: ThreadSlot, running: ThreadSlot | -1): void {
    const owed = average(p, running) - vruntime[t]!;
    lag[t] = Math.max(-lagLimitNs, Math.min(lagLimitNs, owed));
  }

  /** DELAY_DEQUEUE: a sleeper that had had too much stays in the queue, with its place, until it has paid or nobody else is there. */
  function isDelayed(t: ThreadSlot, p: number, running: ThreadSlot | -1): boolean {
    if (sleptOn[t] !== p || lag[t]! >= 0) return false;
    return (running >= 0 || queued[p]! > 0) && vruntime[t]! > average(p, running);
  }

  /** pick_eevdf(), `running` being a candidate where it is one. */
  function best(p: number, running: ThreadSlot | -1, mayRun: Uint8Array | undefined): ThreadSlot | -1 {
    const limit = average(p, running);
    let found = running >= 0 && vruntime[running]! <= limit ? running : -1;
    let least = running; // where nobody is eligible by a rounding error
    for (let t = first(p); t >= 0; t = after(t)) {
      if (least < 0 || vruntime[t]! < vruntime[least]!) least = t;
      if (vruntime[t]! > limit) continue;
      if (found < 0 || rank(t, mayRun) > rank(found, mayRun)) found = t;
      else if (rank(t, mayRun) === rank(found, mayRun) && deadline[t]! < deadline[found]!) found = t;
    }
    if (found < 0) found = least;
    if (mayRun === undefined || found < 0 || mayRun[found] === 1) return found;
    for (let t = first(p); t >= 0; t = after(t)) if (mayRun[t] === 1) return t;
    return found;
  }

  const rank = (t: ThreadSlot, mayRun: Uint8Array | undefined): number => (mayRun === undefined ? 0 : mayRun[t]!);

  /** update_deadline(): whether the slice is used up. */
  function renew(t: ThreadSlot): boolean {
    if (vruntime[t]! < deadline[t]!) return false;
    deadline[t] = vruntime[t]! + sliceNs;
    return true;
  }

  return {
    queued,
    first,
    after,
    ran(_p, t, ns) {
      vruntime[t]! += ns;
    },
    enqueue(p, t, running, coming) {
      if (coming === COMES_AWAKE && isDelayed(t, p, running)) {
        add(p, t); // requeue_delayed_entity(): as it is
        return;
      }
      const ready = queued[p]! + (running >= 0 ? 1 : 0);
      const middle = average(p, running);
      let owed = coming === COMES_NEW || ready === 0 ? 0 : lag[t]!;
      if (coming === COMES_AWAKE && owed < 0) owed = 0; // it has paid, in the queue (DELAY_ZERO)
      if (ready > 0) owed = (owed * (ready + 1)) / ready; // its coming moves the average
      vruntime[t] = middle - owed;
      const inNs = coming === COMES_OVER ? deadlineIn[t]! : coming === COMES_NEW ? sliceNs / 2 : sliceNs; // PLACE_DEADLINE_INITIAL
      deadline[t] = vruntime[t]! + inNs;
      add(p, t);
    },
    putBack(p, t) {
      renew(t);
      add(p, t);
    },
    sleeps(p, t) {
      noteLag(p, t, t);
      sleptOn[t] = p;
    },
    forked: () => {},
    isDelayed,
    takeAway(p, t, running) {
      noteLag(p, t, running);
      deadlineIn[t] = deadline[t]! - vruntime[t]!;
      remove(p, t);
    },
    pick(p, mayRun) {
      const t = best(p, -1, mayRun);
      if (t >= 0) {
        remove(p, t);
        protectedTo[t] = deadline[t]!; // set_protect_slice()
      }
      return t;
    },
    tickPreempts(_p, running) {
      return renew(running);
    },
    wakePreempts(p, running, woken) {
      if (vruntime[running]! < protectedTo[running]!) return false; // protect_slice()
      return best(p, running, undefined) === woken;
    },
  };
}

import type { ThreadSlot } from '../contract/allocator.ts';
import type { Ns } from '../contract/units.ts';
import type { FairClass } from './fair.ts';
import type { VirtualTime } from './virtual-time.ts';

/** sysctl_sched_migration_cost: whoever ran less than that ago has its memory in the caches there (task_hot()). */
const MIGRATION_COST_NS = 500_000;
/** sd->cache_nice_tries of SD_MC: after so many vain looks hot threads are moved too. */
const CACHE_NICE_TRIES = 1;
/** sd->busy_factor: a busy processor looks so many times less often. */
const BUSY_FACTOR = 16;
/** Between sockets so many more idle processors are no reason to leave one's own, while it has few threads (adjust_numa_imbalance()). */
const NUMA_IMBALANCE_MIN = 2;
/** imbalance_pct of SD_MC, 117, less 100, halved (wake_affine_weight()). */
const PREVIOUS_BIAS = 1.08;

/** Where threads go: to which processor one that wakes or begins, and which others take over (kernel/sched/fair.c, topology.c). */
export interface Placement {
  /** select_task_rq_fair() of a thread that `waker`'s processor wakes. */
  forWakeUp(t: ThreadSlot, wakersProcessor: number): number;
  /** The same of one that a thread on `maker` has made: sched_balance_find_dst_cpu(). */
  forBegin(maker: number): number;
  /** newidle_balance(): a thread of another queue for `p`, which has just become idle; -1. */
  pullWhenIdle(p: number, at: Ns): ThreadSlot | -1;
  /** nohz_balancer_kick() by a tick of a processor that has a queue: what idle and less loaded processors take over. */
  balance(at: Ns, take: (p: number, t: ThreadSlot) => void): void;
  /** By thread: when it last had a processor. */
  readonly ranAt: Float64Array;
}

/** `account`: the fair class is told how long whoever has processor `p` has had it by now. */
export function createPlacement(time: VirtualTime, fair: FairClass, account: (p: number, at: Ns) => void): Placement {
  const { topology, running, processor, cpus, threads, beginning } = time;
  const { llc, core, socket, llcSize } = topology;
  const { queued } = fair;
  const { keep } = beginning;
  const ranAt = keep(new Float64Array(threads).fill(-Infinity));
  const nextBalance = keep(new Float64Array(cpus));
  const failed = keep(new Int32Array(cpus));
  const members: number[][] = []; // of each last-level cache
  for (let p = 0; p < cpus; p++) (members[llc[p]!] ??= []).push(p);
  const perCore = new Map<number, number[]>();
  for (let p = 0; p < cpus; p++) perCore.set(core[p]!, [...(perCore.get(core[p]!) ?? []), p]);
  const siblings = Array.from(core, (c) => perCore.get(c)!);
  const hasSiblings = siblings.some((list) => list.length > 1);

  const isIdle = (p: number): boolean => p < time.affinity && running[p]! < 0 && queued[p] === 0;
  const load = (p: number): number => queued[p]! + (running[p]! < 0 ? 0 : 1);
  const sockets: number[][] = [];
  for (let p = 0; p < cpus; p++) (sockets[socket[p]!] ??= []).push(p);
  const llcsOf = sockets.map((node) => members.filter((group) => group !== undefined && node.includes(group[0]!)));
  // imb_numa_nr of the domain of all sockets: an eighth of a socket with one last-level cache, else as many as it has.
  const imbalanceAllowed = Math.max(1, llcsOf[0]!.length === 1 ? sockets[0]!.length >> 3 : llcsOf[0]!.length);
  const idleIn = (group: readonly number[]): number => group.filter(isIdle).length;
  const runningIn = (group: readonly number[]): number => group.reduce((sum, p) => sum + load(p), 0);
  const isIdleCore = (p: number): boolean => !hasSiblings || siblings[p]!.every(isIdle);

  /** select_idle_sibling(): an idle processor of `target`'s last-level cache, of an idle core first; else `target`. */
  function idleSibling(target: number, previous: number): number {
    if (isIdle(target)) return target;
    if (previous !== target && llc[previous] === llc[target] && isIdle(previous)) return previous;
    const group = members[llc[target]!]!;
    const from = group.indexOf(target);
    let found = -1;
    for (let i = 1; i < group.length; i++) {
      const p = group[(from + i) % group.length]!;
      if (!isIdle(p)) continue;
      if (isIdleCore(p)) return p;
      if (found < 0) found = p;
    }
    return found < 0 ? target : found;
  }

  function forWakeUp(t: ThreadSlot, waker: number): number {
    const previous = processor[t]!;
    if (isIdle(previous)) return previous; // wake_affine_idle(), select_idle_sibling()
    if (fair.isDelayed(t, previous, running[previous]!)) return previous; // ttwu_runnable()
    const isLighter = load(waker) + 1 < load(previous) * PREVIOUS_BIAS; // wake_affine_weight()
    return idleSibling(isLighter ? waker : previous, previous);
  }

  /** sched_balance_find_dst_group(): of groups of processors the one with the most idle ones, that of `maker` where as many. */
  function idlest(groups: readonly (readonly number[])[], maker: number, allowed: number): readonly number[] {
    const local = groups.find((group) => group.includes(maker));
    let best = groups[0]!;
    for (const group of groups) if (idleIn(group) > idleIn(best)) best = group;
    if (local === undefined) return best;
    const imbalance = idleIn(best) - idleIn(local);
    return imbalance <= 0 || (imbalance <= NUMA_IMBALANCE_MIN && runningIn(local) + 1 <= allowed) ? local : best;
  }

  function forBegin(maker: number): number {
    const node = idlest(sockets, maker, imbalanceAllowed);
    const group = idlest(llcsOf[socket[node[0]!]!]!, maker, 0);
    const idle = group.filter(isIdle);
    if (idle.length > 0) return idle.find(isIdleCore) ?? idle[0]!;
    let best = 0;
    for (let p = 1; p < time.affinity; p++) if (load(p) < load(best)) best = p;
    return best;
  }

  /** How far the processors are apart, as scheduling domains see it. */
  const distance = (p: number, q: number): number => (llc[p] === llc[q] ? 0 : socket[p] === socket[q] ? 1 : 2);

  /** find_busiest_queue(), of the nearest domain that has one with more than one thread. */
  function busiest(p: number, least: number): number {
    let best = -1;
    for (let q = 0; q < cpus; q++) {
      if (q === p || queued[q] === 0 || load(q) < least) continue;
      if (best < 0 || distance(p, q) < distance(p, best)) best = q;
      else if (distance(p, q) === distance(p, best) && load(q) > load(best)) best = q;
    }
    return best;
  }

  /** detach_tasks(): one that may move, -1 where all are hot. */
  function detach(from: number, at: Ns, takesHot: boolean): ThreadSlot | -1 {
    account(from, at);
    for (let t = fair.first(from); t >= 0; t = fair.after(t)) {
      if (takesHot || at - ranAt[t]! >= MIGRATION_COST_NS) {
        fair.takeAway(from, t, running[from]!);
        return t;
      }
    }
    return -1;
  }

  function pullWhenIdle(p: number, at: Ns): ThreadSlot | -1 {
    const from = busiest(p, 2);
    const t = from < 0 ? -1 : detach(from, at, failed[p]! > CACHE_NICE_TRIES);
    if (t >= 0) failed[p] = 0;
    return t;
  }

  /**
   * calculate_imbalance(), in threads: for an idle processor one (migrate_task); else what makes the busier one, or the own, the average of their
   * domain (migrate_load).
   */
  function imbalance(p: number, from: number): number {
    if (load(p) === 0) return 1;
    const apart = distance(p, from);
    let sum = 0;
    let count = 0;
    for (let q = 0; q < time.affinity; q++) {
      if (distance(p, q) > apart) continue;
      sum += load(q);
      count++;
    }
    return Math.min(load(from) - sum / count, sum / count - load(p));
  }

  function balance(at: Ns, take: (p: number, t: ThreadSlot) => void): void {
    for (let p = 0; p < time.affinity; p++) {
      if (at < nextBalance[p]!) continue;
      const from = busiest(p, load(p) + 1);
      const threadsToMove = from < 0 ? 0 : imbalance(p, from);
      if (threadsToMove <= 0) {
        failed[p] = 0;
        continue;
      }
      // A thread is moved where less is to be moved when that has failed before: its load is halved each time (shr_bound()).
      const isSmall = 2 ** -failed[p]! <= threadsToMove;
      const t = isSmall ? detach(from, at, failed[p]! > CACHE_NICE_TRIES) : -1;
      failed[p] = t < 0 ? failed[p]! + 1 : 0;
      // sd->balance_interval: as many milliseconds as the domain has processors.
      nextBalance[p] = at + llcSize * 1_000_000 * (isIdle(p) ? 1 : BUSY_FACTOR);
      if (t >= 0) take(p, t);
    }
  }

  return { forWakeUp, forBegin, pullWhenIdle, balance, ranAt };
}

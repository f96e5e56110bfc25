import type { ThreadSlot } from '../contract/allocator.ts';
import { shuffle } from '../contract/random.ts';
import type { Start } from '../contract/start.ts';
import type { Ns } from '../contract/units.ts';
import { createAccounts } from './accounts.ts';
import { COMES_AWAKE, COMES_NEW, COMES_OVER, type Coming, createFairClass, hasWork } from './fair.ts';
import { createPlacement } from './placement.ts';
import { createTimers, createTournament } from './ready-queue.ts';
import type { Scheduler } from './scheduling.ts';
import { createTicks } from './ticks.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Ticks a second: CONFIG_HZ of Debian's and Ubuntu's kernels. */
export const DEFAULT_HZ = 250;

/**
 * Simulated processors and the threads on them: an event-driven simulation. The processor whose thread is furthest behind is next, or
 * what is due before (a tick, a thread that wakes at a time).
 *
 *            ┌────────────── tick, woken thread ───────────────┐
 *            ▼                                                 │
 *   begin ─► run queue (fair.ts) ──── pick ───► running (a tournament by clock) ──► done
 *            ▲   ▲  │                            │
 *            │   │  └─ idle, balance: another    │
 *            │   │     processor's (placement.ts)│
 *            │   └──────── wake ◄── asleep ◄─────┤  (a lock, a time)
 *            └──────────── looks in vain: yields ┘
 *
 * What a thread that loses its processor still had to do of the running segment it does when it is back. `resumed`: it has its processor back, from a
 * time on.
 */
export function createScheduler(time: VirtualTime, resumed: (t: ThreadSlot, at: Ns) => void): Scheduler {
  const { threads, cpus, clocks, debts, processor, running, inKernel, spinsInKernel, limit, horizon, costs } = time;
  const { contextSwitchNs, wakeLatencyNs, wakeIdleNs, wakeThreadNs, syscallNs } = costs;
  const { keep } = time.beginning;
  const fair = createFairClass(time.version, threads, cpus, 1e9 / time.hz, time.beginning);
  const placement = createPlacement(time, fair, account);
  const tournament = createTournament(cpus, time.beginning);
  const { times } = tournament;
  const timers = createTimers(2 * threads + cpus + 1, time.beginning);
  const ticks = createTicks(time.hz);
  const perThread = () => keep(new Float64Array(threads));
  const restNs = perThread(); // of a segment that was broken off
  const ranFrom = perThread(); // up to where the fair class knows of its running
  const readyAt = perThread();
  const blockedFrom = perThread().fill(-1);
  const mayRun = keep(new Uint8Array(threads).fill(1)); // 0: it only looks
  const accounts = createAccounts(time, (t) => (mayRun[t] === 1 ? Infinity : blockedFrom[t]!));
  const { contextSwitches, idleFrom, idleNs, onSince, sleeps, wakes, ran } = accounts;
  const hasTick = keep(new Uint8Array(cpus));
  const mustLeave = keep(new Uint8Array(cpus)); // TIF_NEED_RESCHED
  const lastOn = keep(new Int32Array(cpus).fill(-1));
  const end = keep(new Float64Array(1)); // of the thread that ended last so far
  const unfinished = keep(Int32Array.of(threads));

  function moved(p: number): void {
    const t = running[p]!;
    times[p] = t < 0 ? Infinity : clocks[t]!;
    tournament.update(p);
  }

  function bound(at: Ns): void {
    if (at < limit[0]!) limit[0] = at;
  }

  function setClock(t: ThreadSlot, at: Ns): void {
    clocks[t] = at;
    const p = processor[t]!;
    if (running[p] !== t) return;
    moved(p);
    bound(at);
  }

  /** The fair class is told how long the thread on `p` has run. */
  function account(p: number, at: Ns): void {
    const t = running[p]!;
    if (t < 0 || at <= ranFrom[t]!) return;
    fair.ran(p, t, at - ranFrom[t]!);
    ranFrom[t] = at;
  }

  function armTick(p: number, at: Ns): void {
    if (hasTick[p] === 1) return;
    hasTick[p] = 1;
    const due = ticks.next(at);
    timers.add(due, threads + p);
    bound(due);
  }

  function tick(p: number, at: Ns): void {
    hasTick[p] = 0;
    if (fair.queued[p] === 0 || running[p]! < 0) return;
    account(p, at);
    if (fair.tickPreempts(p, running[p]!)) reschedule(p, at);
    placement.balance(at, (q, t) => arrive(q, t, at, COMES_OVER));
    if (fair.queued[p]! > 0) armTick(p, at);
  }

  /** A thread is ready on `p`: runs there if nobody does, or it is to run before whoever does; else queues. */
  function arrive(p: number, t: ThreadSlot, at: Ns, coming: Coming): void {
    enqueue(p, t, at, coming);
    if (running[p]! < 0) dispatch(p, fair.pick(p, mayRun), at);
    else if (preempts(p, t)) reschedule(p, at);
    else queue(p, at);
  }

  /** enqueue_entity(): update_curr() goes before place_entity(). */
  function enqueue(p: number, t: ThreadSlot, at: Ns, coming: Coming): void {
    if (coming !== COMES_OVER) readyAt[t] = at;
    account(p, at);
    fair.enqueue(p, t, running[p]!, coming);
    processor[t] = p;
  }

  /** check_preempt_curr() of a thread that has come to the queue of `p`. */
  const preempts = (p: number, t: ThreadSlot): boolean =>
    mayRun[t] === 1 && mayRun[running[p]!] === 1 && fair.wakePreempts(p, running[p]!, t);

  /** Somebody queues on `p`: who only looks there gives way, others do at a tick. */
  function queue(p: number, at: Ns): void {
    if (mayRun[running[p]!] === 1) armTick(p, at);
    else if (hasWork(fair, p, mayRun)) reschedule(p, at + syscallNs);
  }

  /** resched_curr(): in the kernel a thread keeps its processor until it leaves it. */
  function reschedule(p: number, at: Ns): void {
    const t = running[p]!;
    if (inKernel[t] === 1) {
      mustLeave[p] = 1;
      if (spinsInKernel[t] === 1) setClock(t, Math.max(at, ranFrom[t]!)); // need_resched()
    } else preempt(p, Math.max(at, ranFrom[t]!));
  }

  function preempt(p: number, at: Ns): void {
    const t = running[p]!;
    account(p, at);
    restNs[t] = Math.max(0, clocks[t]! - at);
    leave(p, t, at);
    fair.putBack(p, t);
    readyAt[t] = at;
    switchTo(p, at);
  }

  /** `t` is off its processor from `at` on. */
  function leave(p: number, t: ThreadSlot, at: Ns): void {
    ran(p, t, at);
    placement.ranAt[t] = at;
    running[p] = -1;
    idleFrom[p] = at;
  }

  /** schedule(): who runs next on `p`, from `at` on. */
  function switchTo(p: number, at: Ns): void {
    let next = fair.pick(p, mayRun);
    if (next < 0) {
      next = placement.pullWhenIdle(p, at);
      if (next >= 0) {
        enqueue(p, next, at, COMES_OVER);
        fair.pick(p, mayRun);
      }
    }
    if (next >= 0) dispatch(p, next, at);
    else moved(p);
  }

  function dispatch(p: number, t: ThreadSlot, now: Ns): void {
    const at = Math.max(now, readyAt[t]!); // whoever has woken it may be ahead
    if (mayRun[t] === 1 && at > readyAt[t]!) accounts.wasReady(t, readyAt[t]!, at);
    let from = at;
    idleNs[p]! += at - idleFrom[p]!;
    if (lastOn[p] !== t) {
      if (lastOn[p]! >= 0) {
        from += contextSwitchNs;
        accounts.spentInKernel(t, contextSwitchNs);
        contextSwitches[t]!++;
      }
      lastOn[p] = t;
    }
    running[p] = t;
    onSince[t] = at;
    ranFrom[t] = at;
    clocks[t] = from + restNs[t]!;
    restNs[t] = 0;
    mustLeave[p] = 0;
    if (mayRun[t] === 0) clocks[t] = Infinity;
    else resumed(t, from);
    moved(p);
    bound(times[p]!);
    if (fair.queued[p]! > 0) queue(p, at);
  }

  function wake(t: ThreadSlot, waker: ThreadSlot, at: Ns): Ns {
    wakes[t]!++;
    const here = processor[waker]!;
    account(processor[t]!, at);
    const p = placement.forWakeUp(t, here);
    if (running[p]! < 0) {
      arrive(p, t, at + wakeLatencyNs, COMES_AWAKE); // it is sent an interrupt
      return wakeIdleNs;
    }
    enqueue(p, t, at, COMES_AWAKE);
    if (preempts(p, t)) {
      armTick(p, at);
      // Its own processor it gives away when it leaves the kernel, another one's is interrupted.
      reschedule(p, p === here ? at : at + wakeLatencyNs);
      return p === here ? wakeThreadNs : wakeIdleNs;
    }
    queue(p, at);
    return wakeThreadNs;
  }

  function sleep(t: ThreadSlot): void {
    sleeps[t]!++;
    inKernel[t] = 0;
    giveUp(t);
  }

  /** `t`, at its clock, is ready no more. */
  function giveUp(t: ThreadSlot): void {
    const p = processor[t]!;
    const at = clocks[t]!;
    account(p, at);
    leave(p, t, at);
    fair.sleeps(p, t);
    switchTo(p, at);
  }

  function sleepUntil(t: ThreadSlot, at: Ns): void {
    sleep(t);
    timers.add(at, t);
    bound(at);
  }

  /** A timer's thread goes on where it was, as hrtimer_wakeup() does. */
  function wakeByTimer(t: ThreadSlot, at: Ns): void {
    wakes[t]!++;
    account(processor[t]!, at);
    arrive(placement.forWakeUp(t, processor[t]!), t, at, COMES_AWAKE);
  }

  function leftKernel(t: ThreadSlot): void {
    inKernel[t] = 0;
    const p = processor[t]!;
    if (mustLeave[p] === 0 || running[p] !== t) return;
    mustLeave[p] = 0;
    if (fair.queued[p]! > 0) preempt(p, clocks[t]!);
  }

  function looks(t: ThreadSlot): void {
    const p = processor[t]!;
    const at = clocks[t]!;
    mayRun[t] = 0;
    blockedFrom[t] = at;
    account(p, at);
    if (hasWork(fair, p, mayRun)) preempt(p, at);
    if (running[p] !== t) return;
    clocks[t] = Infinity;
    moved(p);
  }

  /** Whoever used it may be ahead: it is seen when that time has come. */
  function found(t: ThreadSlot, at: Ns): void {
    if (at <= horizon[0]!) {
      foundNow(t, at);
      return;
    }
    timers.add(at, threads + cpus + t);
    bound(at);
  }

  function foundNow(t: ThreadSlot, at: Ns): void {
    const p = processor[t]!;
    const from = blockedFrom[t]!;
    const there = Math.max(at, from, running[p] === t ? onSince[t]! : placement.ranAt[t]!);
    if (running[p] === t) ran(p, t, there);
    blockedFrom[t] = -1;
    mayRun[t] = 1;
    accounts.wasBlocked(t, from, there);
    restNs[t] = 0;
    if (running[p] === t) setClock(t, there);
    else {
      readyAt[t] = there;
      if (running[p]! >= 0) queue(p, there);
    }
  }

  function done(t: ThreadSlot): void {
    unfinished[0]!--;
    end[0] = Math.max(end[0]!, clocks[t]!);
    giveUp(t);
  }

  function start(how: Start, present: number): ThreadSlot[] {
    const random = ticks.begin(time.seed);
    arrive(0, 0, 0, COMES_NEW);
    const order = Array.from({ length: present - 1 }, (_, i) => i + 1);
    if (how === 'serial') return order;
    shuffle(order, random); // as they came to wait, each where it first ran
    order.forEach((t, i) => {
      processor[t] = (i + 1) % time.affinity;
      sleeps[t]!++;
    });
    return order;
  }

  function begin(t: ThreadSlot, maker: ThreadSlot): void {
    const at = clocks[maker]!;
    account(processor[maker]!, at);
    fair.forked(processor[maker]!, maker, t);
    const p = placement.forBegin(processor[maker]!);
    arrive(p, t, running[p]! < 0 ? at + wakeLatencyNs : at, COMES_NEW);
  }

  function turn(): number {
    for (;;) {
      const p = tournament.winner();
      const due = timers.next[0]!;
      if (due <= times[p]!) {
        if (due === Infinity) return -1;
        horizon[0] = Math.max(horizon[0]!, due);
        const who = timers.take();
        if (who < threads) wakeByTimer(who, due);
        else if (who < threads + cpus) tick(who - threads, due);
        else foundNow(who - threads - cpus, due);
        continue;
      }
      const t = running[p]!;
      if (debts[t]! > 0) {
        clocks[t]! += debts[t]!;
        accounts.spentInKernel(t, debts[t]!);
        debts[t] = 0;
        moved(p);
        continue;
      }
      horizon[0] = clocks[t]!;
      const second = times[tournament.runnerUp()]!;
      limit[0] = cpus > 1 && second < due ? second : due;
      return p;
    }
  }

  return {
    ...accounts,
    start,
    begin,
    turn,
    moved,
    setClock,
    sleep,
    sleepUntil,
    wake,
    mustLeave: (t) => mustLeave[processor[t]!] === 1,
    leftKernel,
    looks,
    found,
    done,
    unfinished: () => unfinished[0]!,
    endNs: () => end[0]!,
    closeAccounts: accounts.close,
  };
}

import type { ThreadSlot } from '../contract/allocator.ts';
import type { Ns } from '../contract/units.ts';
import { createDraws } from './draws.ts';
import type { VirtualTime } from './virtual-time.ts';

/**
 * How often a thread that wakes preempts the one that runs on its processor. Linux looks at their deadlines: who has given way
 * has moved its own back, who has slept itself has not. Counted on the tracepoints of six replays, Linux 6.18, two processors: 4,500
 * wake-ups of a thread whose processor ran another one, and 800 of one that had the waker's.
 */
const PREEMPTS = [0.055, 0.33];
const PREEMPTS_WAKER = [0.2, 0.55];

/**
 * What a futex wake-up takes beyond the call, by what the processor of the woken thread does meanwhile:
 *
 *   nothing             it is roused                      the waker pays for an interrupt, the thread begins when that has arrived
 *   runs another one    which goes                        the same, and the other one pays for being interrupted
 *                       which stays                       the woken one queues
 *   runs the waker      which goes, or stays              at once, or it queues
 */
export function createWakeUps(time: VirtualTime): { wakeUp(waker: ThreadSlot, t: ThreadSlot): Ns } {
  const { processor, queued, front, gaveWay, preempts, debts, costs } = time;
  const { wakeIdleNs, wakeThreadNs, wakeLatencyNs, contextSwitchNs, interruptNs } = costs;
  const draws = createDraws(time.seed, 'wake-ups');

  /** The waker is charged; returns how long it takes until `t`, which falls asleep now, runs or queues. */
  function wakeUp(waker: ThreadSlot, t: ThreadSlot): Ns {
    const p = processor[t]!;
    if (queued[p] === 0) {
      preempts[t] = 0;
      debts[waker]! += wakeIdleNs;
      return wakeLatencyNs;
    }
    const isSame = p === processor[waker];
    const other = isSame ? waker : front[p]!;
    preempts[t] = draws.next() < (isSame ? PREEMPTS_WAKER : PREEMPTS)[gaveWay[other]!]! ? 1 : 0;
    if (isSame || preempts[t] === 0) {
      debts[waker]! += wakeThreadNs;
      return wakeThreadNs + contextSwitchNs;
    }
    debts[waker]! += wakeIdleNs;
    debts[other]! += interruptNs;
    return wakeLatencyNs;
  }

  return { wakeUp };
}

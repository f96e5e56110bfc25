import type { ThreadSlot } from '../contract/allocator.ts';
import type { Ns } from '../contract/units.ts';
import { WAITS_FOR_PROCESSOR, WAITS_FOR_THREAD } from './timeline.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface ThreadTimes {
  readonly onProcessorNs: Ns;
  /** Ready, but every processor was taken. */
  readonly readyNs: Ns;
  /** Waiting for what another thread had yet to do. */
  readonly blockedNs: Ns;
  readonly contextSwitches: number;
  /** How often it went to sleep, and was woken. */
  readonly sleeps: number;
  readonly wakes: number;
}

/** Where the time of threads and processors went. */
export interface Accounts {
  /** Of each thread: since when it is on its processor, or was last. */
  readonly onSince: Float64Array;
  readonly contextSwitches: Int32Array;
  readonly sleeps: Int32Array;
  readonly wakes: Int32Array;
  /** Of each processor; idle since when, where it is. */
  readonly busyNs: Float64Array;
  readonly idleNs: Float64Array;
  readonly idleFrom: Float64Array;
  /** `t` has been on `p` up to `at`; from when on it only looked is waiting. */
  ran(p: number, t: ThreadSlot, at: Ns): void;
  /** `t` was ready, and was not let run; it looked for what another one had to do. */
  wasReady(t: ThreadSlot, from: Ns, to: Ns): void;
  wasBlocked(t: ThreadSlot, from: Ns, to: Ns): void;
  /** The kernel has spent so long for `t`. */
  spentInKernel(t: ThreadSlot, ns: Ns): void;
  /** Processor time of the thread up to `at`, its clock. */
  processorNs(t: ThreadSlot, at: Ns): Ns;
  timesOf(t: ThreadSlot): ThreadTimes;
  /** The run ends at `at`. */
  close(at: Ns): void;
  /** Up to where something is accounted for: a thread may have begun a little later than where another one is. */
  accountedNs(): Ns;
}

/** `looksFrom`: since when a thread only looks for what another one has to do; Infinity for those that do not. */
export function createAccounts(time: VirtualTime, looksFrom: (t: ThreadSlot) => Ns): Accounts {
  const { threads, cpus, running, isTimedInKernel, kernelNs, timeline } = time;
  const { keep } = time.beginning;
  const perThread = () => keep(new Float64Array(threads));
  const onSince = perThread();
  const onProcessorNs = perThread();
  const readyNs = perThread();
  const blockedNs = perThread();
  const contextSwitches = keep(new Int32Array(threads));
  const sleeps = keep(new Int32Array(threads));
  const wakes = keep(new Int32Array(threads));
  const busyNs = keep(new Float64Array(cpus));
  const idleNs = keep(new Float64Array(cpus));
  const idleFrom = keep(new Float64Array(cpus));

  function ran(p: number, t: ThreadSlot, at: Ns): void {
    busyNs[p]! += at - onSince[t]!;
    const to = Math.max(onSince[t]!, Math.min(at, looksFrom(t)));
    onProcessorNs[t]! += to - onSince[t]!;
    if (time.observer !== undefined) {
      time.observer.ran(t, p, onSince[t]!, to, false);
      time.observer.ran(t, p, to, at, true);
    }
    onSince[t] = at;
  }

  function wasReady(t: ThreadSlot, from: Ns, to: Ns): void {
    readyNs[t]! += to - from;
    timeline.add(WAITS_FOR_PROCESSOR, from, to - from);
    time.observer?.wasReady(t, from, to);
  }

  function wasBlocked(t: ThreadSlot, from: Ns, to: Ns): void {
    blockedNs[t]! += to - from;
    timeline.add(WAITS_FOR_THREAD, from, to - from);
  }

  function spentInKernel(t: ThreadSlot, ns: Ns): void {
    if (isTimedInKernel[t] === 0) kernelNs[t]! += ns;
  }

  return {
    onSince,
    wasReady,
    wasBlocked,
    spentInKernel,
    contextSwitches,
    sleeps,
    wakes,
    busyNs,
    idleNs,
    idleFrom,
    ran,
    processorNs: (t, at) => onProcessorNs[t]! + (at - onSince[t]!),
    timesOf: (t) => ({
      onProcessorNs: onProcessorNs[t]!,
      readyNs: readyNs[t]!,
      blockedNs: blockedNs[t]!,
      contextSwitches: contextSwitches[t]!,
      sleeps: sleeps[t]!,
      wakes: wakes[t]!,
    }),
    accountedNs() {
      let latest = 0;
      for (let p = 0; p < cpus; p++) {
        const t = running[p]!;
        latest = Math.max(latest, t >= 0 ? onSince[t]! : idleFrom[p]!);
      }
      return latest;
    },
    close(at) {
      for (let p = 0; p < cpus; p++) {
        const t = running[p]!;
        if (t >= 0) ran(p, t, at);
        else idleNs[p]! += at - idleFrom[p]!;
        idleFrom[p] = at;
      }
    },
  };
}

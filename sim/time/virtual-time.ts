import type { ThreadSlot } from '../contract/allocator.ts';
import { type Beginning, createBeginning } from '../contract/beginning.ts';
import type { Ns } from '../contract/units.ts';
import type { KernelVersion } from '../kernel/kernel.ts';
import type { Costs } from './costs.ts';
import { createSegmentLog, KERNEL, type SegmentLog, USER } from './segments.ts';
import type { TimeObserver } from './time-observer.ts';
import { createTimeline, type Timeline } from './timeline.ts';
import type { Topology } from './topology.ts';

/** Where every thread stands in virtual time: shared by the core, the locks and the replay. */
export interface VirtualTime {
  readonly threads: number;
  readonly cpus: number;
  /** Puts everything of the run's time, and whatever else was made with it, back to the begin of a run. */
  readonly beginning: Beginning;
  readonly costs: Costs;
  /** Of the running run. */
  seed: number;
  /** Likewise: its threads run on processors below that alone (sched_setaffinity). */
  affinity: number;
  readonly topology: Topology;
  readonly version: KernelVersion;
  /** Ticks a second. */
  readonly hz: number;
  /** Up to when each thread's doings have been played; Infinity while it looks for what another one has to do. */
  readonly clocks: Float64Array;
  /** What has still to be played. */
  readonly log: SegmentLog;
  /** At index 0: up to here nobody else does anything, so that the running thread may. */
  readonly limit: Float64Array;
  /** At index 0: nobody acts before this time any more. */
  readonly horizon: Float64Array;
  /** To be added to a thread's clock before it goes on: interrupts. */
  readonly debts: Float64Array;
  /** The processor that a thread runs on, or ran on last. */
  readonly processor: Int32Array;
  /** The thread on each processor, -1 for none. */
  readonly running: Int32Array;
  /** 1: the thread is in the kernel, and keeps its processor until it leaves it. */
  readonly inKernel: Uint8Array;
  /** 1: it spins in the kernel until something happens, or somebody else needs its processor. */
  readonly spinsInKernel: Uint8Array;
  /** 1: whoever lets it out of the kernel will count the time since then as the kernel's, whatever it was spent on. */
  readonly isTimedInKernel: Uint8Array;
  /** Of each thread, over the whole run: time in the kernel, time waiting for locks, and the part of it on the processor. */
  readonly kernelNs: Float64Array;
  readonly lockWaitNs: Float64Array;
  readonly spinNs: Float64Array;
  readonly timeline: Timeline;
  /** Whoever wants to see what happens; set before the first event. */
  observer: TimeObserver | undefined;
  /** The running thread spends so long: at once where nothing is left to be played before. */
  spend(t: ThreadSlot, ns: Ns): void;
  spendInKernel(t: ThreadSlot, ns: Ns): void;
  /** The run begins: what the main thread has spent before is no part of it. */
  restart(): void;
}

export type VirtualTimeOptions = Pick<
  VirtualTime,
  'threads' | 'cpus' | 'costs' | 'seed' | 'topology' | 'version' | 'hz'
> & { readonly beginning?: Beginning };

export function createVirtualTime(options: VirtualTimeOptions): VirtualTime {
  const { threads, cpus, beginning = createBeginning() } = options;
  const { keep } = beginning;
  const perThread = () => keep(new Float64Array(threads));
  const flags = () => keep(new Uint8Array(threads));
  const clocks = perThread();
  const kernelNs = perThread();
  const log = createSegmentLog(threads, beginning);
  const { tail } = log;

  function spend(t: ThreadSlot, ns: Ns): void {
    if (tail[t] === 0) clocks[t]! += ns;
    else log.appendTime(t, USER, ns);
  }

  function spendInKernel(t: ThreadSlot, ns: Ns): void {
    kernelNs[t]! += ns;
    if (tail[t] === 0) clocks[t]! += ns;
    else log.appendTime(t, KERNEL, ns);
  }

  return {
    ...options,
    beginning,
    affinity: cpus,
    clocks,
    log,
    limit: keep(new Float64Array(1)),
    horizon: keep(new Float64Array(1)),
    debts: perThread(),
    processor: keep(new Int32Array(threads)),
    running: keep(new Int32Array(cpus).fill(-1)),
    inKernel: flags(),
    spinsInKernel: flags(),
    isTimedInKernel: flags(),
    kernelNs,
    lockWaitNs: perThread(),
    spinNs: perThread(),
    timeline: createTimeline(beginning),
    observer: undefined,
    spend,
    spendInKernel,
    restart: () => {
      for (const column of [kernelNs, clocks, log.head, log.tail]) column[0] = 0;
    },
  };
}

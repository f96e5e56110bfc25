import type { AllocatorSpec } from '../../allocators/spec.ts';
import type { Handle } from '../../sim/contract/allocator.ts';
import type { EventBuffer, PassingTrace, Touch, TraceSummary } from '../../sim/contract/event.ts';
import type { Start } from '../../sim/contract/start.ts';
import type { Ns, Pages } from '../../sim/contract/units.ts';
import type { KernelOptions } from '../../sim/kernel/kernel.ts';
import type { Sample } from '../../sim/metrics/sample.ts';
import type { Costs } from '../../sim/time/costs.ts';
import type { TlbSettings } from '../../sim/tlb/settings.ts';
import type { LineSink } from '../../workloads/files/line-sink.ts';
import type { MachinePlace } from './kept-machine.ts';
import type { Assembled } from './machine.ts';
import type { Mode, Pace } from './result.ts';

/** A stretch of a run, in events done, and the most pages that had been resident by its end. */
export interface Rise {
  readonly after: number;
  readonly to: number;
  readonly peakPages: Pages;
}

/** Somebody who looks at the machine before certain rows, in file order. */
export interface RowWatcher {
  /** The first row from `row` on, below `to`, before which it looks; else `to`. Each row is asked about once. */
  readonly next: (row: number, to: number) => number;
  readonly look: (row: number) => void;
}

/** `E`: a trace whose rows are all there, unless a mode can do with less. */
export interface RunOptions<E extends TraceSummary = EventBuffer> {
  readonly events: E;
  readonly workload: string;
  readonly parameters?: Readonly<Record<string, number | string | boolean>>;
  readonly spec: AllocatorSpec;
  readonly cpus: number;
  /** In virtual time: threads run on the first so many of the processors alone, as under taskset; allocators do not ask. Default: on all. */
  readonly affinity?: number;
  readonly mode?: Mode;
  readonly pace?: Pace;
  /** At the recorded pace: a thread waits only where it paused for so long or longer, and as long as that from when it comes there; else it goes as fast as it can. */
  readonly pausesFromNs?: Ns;
  /** Why this mode and pace (`chooseTime`). */
  readonly timeReason?: string;
  /** The moment that the events were cut at, as in --at. */
  readonly until?: string;
  readonly seed?: number;
  /** Over the trace's own `%touch`. */
  readonly touch?: Touch;
  readonly kernel?: Partial<KernelOptions>;
  /** In file order: a data TLB that counts the program's accesses. */
  readonly tlb?: TlbSettings;
  /** What operations cost in virtual time. */
  readonly costs?: Costs;
  /** Where its processors lie to each other (sim/time/topology.ts). */
  readonly topology?: string;
  /** Ticks of its scheduler a second. */
  readonly hz?: number;
  /** How the threads begin in virtual time; barrier, unless the workload says otherwise. */
  readonly start?: Start;
  /** Only the sample of the end is wanted; the others are passed over, and leave in the machine what they would. */
  readonly lastSampleOnly?: boolean;
  /** A sample every so many events too; 0 for none. */
  readonly sampleEvery?: number;
  /**
   * At the recorded pace, samples too where a thread begins to do nothing for so long and where it goes on; 0 for none. Samples on the
   * way are then dated by the end of their event.
   */
  readonly sampleIdleNs?: Ns;
  /** Samples too where so many events are done: in file order before these rows. Ascending. */
  readonly sampleBefore?: readonly number[];
  /** Called after each step of a run in which more became resident than ever before: the last call names the step of the peak. */
  readonly onRise?: (rise: Rise) => void;
  /** A sample too at the event by which so many pages are resident: another run of the same has told its step (`onRise`). */
  readonly samplePeak?: Rise | undefined;
  readonly watch?: ((assembled: Assembled) => RowWatcher) | undefined;
  /** `samples`: walk all invariants at each sample; `events`: after every event. */
  readonly check?: 'off' | 'samples' | 'events';
  readonly placements?: LineSink;
  readonly syscalls?: LineSink;
  /** Receives what threads, processors and locks did in virtual time, for Perfetto. */
  readonly timeTrace?: LineSink;
  /** Called with each sample as it is taken, and with the machine as it stands there. */
  readonly onSample?: (sample: Sample, assembled: Assembled) => void;
  /** In virtual time: called for each allocation that succeeded, with the block and the time at which it is there. */
  readonly onAllocation?: ((row: number, handle: Handle, ns: Ns) => void) | undefined;
  /** Called between pieces of work with the events done so far. */
  readonly onProgress?: (done: number) => void;
  /** Ends the run at the next piece; the result is marked partial. */
  readonly signal?: AbortSignal;
  /** Where another run may have left a machine of its shape, and the next one may find it. */
  readonly machine?: MachinePlace | undefined;
  /** What loading took; of a trace that passes, so far. */
  readonly loadNs?: number | (() => number);
  /** How long the replay has waited for rows of a trace that passes so far. */
  readonly rowsNs?: () => number;
}

export function loadNsOf({ loadNs = 0 }: Pick<RunOptions, 'loadNs'>): number {
  return typeof loadNs === 'number' ? loadNs : loadNs();
}

/** The same trace, and how long whoever executes it has waited for its rows so far. */
export function timedRows<T extends PassingTrace>(trace: T): { readonly events: T; readonly waitedNs: () => number } {
  const { rows } = trace;
  let spent = 0;
  let end = 0;
  function bring(row: number): number {
    if (row < end) return end;
    const started = process.hrtime.bigint();
    end = rows.bring(row);
    spent += Number(process.hrtime.bigint() - started);
    return end;
  }
  // Not a copy: some of what it knows comes with its rows.
  const events = Object.create(trace, { rows: { value: { ...rows, bring } } }) as T;
  return { events, waitedNs: () => spent };
}

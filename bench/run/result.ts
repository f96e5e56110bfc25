import type { AllocatorStats } from '../../sim/contract/allocator.ts';
import type { Touch } from '../../sim/contract/event.ts';
import type { Bytes, Ns } from '../../sim/contract/units.ts';
import type { KernelVersion, Syscall } from '../../sim/kernel/kernel.ts';
import type { ConcurrencyResult, LockResult } from '../../sim/metrics/contention.ts';
import type { Percentiles } from '../../sim/metrics/percentiles.ts';
import type { Breakdown, Sample } from '../../sim/metrics/sample.ts';
import type { TlbSettings } from '../../sim/tlb/settings.ts';
import type { TlbCounts } from '../../sim/tlb/tlb.ts';
import type { RecordedProcess } from './recorded-process.ts';

export type { ConcurrencyResult, LockResult, ThreadResult, WaitTimeline } from '../../sim/metrics/contention.ts';
export type { Percentiles } from '../../sim/metrics/percentiles.ts';

export const RESULT_SCHEMA = 'allocsim-result-1';

export type Mode = 'lockstep' | 'virtual' | 'threads';
/**
 * When free-running threads execute their events: as soon as they can, or no earlier than they were recorded. `replay`: as soon as they can, and
 * each thread exits after its last event, as in a native free-running replay, though the trace has no `te`.
 */
export type Pace = 'asap' | 'recorded' | 'replay';

export interface RunDescription {
  readonly workload: string;
  readonly parameters: Readonly<Record<string, number | string | boolean>>;
  /** As it may be given to --allocator again. */
  readonly allocator: string;
  /** Every option resolved; of a layer below under `below`. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly mode: Mode;
  readonly cpus: number;
  readonly pace: Pace;
  /** Why this mode and pace; null where the caller did not say. */
  readonly timeReason: string | null;
  /** The moment that it ends at, as in --at; null: the end of the workload. */
  readonly until: string | null;
  readonly touch: Touch;
  readonly kernel: KernelVersion;
  readonly seed: number;
  readonly version: string;
}

/** The figures of a run at its end of the run, and the peaks. */
export interface Summary {
  readonly rssBytes: Bytes;
  readonly rssPeakBytes: Bytes;
  readonly vszBytes: Bytes;
  readonly vszPeakBytes: Bytes;
  readonly requestedBytes: Bytes;
  readonly requestedPeakBytes: Bytes;
  readonly usableBytes: Bytes;
  readonly liveBlocks: number;
  readonly breakdown: Breakdown;
  /** As of a sample. */
  readonly withinSlabsBytes: Bytes;
  readonly internalFragmentation: number;
  readonly externalFragmentation: number;
  /** rssPeakBytes / requestedPeakBytes; null where nothing was requested. */
  readonly blowup: number | null;
  readonly faults: number;
  readonly hugeFaults: number;
  readonly syscalls: Readonly<Record<Syscall | 'futex', number>>;
  /** Allocations that returned NULL. */
  readonly failedAllocations: number;
  /** Events that --lenient left out. */
  readonly skippedEvents: number;
  /** null in lockstep, which has no time and no contention. */
  readonly latencyNs: { readonly malloc: Percentiles; readonly free: Percentiles } | null;
  readonly virtualNs: Ns;
  readonly cpuNs: Ns | null;
  readonly waitNs: Ns | null;
}

/** A data TLB's settings and what it counted, of all threads. */
export interface TlbResult {
  readonly settings: TlbSettings;
  readonly counts: Readonly<TlbCounts>;
}

/** A run whose threads got so far out of the order of their trace that the program held more at once than it ever did there. */
export interface OutOfOrder {
  /** The most that the program asks for at once in the order of the trace. */
  readonly requestedPeakBytes: Bytes;
}

export interface RunResult {
  readonly schema: typeof RESULT_SCHEMA;
  readonly run: RunDescription;
  /** True where the run was interrupted: everything is as of the event where it stopped. */
  readonly partial: boolean;
  /** What the real allocator would have written before it aborted, and at which event; null for a clean run. */
  readonly abort: { readonly event: number; readonly message: string } | null;
  readonly summary: Summary;
  readonly samples: readonly Sample[];
  /** A recorded process at its samples, beside the simulation; null for a trace that was not recorded so. */
  readonly recordedProcess: RecordedProcess | null;
  readonly locks: readonly LockResult[];
  /** null in lockstep, which has no contention. */
  readonly concurrency: ConcurrencyResult | null;
  /** In file order: how often each operation of the price list was counted; where time passes it is in `concurrency`. */
  readonly operations?: Readonly<Record<string, number>>;
  /** Where its threads got so far out of the trace's order that more was held at once than ever there. */
  readonly outOfOrder?: OutOfOrder;
  /** Where `--tlb` asked for it. */
  readonly tlb?: TlbResult;
  readonly stats: AllocatorStats;
  readonly notModelled: readonly string[];
  /** Host figures: the only part that differs from run to run. */
  readonly engine: EngineFigures;
}

export interface EngineFigures {
  readonly events: number;
  /** Wall time of the replay loop alone. */
  readonly replayNs: number;
  readonly loadNs: number;
  readonly hostRssBytes: number;
}

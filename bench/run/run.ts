import type { Handle } from '../../sim/contract/allocator.ts';
import { AllocatorAbort } from '../../sim/contract/assert.ts';
import {
  type EventBuffer,
  isAllocating,
  isPassing,
  OP_EMALLOC,
  OP_REQUEST_END,
  type Touch,
  type TraceSummary,
} from '../../sim/contract/event.ts';
import type { Bytes, Ns, Pages } from '../../sim/contract/units.ts';
import { createSampler, type Sample } from '../../sim/metrics/sample.ts';
import { placementLine } from '../../sim/replay/placements.ts';
import { checkHeapRoom } from './heap-room.ts';
import { replacingNoLoop } from './loops.ts';
import type { Assembled } from './machine.ts';
import { inPieces } from './pieces.ts';
import type { RunDescription, RunResult, TlbResult } from './result.ts';
import { loadNsOf, type Rise, type RunOptions } from './run-options.ts';
import { assembleResult, describeRun, type Timing } from './run-result.ts';

/** Each holds some kilobytes. */
const SAMPLES_A_LOOK = 1024;
/** Events of a run that is to tell in which of its steps the peak was. */
const RISE_STEP = 1024;

/** What the allocator would have written before it aborted the process, and at which event. */
export interface Abort {
  readonly event: number;
  readonly message: string;
}

/**
 * One run: the machine, where it stands, and what was measured so far. How events come one after the other is the
 * mode's (`LockstepRun`: in file order; `VirtualRun`: each thread at its own pace).
 */
export abstract class Run<E extends TraceSummary = EventBuffer> {
  readonly assembled: Assembled;
  readonly touch: Touch;
  abort: Abort | null = null;
  readonly samples: Sample[] = [];
  /** Rows of allocations that returned 0. */
  readonly failedRows: number[] = [];
  /** Wall time of the replay alone. */
  replayNs = 0;

  protected readonly options: RunOptions<E>;
  private readonly takeSample: ReturnType<typeof createSampler>;
  /** Spent on samples in the running share of events: no part of the replay. */
  private samplingNs = 0;
  private risenTo: Pages = 0;
  private hasPeaked = false;

  protected constructor(options: RunOptions<E>, touch: Touch, assembled: Assembled) {
    this.options = options;
    this.touch = touch;
    this.assembled = assembled;
    this.takeSample = createSampler(assembled.machine, assembled.top, assembled.objects);
  }

  /** Executes about `events` events, and takes the samples on the way; false at the end of the run. */
  protected abstract proceed(events: number): boolean;
  /** Events that were executed; in lockstep those before this row. */
  abstract eventsDone(): number;
  /** The row that is executing, for messages. */
  protected abstract currentRow(): number;
  /** The last sample, with the time of the end where the mode has one. */
  protected abstract sampleEnd(): void;
  /** What a run in which time passes knows beyond a lockstep run. */
  protected timing(): Timing | undefined {
    return undefined;
  }
  /** In file order, where a TLB was asked for. */
  protected tlbResult(): TlbResult | undefined {
    return undefined;
  }
  /** Object slots, 0 for none, among which are all that have changed since the last sample, where the mode knows that. */
  protected changedSlots(_event: number): Int32Array | undefined {
    return undefined;
  }
  protected abstract requestedPeakBytes(): Bytes;

  /** Of so many events that are to come next, those that come before the run has to see whether the peak is reached. */
  protected upToPeak(events: number): number {
    const { samplePeak } = this.options;
    const done = this.eventsDone();
    if (!samplePeak || this.hasPeaked || done > samplePeak.to) return events;
    return done < samplePeak.after ? Math.min(events, samplePeak.after - done) : 1;
  }

  /** Whether it is, for the first time. */
  protected peaks(): boolean {
    const { samplePeak } = this.options;
    if (!samplePeak || this.hasPeaked) return false;
    this.hasPeaked = this.assembled.machine.kernel.residency.residentPeakPages() >= samplePeak.peakPages;
    return this.hasPeaked;
  }

  private proceedRising(events: number, onRise: (rise: Rise) => void): boolean {
    const after = this.eventsDone();
    const goesOn = this.proceed(Math.min(events, RISE_STEP));
    const peakPages = this.assembled.machine.kernel.residency.residentPeakPages();
    if (peakPages > this.risenTo) onRise({ after, to: this.eventsDone(), peakPages });
    this.risenTo = peakPages;
    return goesOn;
  }

  /** At a sample point on the way. */
  protected pass(label: string, event: number, virtualNs?: Ns): void {
    if (this.options.lastSampleOnly) this.assembled.top.refreshStats?.();
    else this.take(label, event, virtualNs, this.isChecked());
  }

  sample(label: string, event: number, virtualNs?: Ns): void {
    this.take(label, event, virtualNs, true);
  }

  private isChecked(): boolean {
    return this.options.check !== undefined && this.options.check !== 'off';
  }

  protected take(label: string, event: number, virtualNs: Ns | undefined, walksAll: boolean): void {
    const started = process.hrtime.bigint();
    if (this.isChecked()) {
      this.assembled.top.check();
      this.assembled.machine.kernel.vmas.check();
    }
    const taken = this.takeSample(label, event, walksAll, walksAll ? undefined : this.changedSlots(event));
    // Threads run a little ahead of each other (free-running.ts): what is seen later is not said to be of before.
    const notBefore = this.samples.at(-1)?.virtualNs ?? 0;
    const sample = virtualNs === undefined ? taken : { ...taken, virtualNs: Math.max(notBefore, virtualNs) };
    this.samples.push(sample);
    if (this.samples.length % SAMPLES_A_LOOK === 0) checkHeapRoom(() => `${this.samples.length} samples`);
    this.options.onSample?.(sample, this.assembled);
    this.samplingNs += Number(process.hrtime.bigint() - started);
  }

  /** Runs a share of the events on the clock of the replay. What the allocator aborts for ends the run; false then. */
  protected timed(share: () => boolean): boolean {
    const started = process.hrtime.bigint();
    this.samplingNs = 0;
    const { rowsNs = () => 0 } = this.options;
    const rowsBeforeNs = rowsNs();
    let goesOn = false;
    try {
      goesOn = replacingNoLoop(share);
    } catch (error) {
      if (!(error instanceof AllocatorAbort)) throw error;
      this.abort = { event: error.event ?? this.currentRow(), message: error.message };
    }
    const waitedNs = rowsNs() - rowsBeforeNs;
    this.replayNs += Number(process.hrtime.bigint() - started) - this.samplingNs - waitedNs;
    return goesOn;
  }

  /** The line of --placements for the event that was just executed, undefined where it allocates nothing. */
  protected placementOf(row: number, op: number, handle: Handle): string | undefined {
    if (!isAllocating(op)) return undefined;
    const { allocator, request } = this.assembled;
    const target = request && op >= OP_EMALLOC && op < OP_REQUEST_END ? request : allocator;
    return placementLine(row, target, this.failedRows.at(-1) === row ? 0 : handle);
  }

  describe(): RunDescription {
    return describeRun(this.options, this.touch);
  }

  /** To the end, or to where the signal stops it; the event loop breathes on the way. */
  async toEnd(): Promise<RunResult> {
    const { onProgress, onRise, signal } = this.options;
    await inPieces({
      advance: (events) => (onRise ? this.proceedRising(events, onRise) : this.proceed(events)),
      onProgress: onProgress && (() => onProgress(this.eventsDone())),
      signal,
    });
    // What is behind the end of the run is a part of the trace too, and has to be right.
    const { events } = this.options;
    if (this.abort && isPassing(events)) for (let row = 0; row < events.length; ) row = events.rows.bring(row);
    this.sampleEnd();
    return this.result();
  }

  result(): RunResult {
    return assembleResult({
      options: this.options,
      assembled: this.assembled,
      touch: this.touch,
      eventsDone: this.eventsDone(),
      abort: this.abort,
      samples: this.samples,
      failedRows: this.failedRows,
      requestedPeakBytes: this.requestedPeakBytes(),
      replayNs: this.replayNs,
      loadNs: loadNsOf(this.options),
      timing: this.timing(),
      tlb: this.tlbResult(),
    });
  }
}

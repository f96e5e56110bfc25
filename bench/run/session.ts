import { AllocatorAbort } from '../../sim/contract/assert.ts';
import { type EventBuffer, OP_BITS, OP_MASK, OP_SAMPLE, OP_STALE_FREE, type Touch } from '../../sim/contract/event.ts';
import { uncontendedLocks } from '../../sim/contract/locks.ts';
import type { Addr } from '../../sim/contract/units.ts';
import { KERNEL_DEFAULTS } from '../../sim/kernel/kernel.ts';
import { createSampler, type Sample } from '../../sim/metrics/sample.ts';
import { createLockstep } from '../../sim/replay/lockstep.ts';
import { isAllocating, placementLine } from '../../sim/replay/placements.ts';
import { type Assembled, assemble } from './machine.ts';
import { inPieces } from './pieces.ts';
import type { RunDescription, RunResult } from './result.ts';
import { assembleResult, describeRun } from './run-result.ts';
import type { SessionOptions } from './session-options.ts';

export type { SessionOptions } from './session-options.ts';

/** A lockstep run: the machine, where it stands, and what was measured so far. */
export class Session {
  readonly assembled: Assembled;
  readonly touch: Touch;
  row = 0;
  abort: { event: number; message: string } | null = null;
  readonly samples: Sample[] = [];
  readonly failedRows: number[] = [];
  replayNs = 0;

  private readonly options: SessionOptions;
  private readonly run: (from: number, to: number) => void;
  private readonly takeSample: (label: string, event: number) => Sample;
  private readonly stepwise: boolean;
  private beginIndex = 0;
  /** Where the blocks of these rows were placed: they are freed once more after their death. */
  private readonly addresses = new Map<number, Addr>();
  /** Thread slot → its number in order of creation, as system call lists show it. */
  private readonly creation: Int32Array;

  constructor(options: SessionOptions) {
    this.options = options;
    const { events } = options;
    this.touch = options.touch ?? events.touch;
    this.assembled = assemble({
      spec: options.spec,
      events,
      cpus: options.cpus,
      touch: this.touch,
      kernel: { ...KERNEL_DEFAULTS, ...options.kernel },
      locks: uncontendedLocks,
    });
    const { machine, objects, allocator, request, top } = this.assembled;
    this.run = createLockstep({
      events,
      objects,
      kernel: machine.kernel,
      allocator,
      request,
      touches: this.touch !== 'none',
      onFailure: (row) => this.failedRows.push(row),
      addressOfRow: (row) => this.addresses.get(row)!,
    });
    this.takeSample = createSampler(machine.kernel, top, objects);
    this.creation = new Int32Array(events.threadSlots);
    const { placements, syscalls, check } = options;
    this.rememberStaleRows();
    this.stepwise = placements !== undefined || syscalls !== undefined || check === 'events' || this.addresses.size > 0;
    if (syscalls) {
      machine.kernel.observeSyscalls((t, text) => syscalls.write(`${this.row} ${this.creation[t]!} ${text}`));
    }
  }

  private rememberStaleRows(): void {
    const { head, a, length } = this.options.events;
    for (let row = 0; row < length; row++) if ((head[row]! & OP_MASK) === OP_STALE_FREE) this.addresses.set(a[row]!, 0);
  }

  get done(): boolean {
    return this.row >= this.options.events.length || this.abort !== null;
  }

  /** Executes rows up to `limit`, at most; takes the samples on the way. */
  advance(limit: number): void {
    const { events, sampleEvery = 0 } = this.options;
    const end = Math.min(limit, events.length);
    while (this.row < end && !this.abort) {
      this.beginThreads();
      let to = Math.min(end, this.nextBegin());
      if (sampleEvery > 0) to = Math.min(to, (Math.floor(this.row / sampleEvery) + 1) * sampleEvery);
      this.runTo(to);
      if (sampleEvery > 0 && this.row === to && to % sampleEvery === 0 && to < events.length) this.sample(`#${to}`, to);
    }
  }

  private nextBegin(): number {
    return this.options.events.begins[this.beginIndex]?.row ?? this.options.events.length;
  }

  private beginThreads(): void {
    const { begins } = this.options.events;
    const { request, allocator } = this.assembled;
    while (begins[this.beginIndex]?.row === this.row) {
      const { thread } = begins[this.beginIndex++]!;
      this.creation[thread] = this.beginIndex;
      allocator.threadStart(thread);
      if (request && request !== allocator) request.threadStart(thread);
    }
  }

  /** Rows [row, to): no thread begins in there. */
  private runTo(to: number): void {
    const { events } = this.options;
    while (this.row < to && !this.abort) {
      let stop = this.row;
      if (this.stepwise) stop = this.row + 1;
      else while (stop < to && (events.head[stop]! & OP_MASK) !== OP_SAMPLE) stop++;
      const started = process.hrtime.bigint();
      try {
        this.run(this.row, stop);
      } catch (error) {
        if (!(error instanceof AllocatorAbort)) throw error;
        this.abort = { event: error.event ?? this.row, message: error.message };
      }
      this.replayNs += Number(process.hrtime.bigint() - started);
      if (this.abort) return;
      if (this.stepwise) this.afterEvent(this.row);
      if (stop < to || this.stepwise) {
        const at = this.stepwise ? this.row : stop;
        if ((events.head[at]! & OP_MASK) === OP_SAMPLE) {
          this.sample(events.labels[events.a[at]!]!, at);
          stop = at + 1;
        }
      }
      this.row = stop;
    }
  }

  private afterEvent(row: number): void {
    const { events, placements, check } = this.options;
    const op = events.head[row]! & OP_MASK;
    if (placements && isAllocating(op)) {
      const { objects, allocator, request } = this.assembled;
      const failed = this.failedRows.at(-1) === row;
      const target = request && op >= 6 ? request : allocator;
      placements.write(placementLine(row, target, failed ? 0 : objects.handles[events.slot[row]!]!));
    }
    if (this.addresses.has(row)) {
      const { objects, allocator } = this.assembled;
      const handle = objects.handles[events.slot[row]!]!;
      this.addresses.set(row, handle === 0 ? 0 : allocator.addressOf(handle));
    }
    if (check === 'events') this.assembled.top.check();
  }

  sample(label: string, event: number): void {
    if (this.options.check !== undefined && this.options.check !== 'off') {
      this.assembled.top.check();
      this.assembled.machine.kernel.vmas.check();
    }
    const sample = this.takeSample(label, event);
    this.samples.push(sample);
    this.options.onSample?.(sample, this.assembled);
  }

  describe(): RunDescription {
    return describeRun(this.options, this.touch);
  }

  result(): RunResult {
    return assembleResult({
      options: this.options,
      assembled: this.assembled,
      touch: this.touch,
      eventsDone: this.row,
      abort: this.abort,
      samples: this.samples,
      failedRows: this.failedRows,
      requestedPeakBytes: undefined,
      replayNs: this.replayNs,
      timing: undefined,
    });
  }
}

/** Runs a session to its end, or to where the signal stops it. */
export async function runLockstep(options: SessionOptions): Promise<RunResult> {
  const session = new Session(options);
  await inPieces({
    advance: (rows) => {
      session.advance(session.row + rows);
      return !session.done;
    },
    onProgress: options.onProgress && (() => options.onProgress!(session.row)),
    signal: options.signal,
  });
  session.sample('(end)', session.row);
  return session.result();
}

/** Thread slot of a row; exported for tools that show events. */
export const threadOf = (events: EventBuffer, row: number): number => events.head[row]! >>> OP_BITS;

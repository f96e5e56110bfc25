import { AllocatorAbort } from '../../../sim/contract/assert.ts';
import { OP_EMALLOC, OP_REQUEST_END } from '../../../sim/contract/event.ts';
import { KERNEL_DEFAULTS } from '../../../sim/kernel/kernel.ts';
import {
  concurrencyResult,
  lockResult,
  type ThreadResult,
  totalOf,
  waitTimeline,
} from '../../../sim/metrics/contention.ts';
import { percentiles } from '../../../sim/metrics/percentiles.ts';
import { createSampler, type Sample } from '../../../sim/metrics/sample.ts';
import type { CallDurations } from '../../../sim/replay/calls.ts';
import { createFreeRunning, type FreeRunning } from '../../../sim/replay/free-running.ts';
import { createSharedObjectTable, type SharedObjectTable } from '../../../sim/replay/objects.ts';
import { isAllocating, placementLine } from '../../../sim/replay/placements.ts';
import { type ProgramOrderReader, readProgramOrder } from '../../../sim/replay/program-order.ts';
import { createRecordedTime } from '../../../sim/replay/recorded-time.ts';
import { COST_PROFILES, DEFAULT_PROFILE } from '../../../sim/time/costs.ts';
import { durationBucket } from '../../../sim/time/durations.ts';
import { createVirtualLocks, type VirtualLocks } from '../../../sim/time/virtual-locks.ts';
import { createVirtualTime, type VirtualTime } from '../../../sim/time/virtual-time.ts';
import { type Assembled, assemble } from '../machine.ts';
import { inPieces } from '../pieces.ts';
import type { RunResult } from '../result.ts';
import { assembleResult, type Timing } from '../run-result.ts';
import type { SessionOptions } from '../session.ts';

/** A run in virtual time: each thread at its own pace on `cpus` simulated processors. */
class VirtualRun {
  readonly program: ProgramOrderReader;
  readonly assembled: Assembled;
  readonly time: VirtualTime;
  readonly locks: VirtualLocks;
  readonly replay: FreeRunning;
  readonly samples: Sample[] = [];
  abort: { event: number; message: string } | null = null;
  replayNs = 0;

  private readonly options: SessionOptions;
  private readonly touch: 'full' | 'first' | 'none';
  private readonly takeSample: (label: string, event: number) => Sample;
  private readonly failedRows: number[] = [];
  /** Lines by event: threads do not reach them in file order. */
  private readonly placements: (string | undefined)[] = [];
  private nextSample: number;
  /** Spent on samples in the running share of events: no part of the replay. */
  private sampleNs = 0;

  constructor(options: SessionOptions) {
    this.options = options;
    const { events, cpus } = options;
    this.touch = options.touch ?? events.touch;
    this.program = readProgramOrder(events);
    const { threads, slotLimit } = this.program.order;
    const costs = options.costs ?? COST_PROFILES[DEFAULT_PROFILE]!;
    this.time = createVirtualTime(threads, cpus, costs, options.seed ?? 0);
    const kernel = { ...KERNEL_DEFAULTS, ...options.kernel };
    let locks: VirtualLocks | undefined;
    let objects: SharedObjectTable | undefined;
    this.assembled = assemble({
      spec: options.spec,
      events,
      cpus,
      touch: this.touch,
      kernel,
      threadSlots: threads,
      objects: (memory) => (objects = createSharedObjectTable(memory, slotLimit, this.program.objectSlots)),
      locks: (_memory, operations) =>
        (locks = createVirtualLocks({
          time: this.time,
          operations,
          perVmaLocks: kernel.version !== '6.1',
        })),
    });
    this.locks = locks!;
    const { machine, allocator, request, top } = this.assembled;
    this.takeSample = createSampler(machine.kernel, top, this.assembled.objects);
    const { placements, syscalls, check, sampleEvery = 0 } = options;
    this.nextSample = sampleEvery > 0 ? sampleEvery : Infinity;
    this.replay = createFreeRunning({
      program: this.program,
      objects: objects!,
      kernel: machine.kernel,
      allocator,
      request,
      touch: this.touch,
      time: this.time,
      locks: this.locks,
      operations: machine.operations,
      threadsExit: options.pace === 'replay',
      recordedNs: options.pace === 'recorded' ? createRecordedTime(events) : undefined,
      onFailure: (row) => this.failedRows.push(row),
      onSample: (row, label, at) => this.sample(events.labels[label]!, row, at),
      onEvent: placements || check === 'events' ? (row, op, handle) => this.afterEvent(row, op, handle) : undefined,
    });
    if (syscalls) {
      machine.kernel.observeSyscalls((t, text) => syscalls.write(`${this.replay.row()} ${t} ${text}`));
    }
  }

  private afterEvent(row: number, op: number, handle: number): void {
    const { check, placements } = this.options;
    const { allocator, request, top } = this.assembled;
    if (placements && isAllocating(op)) {
      const target = request && op >= OP_EMALLOC && op < OP_REQUEST_END ? request : allocator;
      this.placements[row] = placementLine(row, target, this.failedRows.at(-1) === row ? 0 : handle);
    }
    if (check === 'events') top.check();
  }

  sample(label: string, event: number, at: number): void {
    const { check = 'off' } = this.options;
    const started = process.hrtime.bigint();
    if (check !== 'off') {
      this.assembled.top.check();
      this.assembled.machine.kernel.vmas.check();
    }
    const sample = { ...this.takeSample(label, event), virtualNs: at };
    this.samples.push(sample);
    this.options.onSample?.(sample, this.assembled);
    this.sampleNs += Number(process.hrtime.bigint() - started);
  }

  /** Executes about `events` events; false at the end of the run. */
  advance(events: number): boolean {
    const { sampleEvery = 0 } = this.options;
    const started = process.hrtime.bigint();
    this.sampleNs = 0;
    let goesOn = false;
    try {
      goesOn = this.replay.run(Math.min(events, this.nextSample - this.replay.done()));
    } catch (error) {
      if (!(error instanceof AllocatorAbort)) throw error;
      this.abort = { event: this.replay.row(), message: error.message };
    }
    this.replayNs += Number(process.hrtime.bigint() - started) - this.sampleNs;
    if (goesOn && this.replay.done() >= this.nextSample) {
      this.nextSample += sampleEvery;
      this.sample(`#${this.replay.done()}`, this.replay.row(), this.time.horizon[0]!);
    }
    return goesOn;
  }

  /** The end of the run so far. */
  private endNs(): number {
    return this.replay.scheduler.unfinished() === 0 ? this.replay.scheduler.endNs() : this.time.horizon[0]!;
  }

  result(): RunResult {
    this.sample('(end)', this.options.events.length, this.endNs());
    for (const line of this.placements) if (line !== undefined) this.options.placements!.write(line);
    return assembleResult({
      options: this.options,
      assembled: this.assembled,
      touch: this.touch,
      eventsDone: this.replay.done(),
      abort: this.abort,
      samples: this.samples,
      failedRows: this.failedRows,
      requestedPeakBytes: this.replay.requestedPeakBytes(),
      replayNs: this.replayNs,
      timing: this.timing(),
    });
  }

  private timing(): Timing {
    const { program, time, replay } = this;
    const { order } = program;
    const { mallocNs, freeNs } = time.costs;
    const threads: ThreadResult[] = [];
    for (let t = 0; t < order.threads; t++) {
      const times = replay.scheduler.timesOf(t);
      threads.push({
        thread: order.ids[t]!,
        events: replay.eventsOf(t),
        runningNs: times.onProcessorNs - time.spinNs[t]!,
        waitingNs: time.lockWaitNs[t]!,
        readyNs: times.readyNs,
        blockedNs: times.blockedNs,
        contextSwitches: times.contextSwitches,
      });
    }
    const locks = this.locks.measured.map(lockResult).filter((lock) => lock.acquisitions + lock.failedTries > 0);
    const end = this.endNs();
    return {
      latencyNs: { malloc: callPercentiles(replay.mallocs, mallocNs), free: callPercentiles(replay.frees, freeNs) },
      virtualNs: end,
      cpuNs: threads.reduce((sum, thread) => sum + thread.runningNs, 0),
      waitNs: totalOf(locks).waitNs.total,
      locks,
      concurrency: concurrencyResult(threads, waitTimeline(time, end), locks, {
        allocations: replay.mallocs.calls,
        frees: replay.frees.calls,
        crossThreadFrees: program.crossThreadFrees(),
        operationTotals: this.assembled.machine.operations,
      }),
    };
  }
}

/** The calls that were not listed took `fastNs` each. */
function callPercentiles(durations: CallDurations, fastNs: number) {
  const counts = durations.counts.slice();
  const fast = durations.calls - durations.slow;
  if (fast > 0) counts[durationBucket(fastNs)]! += fast;
  return percentiles(counts, Math.max(durations.longestNs[0]!, fast > 0 ? fastNs : 0));
}

/** Runs to the end in virtual time, or to where the signal stops it. */
export async function runVirtual(options: SessionOptions): Promise<RunResult> {
  const run = new VirtualRun({ ...options, mode: 'virtual' });
  await inPieces({
    advance: (events) => run.advance(events),
    onProgress: options.onProgress && (() => options.onProgress!(run.replay.done())),
    signal: options.signal,
  });
  return run.result();
}

import { loadModel } from '../../../allocators/load.ts';
import { type EventBuffer, isAllocating, type PassingTrace } from '../../../sim/contract/event.ts';
import type { Bytes, Ns } from '../../../sim/contract/units.ts';
import {
  concurrencyResult,
  lockResult,
  type ThreadResult,
  totalOf,
  waitTimeline,
} from '../../../sim/metrics/contention.ts';
import { percentiles } from '../../../sim/metrics/percentiles.ts';
import type { CallDurations } from '../../../sim/replay/calls.ts';
import type { FreeRunning } from '../../../sim/replay/free-running-options.ts';
import type { ProgramOrderReader } from '../../../sim/replay/program-order.ts';
import { durationBucket } from '../../../sim/time/durations.ts';
import { checkVirtualTime } from '../../../sim/time/invariants.ts';
import type { VirtualLocks } from '../../../sim/time/virtual-locks.ts';
import type { VirtualTime } from '../../../sim/time/virtual-time.ts';
import { runInMachine } from '../kept-machine.ts';
import type { RunResult } from '../result.ts';
import { Run } from '../run.ts';
import type { RunOptions } from '../run-options.ts';
import type { Timing } from '../run-result.ts';
import { createTimeTrace, type TimeTrace } from '../time-trace.ts';
import { createVirtualMachine } from './virtual-machine.ts';

/** A run in virtual time: each thread at its own pace on `cpus` simulated processors. */
class VirtualRun extends Run<EventBuffer | PassingTrace> {
  private readonly program: ProgramOrderReader;
  private readonly time: VirtualTime;
  private readonly locks: VirtualLocks;
  private readonly replay: FreeRunning;
  /** Lines by event: threads do not reach them in file order. */
  private readonly placements: (string | undefined)[] = [];
  private nextSample: number;
  /** When the sleep ends before which the last sample was taken. */
  private sleepEndsNs = Infinity;
  private readonly timeTrace: TimeTrace | undefined;

  constructor(options: RunOptions<EventBuffer | PassingTrace>, machine = createVirtualMachine(options)) {
    super(options, machine.touch, machine.assembled);
    const { events, cpus, sampleEvery = 0, sampleIdleNs = 0, syscalls, timeTrace } = options;
    this.program = machine.program;
    this.time = machine.time;
    this.locks = machine.locks;
    this.replay = machine.replay;
    if (timeTrace) {
      const lockName = (id: number): string => this.locks.table.locks[id]!.name;
      this.timeTrace = createTimeTrace({ sink: timeTrace, ids: this.program.order.ids, cpus, lockName });
      this.time.observer = this.timeTrace;
    }
    this.nextSample = sampleEvery > 0 ? sampleEvery : Infinity;
    machine.begin(options, {
      failed: (row) => this.failedRows.push(row),
      reachedSample: (row, label) => this.pass(events.labels[label]!, row, this.nowNs()),
      sleeps: (ns) => void (ns >= sampleIdleNs && this.passSleep(ns)),
      executed: (row, op, handle) => this.afterEvent(row, op, handle),
    });
    if (syscalls) {
      this.assembled.machine.kernel.observeSyscalls((t, text) => syscalls.write(`${this.replay.row()} ${t} ${text}`));
    }
  }

  private afterEvent(row: number, op: number, handle: number): void {
    const { check, placements, onAllocation } = this.options;
    if (placements) this.placements[row] = this.placementOf(row, op, handle);
    if (onAllocation && isAllocating(op) && this.failedRows.at(-1) !== row) {
      onAllocation(row, handle, this.replay.nowNs());
    }
    if (check === 'events') this.assembled.top.check();
  }

  protected override proceed(events: number): boolean {
    const { sampleEvery = 0, sampleBefore = [] } = this.options;
    const done = this.replay.done();
    const wanted = sampleBefore.find((row) => row > done) ?? Infinity;
    const share = this.upToPeak(Math.min(events, Math.min(this.nextSample, wanted) - done));
    const goesOn = this.timed(() => this.replay.run(share));
    const isPeak = this.peaks();
    const isDue = this.replay.done() >= this.nextSample;
    if (isDue) this.nextSample += sampleEvery;
    if (goesOn && (isDue || isPeak || this.replay.done() === wanted)) this.passMoment();
    return goesOn;
  }

  private passMoment(): void {
    this.pass(`#${this.replay.done()}`, this.replay.row(), this.sampleNs());
  }

  /** The level at the begin of an idle time, and the same at its end where nothing else was seen to happen until then. */
  private passSleep(ns: Ns): void {
    this.passMoment();
    this.sleepEndsNs = this.replay.nowNs() + ns;
  }

  protected override take(label: string, row: number, virtualNs: Ns | undefined, walksAll: boolean): void {
    const last = this.samples.at(-1);
    if (last && this.sleepEndsNs <= (virtualNs ?? 0)) {
      this.samples.push({ ...last, label: `${last.label}, idle until here`, virtualNs: this.sleepEndsNs });
    }
    this.sleepEndsNs = Infinity;
    super.take(label, row, virtualNs, walksAll);
  }

  /**
   * As a trace dates them: by the begin of the turn in which the last event came. Elsewhere a turn may be the whole run. Where levels
   * are weighted by time, by the end of the event, whose pages come in while it takes its time.
   */
  private sampleNs(): Ns {
    const { pace, sampleIdleNs = 0 } = this.options;
    if (sampleIdleNs > 0) return this.replay.workEndsNs();
    return pace === 'recorded' ? this.time.horizon[0]! : this.nowNs();
  }

  protected override changedSlots(): Int32Array | undefined {
    return this.replay.changedSlots();
  }

  override eventsDone(): number {
    return this.replay.done();
  }

  protected override currentRow(): number {
    return this.replay.row();
  }

  protected override sampleEnd(): void {
    const { length } = this.options.events;
    this.sample('(end)', Number.isFinite(length) ? length : this.eventsDone(), this.endNs());
    this.replay.scheduler.closeAccounts(this.endNs());
    this.timeTrace?.end();
    for (const line of this.placements) if (line !== undefined) this.options.placements!.write(line);
  }

  protected override requestedPeakBytes(): Bytes {
    return this.replay.requestedPeakBytes();
  }

  /** The end of the run so far. */
  private endNs(): Ns {
    const { scheduler } = this.replay;
    return scheduler.unfinished() === 0 ? scheduler.endNs() : Math.max(this.nowNs(), scheduler.accountedNs());
  }

  /** Where the running thread is: samples come in the order of time. */
  private nowNs(): Ns {
    return Math.max(this.replay.nowNs(), this.samples.at(-1)?.virtualNs ?? 0);
  }

  protected override timing(): Timing {
    const { program, time, replay } = this;
    const end = this.endNs();
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
    checkVirtualTime({
      scheduler: replay.scheduler,
      threads: order.threads,
      locks: this.locks.measured,
      kernelNs: time.kernelNs,
      endNs: end,
    });
    return {
      latencyNs: { malloc: callPercentiles(replay.mallocs, mallocNs), free: callPercentiles(replay.frees, freeNs) },
      virtualNs: end,
      cpuNs: threads.reduce((sum, thread) => sum + thread.runningNs, 0),
      waitNs: totalOf(locks).waitNs.total,
      locks,
      concurrency: concurrencyResult(threads, waitTimeline(time, end), locks, {
        processors: {
          topology: time.topology.name,
          prices: time.costs.source,
          hz: time.hz,
          start: this.options.start ?? 'barrier',
          busyNs: sumOf(replay.scheduler.busyNs),
          kernelNs: sumOf(time.kernelNs),
          idleNs: sumOf(replay.scheduler.idleNs),
        },
        allocations: replay.mallocs.calls,
        frees: replay.frees.calls,
        crossThreadFrees: program.crossThreadFrees(),
        operationTotals: this.assembled.machine.operations,
      }),
    };
  }
}

const sumOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);

/** The calls that were not listed took `fastNs` each. */
function callPercentiles(durations: CallDurations, fastNs: number) {
  const counts = durations.counts.slice();
  const fast = durations.calls - durations.slow;
  if (fast > 0) counts[durationBucket(fastNs)]! += fast;
  return percentiles(counts, Math.max(durations.longestNs[0]!, fast > 0 ? fastNs : 0));
}

/** Runs to the end in virtual time, or to where the signal stops it. */
export async function runVirtual(options: RunOptions<EventBuffer | PassingTrace>): Promise<RunResult> {
  await loadModel(options.spec);
  const own = { ...options, mode: 'virtual' as const };
  const make = (isKept: boolean) => createVirtualMachine(own, isKept);
  return runInMachine(options.machine, make, (machine) => new VirtualRun(own, machine).toEnd());
}

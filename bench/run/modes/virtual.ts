import { loadModel } from '../../../allocators/load.ts';
import {
  type EventBuffer,
  isAllocating,
  isPassing,
  OP_BITS,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_MASK,
  type PassingTrace,
  type TraceSummary,
} from '../../../sim/contract/event.ts';
import type { Bytes, Ns } from '../../../sim/contract/units.ts';
import { KERNEL_DEFAULTS } from '../../../sim/kernel/kernel.ts';
import {
  concurrencyResult,
  lockResult,
  type ThreadResult,
  totalOf,
  waitTimeline,
} from '../../../sim/metrics/contention.ts';
import { percentiles } from '../../../sim/metrics/percentiles.ts';
import type { CallDurations } from '../../../sim/replay/calls.ts';
import { createChangedSlots } from '../../../sim/replay/changed-slots.ts';
import { createFreeRunning } from '../../../sim/replay/free-running.ts';
import type { FreeRunning } from '../../../sim/replay/free-running-options.ts';
import { createSharedObjectTable, type SharedObjectTable } from '../../../sim/replay/objects.ts';
import type { ProgramOrderReader } from '../../../sim/replay/program-order.ts';
import { readProgramOrder } from '../../../sim/replay/program-order-reader.ts';
import { createRecordedTime } from '../../../sim/replay/recorded-time.ts';
import { threadsOf } from '../../../sim/replay/thread-rows.ts';
import { COST_PROFILES, costsOf, DEFAULT_PROFILE } from '../../../sim/time/costs.ts';
import { durationBucket } from '../../../sim/time/durations.ts';
import { checkVirtualTime } from '../../../sim/time/invariants.ts';
import { DEFAULT_HZ } from '../../../sim/time/scheduler.ts';
import { createTopology, DEFAULT_TOPOLOGY } from '../../../sim/time/topology.ts';
import { createVirtualLocks, type VirtualLocks } from '../../../sim/time/virtual-locks.ts';
import { createVirtualTime, type VirtualTime } from '../../../sim/time/virtual-time.ts';
import { assemble } from '../machine.ts';
import type { RunResult } from '../result.ts';
import { Run } from '../run.ts';
import type { RunOptions } from '../run-options.ts';
import type { Timing } from '../run-result.ts';
import { createTimeTrace, type TimeTrace } from '../time-trace.ts';

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

  constructor(options: RunOptions<EventBuffer | PassingTrace>) {
    const { events, cpus } = options;
    const touch = options.touch ?? events.touch;
    const program = readProgramOrder(events);
    const { threads, slotLimit } = program.order;
    const { model } = options.spec.below ?? options.spec;
    const costs = costsOf(model.name, options.costs ?? COST_PROFILES[DEFAULT_PROFILE]!);
    const kernel = { ...KERNEL_DEFAULTS, ...options.kernel };
    const { topology = DEFAULT_TOPOLOGY, hz = DEFAULT_HZ, seed = 0, start = 'barrier' } = options;
    const time = createVirtualTime({
      threads,
      cpus,
      costs,
      seed,
      topology: createTopology(topology, cpus, costs.lineTransferNs, costs.topology),
      version: kernel.version,
      hz,
    });
    let locks: VirtualLocks | undefined;
    let objects: SharedObjectTable | undefined;
    const assembled = assemble({
      spec: options.spec,
      events,
      cpus,
      touch,
      kernel,
      threadSlots: threads,
      objects: (memory) => (objects = createSharedObjectTable(memory, slotLimit, program.objectSlots)),
      locks: (_memory, operations) =>
        (locks = createVirtualLocks({ time, operations, perVmaLocks: kernel.version !== '6.1' })),
    });
    super(options, touch, assembled);
    this.program = program;
    this.time = time;
    this.locks = locks!;
    const { machine, allocator, request } = assembled;
    const { placements, syscalls, check, onAllocation, sampleEvery = 0, sampleIdleNs = 0, timeTrace } = options;
    if (timeTrace) {
      const lockName = (id: number): string => this.locks.table.locks[id]!.name;
      this.timeTrace = createTimeTrace({ sink: timeTrace, ids: program.order.ids, cpus, lockName });
      time.observer = this.timeTrace;
    }
    this.nextSample = sampleEvery > 0 ? sampleEvery : Infinity;
    this.replay = createFreeRunning({
      program,
      start,
      objects: objects!,
      kernel: machine.kernel,
      allocator,
      request,
      touch,
      time,
      locks: this.locks,
      operations: machine.operations,
      threadsExit: options.pace === 'replay',
      endsEarly: !isPassing(events) && strangersFree(events),
      recorded:
        !isPassing(events) && options.pace === 'recorded' ? createRecordedTime(events, threadsOf(events)) : undefined,
      changed: samplesOnTheWay(options) ? createChangedSlots(program.order, program.objectSlots) : undefined,
      onFailure: (row) => this.failedRows.push(row),
      onSample: (row, label) => this.pass(events.labels[label]!, row, this.nowNs()),
      onSleep: sampleIdleNs > 0 ? (ns) => void (ns >= sampleIdleNs && this.passSleep(ns)) : undefined,
      onEvent:
        placements || onAllocation || check === 'events'
          ? (row, op, handle) => this.afterEvent(row, op, handle)
          : undefined,
    });
    if (syscalls) {
      machine.kernel.observeSyscalls((t, text) => syscalls.write(`${this.replay.row()} ${t} ${text}`));
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
    const { sampleEvery = 0 } = this.options;
    const share = this.upToPeak(Math.min(events, this.nextSample - this.replay.done()));
    const goesOn = this.timed(() => this.replay.run(share));
    const isPeak = this.peaks();
    const isDue = this.replay.done() >= this.nextSample;
    if (isDue) this.nextSample += sampleEvery;
    if (goesOn && (isDue || isPeak)) this.passMoment();
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

const samplesOnTheWay = ({
  events,
  lastSampleOnly,
  sampleEvery = 0,
  sampleIdleNs = 0,
}: RunOptions<TraceSummary>): boolean =>
  lastSampleOnly !== true &&
  (sampleEvery > 0 || sampleIdleNs > 0 || events.labels.length > 0 || events.length === Infinity);

/** Whether a thread frees or resizes a block of another one’s request. */
function strangersFree({ length, head, slot, objectSlots, threadSlots, hasRequestEvents }: EventBuffer): boolean {
  if (!hasRequestEvents || threadSlots === 1) return false;
  const owner = new Int32Array(objectSlots);
  for (let row = 0; row < length; row++) {
    const op = head[row]! & OP_MASK;
    const t = head[row]! >>> OP_BITS;
    if (op === OP_EMALLOC || op === OP_ECALLOC) owner[slot[row]!] = t;
    else if ((op === OP_EFREE || op === OP_EREALLOC) && owner[slot[row]!] !== t) return true;
  }
  return false;
}

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
  return new VirtualRun({ ...options, mode: 'virtual' }).toEnd();
}

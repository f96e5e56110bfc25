import { existsSync } from 'node:fs';
import { loadModel } from '../../../allocators/load.ts';
import { formatAllocator } from '../../../allocators/spec.ts';
import { assert, UserError } from '../../../sim/contract/assert.ts';
import type { Touch } from '../../../sim/contract/event.ts';
import { bytes } from '../../../sim/contract/format.ts';
import { OPERATIONS } from '../../../sim/contract/operations.ts';
import type { Ns } from '../../../sim/contract/units.ts';
import { KERNEL_DEFAULTS } from '../../../sim/kernel/kernel.ts';
import { concurrencyResult, lockResult, type ThreadResult, totalOf } from '../../../sim/metrics/contention.ts';
import { percentiles } from '../../../sim/metrics/percentiles.ts';
import { createSampler } from '../../../sim/metrics/sample.ts';
import {
  CONTROL_ABORTED,
  CONTROL_GATE,
  CONTROL_READY,
  CONTROL_WAITING,
  CONTROL_WORDS,
} from '../../../sim/replay/concurrent.ts';
import { createObjectTable, forEachLive } from '../../../sim/replay/objects.ts';
import type { ProgramOrderReader } from '../../../sim/replay/program-order.ts';
import { readProgramOrder } from '../../../sim/replay/program-order-reader.ts';
import { requestedPeak } from '../../../sim/replay/requested.ts';
import { createAtomicLocks, mergeLocks } from '../../../sim/time/atomic-locks.ts';
import { DURATION_BUCKETS } from '../../../sim/time/durations.ts';
import { addressSpaceLimit, hasRoomForThreads, THREADS_NEED_BYTES } from '../../../workloads/files/address-space.ts';
import { memoryRoom, roomText } from '../../../workloads/files/host-memory.ts';
import { NODE_NEEDS_FILES, openFilesLimit, THREAD_FILES } from '../../../workloads/files/open-files.ts';
import { type Assembled, assemble, farPagesFor } from '../machine.ts';
import { pluginFiles } from '../plugin-files.ts';
import type { RunResult } from '../result.ts';
import { loadNsOf, type RunOptions } from '../run-options.ts';
import { assembleResult, type Timing } from '../run-result.ts';
import { runCrew } from './crew.ts';
import { endWithBlocks } from './heap-ends.ts';
import type { WorkerReport, WorkerTask } from './thread-worker.ts';

export interface ThreadsOptions extends RunOptions {
  /** Delays threads at locks, by this seed: a test explores orders that threads left alone rarely take. */
  readonly perturbSeed?: number;
}

/** Workers are started from the built files, also where this one runs from its source. */
const WORKER_FILE = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/bench/run/modes/thread-worker.js' : './thread-worker.js',
  import.meta.url,
);
/** Of the host's memory, for one thread of Node that runs a model (measured: 17 to 22 MB). */
const THREAD_BYTES = 24 * 2 ** 20;
/** A run in which no thread does anything for this long will not end. Of processor time while threads load: a busy machine may take minutes for that. */
const STALL_MS = 30_000;

/**
 * A run in which every simulated thread is a real worker thread, all on one heap in shared memory. Everything in the result but
 * the program's own bytes may differ from run to run: which thread comes first is up to the host.
 */
export async function runThreads(options: ThreadsOptions): Promise<RunResult> {
  const { events, cpus, spec, signal } = options;
  if (!existsSync(WORKER_FILE)) throw new UserError(`${WORKER_FILE.pathname} is missing: build first (npm run build)`);
  if (!hasRoomForThreads()) {
    throw new UserError(
      `--mode threads: found an address space of ${bytes(addressSpaceLimit())} (ulimit -v), expected ${bytes(THREADS_NEED_BYTES)} or no limit`,
    );
  }
  if (options.placements) throw new UserError('--placements: in --mode threads placements differ from run to run');
  if (options.syscalls) throw new UserError('--syscalls: in --mode threads system calls differ from run to run');
  const end = spec.model.layered ? endWithBlocks(events, spec.options['all'] === true) : -1;
  if (end >= 0) {
    throw new UserError(
      `--mode threads: found event ${end}, which ends blocks with their heap, expected them freed before: whoever uses one later is not held up there; --mode virtual says what happens`,
    );
  }
  await loadModel(spec);
  const touch = options.touch ?? events.touch;
  const program = readProgramOrder(events);
  program.readAll();
  const { order } = program;
  const { threads } = order;
  checkThreads(threads);
  const objectSlots = program.objectSlots();
  const control = new Int32Array(new SharedArrayBuffer((CONTROL_WORDS + threads) * 4));
  const done = new Int32Array(new SharedArrayBuffer(objectSlots * 4));
  const kernel = { ...KERNEL_DEFAULTS, farPages: farPagesFor(events), ...options.kernel };
  const assembled = assemble({
    spec,
    cpus,
    touch,
    kernel,
    threadSlots: threads,
    objects: (memory) => createObjectTable(memory, objectSlots),
    locks: (memory) => createAtomicLocks({ memory, isAborted: () => false }),
  });
  const { machine } = assembled;

  const abort = () => {
    Atomics.store(control, CONTROL_ABORTED, 1);
    Atomics.notify(control, CONTROL_GATE);
  };
  const eventsDone = () => control.slice(CONTROL_WORDS).reduce((sum, n) => sum + n, 0);
  let startedAt = 0;
  const clockMs = () => {
    if (startedAt > 0) return performance.now();
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  let seen = -1;
  let seenAt = clockMs();
  /** Opens the gate once everybody is there; complains where nothing moves any more. */
  const look = (): string | undefined => {
    if (startedAt === 0 && Atomics.load(control, CONTROL_READY) === threads) {
      startedAt = performance.now();
      seenAt = startedAt;
      Atomics.store(control, CONTROL_GATE, 1);
      Atomics.notify(control, CONTROL_GATE);
    }
    if (signal?.aborted) abort();
    const now = eventsDone() + Atomics.load(control, CONTROL_READY);
    if (now !== seen) {
      seen = now;
      seenAt = clockMs();
      if (startedAt > 0) options.onProgress?.(eventsDone());
      return undefined;
    }
    if (clockMs() - seenAt < STALL_MS) return undefined;
    const waiting = Atomics.load(control, CONTROL_WAITING);
    return `no thread has moved for ${STALL_MS / 1000} s: ${eventsDone()} of ${events.length} events done, ${waiting} threads wait for others`;
  };

  const tasks = Array.from(
    { length: threads },
    (_, thread): WorkerTask => ({
      thread,
      allocator: formatAllocator(spec),
      cpus,
      touch,
      kernel,
      order,
      objectSlots,
      buffers: machine.memory.buffers(),
      done,
      control,
      perturbSeed: options.perturbSeed,
      plugins: pluginFiles(),
    }),
  );
  const reports = await runCrew<WorkerTask, WorkerReport>({
    file: WORKER_FILE,
    tasks,
    abort,
    look,
    interrupted: () => signal?.aborted === true,
  });
  return resultOf({ options, touch, assembled, program, reports, eventsDone: eventsDone() });
}

function checkThreads(threads: number): void {
  const room = memoryRoom();
  const most = Math.max(0, Math.floor(room.bytes / THREAD_BYTES));
  if (threads > most)
    throw new UserError(
      `--mode threads: found ${threads} threads, expected at most ${most} (${bytes(THREAD_BYTES)} each; ${roomText(room)}), or --mode virtual`,
    );
  const files = openFilesLimit();
  const needs = NODE_NEEDS_FILES + threads * THREAD_FILES;
  if (needs > files)
    throw new UserError(
      `--mode threads: found ${files} open files allowed (ulimit -n), expected ${needs} or more for ${threads} threads, or --mode virtual`,
    );
}

interface FinishedCrew {
  readonly options: ThreadsOptions;
  readonly touch: Touch;
  readonly assembled: Assembled;
  readonly program: ProgramOrderReader;
  /** By thread. */
  readonly reports: readonly WorkerReport[];
  readonly eventsDone: number;
}

function resultOf({ options, touch, assembled, program, reports, eventsDone }: FinishedCrew): RunResult {
  const { events } = options;
  const { machine } = assembled;
  const abortedBy = reports.findIndex((report) => report.measurements.abort !== null);
  const end = reports[abortedBy]?.measurements.abort;
  const aborted = end ? { event: program.rowOf(abortedBy, end.event), message: end.message } : null;
  const isPartial = eventsDone < events.length;
  if (!isPartial) {
    assembled.top.check();
    machine.kernel.vmas.check();
    checkApart(assembled);
  }
  const sample = createSampler(machine, assembled.top, assembled.objects)('(end)', events.length);
  options.onSample?.(sample, assembled);
  const failedRows = reports
    .flatMap((report, t) => report.measurements.failed.map((n) => program.rowOf(t, n)))
    .sort((x, y) => x - y);
  return assembleResult({
    options: { ...options, mode: 'threads' },
    assembled,
    touch,
    eventsDone,
    abort: aborted,
    samples: [sample],
    failedRows,
    requestedPeakBytes: requestedPeak(events, eventsDone, failedRows),
    loadNs: loadNsOf(options),
    replayNs: longestNs(reports),
    timing: timingOf(reports, program),
  });
}

const longestNs = (reports: readonly WorkerReport[]): Ns =>
  reports.reduce((longest, report) => Math.max(longest, report.measurements.totalNs), 0);

function timingOf(reports: readonly WorkerReport[], program: ProgramOrderReader): Timing {
  const { order } = program;
  const replayNs = longestNs(reports);
  const locks = mergeLocks(reports.map((report) => report.locks))
    .map(lockResult)
    .filter((lock) => lock.acquisitions + lock.failedTries > 0);
  const operationTotals = new Float64Array(OPERATIONS.length);
  const mallocNs = new Int32Array(DURATION_BUCKETS);
  const freeNs = new Int32Array(DURATION_BUCKETS);
  for (const { operations, measurements } of reports) {
    for (let i = 0; i < operations.length; i++) operationTotals[i]! += operations[i]!;
    for (let i = 0; i < DURATION_BUCKETS; i++) {
      mallocNs[i]! += measurements.mallocNs[i]!;
      freeNs[i]! += measurements.freeNs[i]!;
    }
  }
  const sum = (of: (report: WorkerReport) => number) => reports.reduce((total, report) => total + of(report), 0);
  const most = (of: (report: WorkerReport) => number) => reports.reduce((top, report) => Math.max(top, of(report)), 0);
  const threadResults = reports.map(({ measurements, locks: own }, t): ThreadResult => {
    const waitingNs = own.reduce((total, lock) => total + lock.waitNs, 0);
    return {
      thread: order.ids[t]!,
      events: measurements.events,
      runningNs: measurements.totalNs - waitingNs - measurements.blockedNs,
      waitingNs,
      readyNs: 0,
      blockedNs: measurements.blockedNs,
      contextSwitches: 0,
    };
  });
  return {
    latencyNs: {
      malloc: percentiles(
        mallocNs,
        most((r) => r.measurements.longestMallocNs),
      ),
      free: percentiles(
        freeNs,
        most((r) => r.measurements.longestFreeNs),
      ),
    },
    virtualNs: replayNs,
    cpuNs: threadResults.reduce((total, thread) => total + thread.runningNs, 0),
    waitNs: totalOf(locks).waitNs.total,
    locks,
    concurrency: concurrencyResult(threadResults, null, locks, {
      allocations: sum((r) => r.measurements.mallocs),
      frees: sum((r) => r.measurements.frees),
      crossThreadFrees: program.crossThreadFrees(),
      operationTotals,
    }),
  };
}

/** No two live blocks overlap. */
function checkApart({ allocator, request, objects }: Assembled): void {
  if (request && request !== allocator) return; // two layers: the upper one's blocks lie within the lower one's
  const starts: number[] = [];
  const ends = new Map<number, number>();
  forEachLive(objects, (slot, handle) => {
    const start = allocator.addressOf(handle);
    assert(!ends.has(start), `two live blocks at address ${start}, one of them object ${slot}`);
    ends.set(start, start + allocator.usableSize(handle));
    starts.push(start);
  });
  starts.sort((x, y) => x - y);
  for (let i = 1; i < starts.length; i++) {
    assert(ends.get(starts[i - 1]!)! <= starts[i]!, `live blocks overlap at address ${starts[i]}`);
  }
}

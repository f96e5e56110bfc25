import { createBeginning } from '../../../sim/contract/beginning.ts';
import {
  type EventBuffer,
  isPassing,
  type PassingTrace,
  type Rows,
  rowsOf,
  type Touch,
} from '../../../sim/contract/event.ts';
import type { Ns } from '../../../sim/contract/units.ts';
import { KERNEL_DEFAULTS } from '../../../sim/kernel/kernel.ts';
import { createChangedSlots } from '../../../sim/replay/changed-slots.ts';
import { createFreeRunning } from '../../../sim/replay/free-running.ts';
import type { FreeRunning } from '../../../sim/replay/free-running-options.ts';
import { createSharedObjectTable, type SharedObjectTable } from '../../../sim/replay/objects.ts';
import type { ProgramOrderReader } from '../../../sim/replay/program-order.ts';
import { readProgramOrder } from '../../../sim/replay/program-order-reader.ts';
import { createRecordedTime } from '../../../sim/replay/recorded-time.ts';
import { threadsOf } from '../../../sim/replay/thread-rows.ts';
import { COST_PROFILES, costsOf, DEFAULT_PROFILE } from '../../../sim/time/costs.ts';
import { DEFAULT_HZ } from '../../../sim/time/scheduler.ts';
import { createTopology, DEFAULT_TOPOLOGY } from '../../../sim/time/topology.ts';
import { createVirtualLocks, type VirtualLocks } from '../../../sim/time/virtual-locks.ts';
import { createVirtualTime, type VirtualTime } from '../../../sim/time/virtual-time.ts';
import { createProcessBeginning, type RunMachine } from '../kept-machine.ts';
import { type Assembled, assemble } from '../machine.ts';
import { isTimed } from '../machine-shape.ts';
import type { RunOptions } from '../run-options.ts';
import { samplesOnTheWay, strangersFree } from './virtual-events.ts';

type Options = RunOptions<EventBuffer | PassingTrace>;

/** Whoever runs the machine now. */
export interface VirtualListener {
  failed(row: number): void;
  reachedSample(row: number, label: number): void;
  sleeps(ns: Ns): void;
  executed(row: number, op: number, handle: number): void;
}

/** A process with its threads, the processors and the trace that they execute. */
export interface VirtualMachine extends RunMachine {
  readonly touch: Touch;
  readonly program: ProgramOrderReader;
  readonly time: VirtualTime;
  readonly locks: VirtualLocks;
  readonly assembled: Assembled;
  readonly replay: FreeRunning;
  /** A run begins: the only one, or, of a machine that is kept, another one. */
  begin(options: Options, listener: VirtualListener): void;
}

/** `isKept`: it will be used again, for runs of the same shape (machine-shape.ts). */
export function createVirtualMachine(options: Options, isKept = false): VirtualMachine {
  const { events, cpus } = options;
  const touch = options.touch ?? events.touch;
  const kernel = { ...KERNEL_DEFAULTS, ...options.kernel };
  let running = events;
  const { time, program } = createTime({ ...options, events: readingFrom(events, () => running) }, kernel.version);
  const { beginning } = time;
  const { threads, slotLimit } = program.order;
  let listener: VirtualListener | undefined;
  let locks: VirtualLocks | undefined;
  let objects: SharedObjectTable | undefined;
  const assembled = assemble({
    spec: options.spec,
    events,
    cpus,
    touch,
    kernel,
    threadSlots: threads,
    bootsLater: isKept,
    objects: (memory) => (objects = createSharedObjectTable(memory, slotLimit, program.objectSlots)),
    locks: (_memory, operations) =>
      (locks = createVirtualLocks({ time, operations, perVmaLocks: kernel.version !== '6.1' })),
  });
  const { machine, allocator, request } = assembled;
  const { placements, check, onAllocation, pace, sampleIdleNs = 0 } = options;
  const wantsTimes = pace === 'recorded' || (isKept && !isPassing(events) && isTimed(events));
  const recorded =
    !isPassing(events) && wantsTimes ? createRecordedTime(events, threadsOf(events), beginning) : undefined;
  const replay = createFreeRunning({
    program,
    start: options.start ?? 'barrier',
    objects: objects!,
    kernel: machine.kernel,
    allocator,
    request,
    touch,
    time,
    locks: locks!,
    operations: machine.operations,
    threadsExit: pace === 'replay',
    endsEarly: !isPassing(events) && strangersFree(events),
    recorded,
    changed: samplesOnTheWay(options) ? createChangedSlots(program.order, program.objectSlots) : undefined,
    onFailure: (row) => listener!.failed(row),
    onSample: (row, label) => listener!.reachedSample(row, label),
    onSleep: sampleIdleNs > 0 ? (ns) => listener!.sleeps(ns) : undefined,
    onEvent:
      placements || onAllocation || check === 'events'
        ? (row, op, handle) => listener!.executed(row, op, handle)
        : undefined,
  });
  const { begin: beginProcess } = createProcessBeginning(assembled, {
    mark: beginning.mark,
    putBack(putMemoryBack) {
      replay.forgetWrites();
      putMemoryBack();
      beginning.restore();
    },
  });

  function begin(next: Options, heardBy: VirtualListener): void {
    listener = heardBy;
    running = next.events;
    time.seed = next.seed ?? 0;
    time.affinity = next.affinity ?? cpus;
    if (isKept) {
      locks!.begin();
      beginProcess(next.spec);
    }
    if (next.pace !== 'recorded') recorded?.ignore();
    else if (next.pausesFromNs) recorded!.pauseFrom(next.pausesFromNs);
    replay.begin();
  }

  return { events, touch, program, time, locks: locks!, assembled, replay, begin };
}

/** The trace of a machine: what rows of a trace that passes come next, the run that it makes knows. */
function readingFrom(events: EventBuffer | PassingTrace, running: () => EventBuffer | PassingTrace) {
  if (!isPassing(events)) return events;
  const rows: Rows = { ...events.rows, bring: (row) => rowsOf(running()).bring(row) };
  return Object.create(events, { rows: { value: rows } }) as PassingTrace;
}

function createTime(options: Options, version: VirtualTime['version']) {
  const { events, cpus, spec, topology = DEFAULT_TOPOLOGY, hz = DEFAULT_HZ, seed = 0 } = options;
  const { model } = spec.below ?? spec;
  const costs = costsOf(model.name, options.costs ?? COST_PROFILES[DEFAULT_PROFILE]!);
  const beginning = createBeginning();
  const program = readProgramOrder(events, beginning);
  const time = createVirtualTime({
    threads: program.order.threads,
    cpus,
    costs,
    seed,
    topology: createTopology(topology, cpus, costs.lineTransferNs, costs.topology),
    version,
    hz,
    beginning,
  });
  return { program, time };
}

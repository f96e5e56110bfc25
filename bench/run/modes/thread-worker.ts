import { parentPort, workerData } from 'node:worker_threads';
import { loadModel } from '../../../allocators/load.ts';
import { parseAllocator } from '../../../allocators/spec.ts';
import type { Touch } from '../../../sim/contract/event.ts';
import type { SharedBuffers } from '../../../sim/contract/memory.ts';
import { createRandom } from '../../../sim/contract/random.ts';
import type { KernelOptions } from '../../../sim/kernel/kernel.ts';
import {
  CONTROL_ABORTED,
  CONTROL_GATE,
  CONTROL_READY,
  runThreadEvents,
  type ThreadMeasurements,
} from '../../../sim/replay/concurrent.ts';
import { createObjectTable } from '../../../sim/replay/objects.ts';
import type { ProgramOrder } from '../../../sim/replay/program-order.ts';
import { type AtomicLocks, createAtomicLocks, type WorkerLock } from '../../../sim/time/atomic-locks.ts';
import { assemble } from '../machine.ts';
import { registerPluginModels } from '../plugin-files.ts';

/** What a worker is given: everything shared, and which thread it is. */
export interface WorkerTask {
  readonly thread: number;
  readonly allocator: string;
  readonly cpus: number;
  readonly touch: Touch;
  readonly kernel: KernelOptions;
  readonly order: ProgramOrder;
  readonly objectSlots: number;
  readonly buffers: SharedBuffers;
  readonly done: Int32Array;
  readonly control: Int32Array;
  /** Of delays at locks, for tests; undefined for none. */
  readonly perturbSeed: number | undefined;
  /** Files of plugins, for their models. */
  readonly plugins: readonly string[];
}

export interface WorkerReport {
  readonly measurements: ThreadMeasurements;
  readonly locks: readonly WorkerLock[];
  readonly operations: Float64Array;
}

async function work(task: WorkerTask): Promise<WorkerReport> {
  const spec = parseAllocator(task.allocator, task.cpus);
  await loadModel(spec);
  const { control, thread, order } = task;
  let locks: AtomicLocks | undefined;
  const { machine, objects, allocator, request } = assemble({
    spec,
    cpus: task.cpus,
    touch: task.touch,
    kernel: task.kernel,
    threadSlots: order.threads,
    objects: (memory) => createObjectTable(memory, task.objectSlots),
    shared: task.buffers,
    worker: thread,
    locks: (memory) =>
      (locks = createAtomicLocks({
        memory,
        isAborted: () => Atomics.load(control, CONTROL_ABORTED) !== 0,
        ...(task.perturbSeed !== undefined && { perturb: createDelays(task.perturbSeed, thread) }),
      })),
  });
  Atomics.add(control, CONTROL_READY, 1);
  Atomics.notify(control, CONTROL_READY);
  while (Atomics.load(control, CONTROL_GATE) === 0) {
    if (Atomics.load(control, CONTROL_ABORTED) !== 0) break; // the events look too, and report that there were none
    Atomics.wait(control, CONTROL_GATE, 0, 50);
  }
  const measurements = runThreadEvents({
    thread,
    order,
    objects,
    done: task.done,
    control,
    kernel: machine.kernel,
    allocator,
    request,
    touches: task.touch !== 'none',
  });
  return { measurements, locks: locks!.measured, operations: machine.operations };
}

/** Delays at every so many locks, each of up to 50 us or a whole time slice: orders that threads left alone rarely take. */
function createDelays(seed: number, thread: number): () => void {
  const random = createRandom(seed, `delays of thread ${thread}`);
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  return () => {
    if (!random.chance(1 / 16)) return;
    if (random.chance(1 / 64)) {
      Atomics.wait(nothing, 0, 0, 1);
      return;
    }
    const until = performance.now() + random.next() / 20;
    while (performance.now() < until);
  };
}

const task = workerData as WorkerTask;
await registerPluginModels(task.plugins);
parentPort!.postMessage(await work(task));

import { parentPort, workerData } from 'node:worker_threads';
import { loadModel } from '../../allocators/load.ts';
import { parseAllocator } from '../../allocators/spec.ts';
import { assert } from '../../sim/contract/assert.ts';
import type { EventBuffer, Touch } from '../../sim/contract/event.ts';
import { uncontendedLocks } from '../../sim/contract/locks.ts';
import { KERNEL_DEFAULTS } from '../../sim/kernel/kernel.ts';
import { createLockstep } from '../../sim/replay/lockstep.ts';
import { forEachLive } from '../../sim/replay/objects.ts';
import { assemble } from '../run/machine.ts';
import { EMPTY_MODEL } from './empty-model.ts';

/** One model, one trace, one way of touching, in a thread of its own: every call site sees one target. */
export interface ModelTask {
  /** As in --allocator, or 'empty'. */
  readonly allocator: string;
  readonly events: EventBuffer;
  readonly touch: Touch;
}

/**
 * What one repetition from the fresh state took, and what the model's memory then holds for each live block. Processor
 * time, as the native replay gives it: a busy machine disturbs it less than the time on the wall. The process does
 * nothing else meanwhile.
 */
export interface ModelMeasure {
  readonly ns: number;
  readonly hostBytesPerLiveBlock: number;
}

const CPUS = 2;
const { allocator: name, events, touch } = workerData as ModelTask;
const spec = name === 'empty' ? EMPTY_MODEL : parseAllocator(name, CPUS);
await loadModel(spec);
const { machine, objects, allocator, request } = assemble({
  spec,
  events,
  cpus: CPUS,
  touch,
  kernel: KERNEL_DEFAULTS,
  locks: uncontendedLocks,
});
let failures = 0;
const { run } = createLockstep({
  events,
  objects,
  kernel: machine.kernel,
  allocator,
  request,
  touches: touch !== 'none',
  onFailure: () => failures++,
});
const fresh = machine.memory.snapshot();
const freshBytes = machine.memory.usedBytes();

parentPort!.on('message', () => {
  machine.memory.restore(fresh);
  const started = process.cpuUsage();
  run(0, events.length);
  const { user, system } = process.cpuUsage(started);
  const ns = (user + system) * 1000;
  assert(failures === 0, `${failures} allocations of the benchmark failed`);
  let live = 0;
  forEachLive(objects, () => live++);
  const measure: ModelMeasure = { ns, hostBytesPerLiveBlock: (machine.memory.usedBytes() - freshBytes) / live };
  parentPort!.postMessage(measure);
});

import type { AllocatorSpec } from '../../allocators/spec.ts';
import type { Allocator, RequestAllocator } from '../../sim/contract/allocator.ts';
import { isPassing, type Touch, type TraceSummary } from '../../sim/contract/event.ts';
import type { Locks } from '../../sim/contract/locks.ts';
import { Memory, type SharedBuffers } from '../../sim/contract/memory.ts';
import { OPERATIONS } from '../../sim/contract/operations.ts';
import type { Bytes, Pages } from '../../sim/contract/units.ts';
import type { MemoryBacking } from '../../sim/kernel/backing.ts';
import { createKernel, type KernelOptions } from '../../sim/kernel/kernel.ts';
import { FAR_PAGES } from '../../sim/kernel/layout.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import { createObjectTable, type ObjectTable } from '../../sim/replay/objects.ts';

export interface MachineOptions {
  readonly spec: AllocatorSpec;
  /** Gives the numbers of slots where they are not given below. */
  readonly events?: TraceSummary;
  readonly cpus: number;
  readonly touch: Touch;
  readonly kernel: KernelOptions;
  /** Made from the machine's memory, so that locks of real workers can lie in it; some price what was counted. */
  readonly locks: (memory: Memory, operations: Float64Array) => Locks;
  /** Where threads or objects are numbered otherwise than in the trace (program-order.ts). */
  readonly threadSlots?: number;
  readonly objects?: (memory: Memory) => ObjectTable;
  /** In a worker: the buffers of the machine to take part in, and the thread that it is. */
  readonly shared?: SharedBuffers;
  readonly worker?: number;
  /** A whole machine that has the pages of the process. */
  readonly backing?: MemoryBacking;
  /** The allocator is to be made ready for its first call by `boot`, and not at once. */
  readonly bootsLater?: boolean;
}

/** One simulated process, put together: the only place where kernel, locks, model and trace meet. */
export interface Assembled {
  readonly machine: Machine;
  readonly objects: ObjectTable;
  /** Serves m c r a f; what statistics and walks are asked of is `top`. */
  readonly allocator: Allocator;
  /** Serves the e… events, where the model has a layer for them. */
  readonly request: RequestAllocator | undefined;
  /** The outermost model. */
  readonly top: Allocator;
  /** The one below it, where there are layers. */
  readonly below: Allocator | undefined;
  /** What allocators do before their first call, where that was to wait. */
  boot(): void;
}

/** A workload that holds so much at once may need more than 32 GiB of addresses, with what its allocator keeps. */
export const FAR_FROM: Bytes = 2 ** 32;

export const farPagesFor = (events: TraceSummary): Pages => (events.requestedPeakBytes >= FAR_FROM ? FAR_PAGES : 0);

export function assemble(options: MachineOptions): Assembled {
  const memory = new Memory(options.shared);
  // Each worker counts for itself.
  const operations = options.shared
    ? new Float64Array(OPERATIONS.length)
    : new Float64Array(memory.reserve('machine.operations', OPERATIONS.length * 8));
  const locks = options.locks(memory, operations);
  const farPages = options.events ? farPagesFor(options.events) : 0;
  const kernelOptions = { farPages, ...options.kernel };
  const kernel = createKernel(memory, locks, operations, kernelOptions, options.worker, options.backing);
  const booting: (() => void)[] = [];
  const machine: Machine = {
    memory,
    kernel,
    locks,
    operations,
    cpus: options.cpus,
    threadSlots: options.threadSlots ?? options.events!.threadSlots,
    touch: options.touch,
    ...(options.bootsLater && { boots: (boot: () => void) => void booting.push(boot) }),
  };
  const objects = options.objects?.(memory) ?? objectTable(memory, options.events!);
  const { spec } = options;
  const below = spec.below
    ? spec.below.model.create(machine, spec.below.version, spec.below.options, undefined, spec.below.given)
    : undefined;
  const top = spec.model.create(machine, spec.version, spec.options, below, spec.given);
  const request = isRequestAllocator(top) ? top : undefined;
  // `zendmm:all=true` sends the libc events through the request allocator too.
  const allocator = below && spec.options['all'] !== true ? below : top;
  const boot = () => {
    for (const one of booting) one();
  };
  return { machine, objects, allocator, request, top, below, boot };
}

function objectTable(memory: Memory, events: TraceSummary): ObjectTable {
  if (!isPassing(events)) return createObjectTable(memory, events.objectSlots);
  return createObjectTable(memory, events.objectSlotLimit, () => events.objectSlots);
}

function isRequestAllocator(allocator: Allocator): allocator is RequestAllocator {
  return 'requestBegin' in allocator;
}

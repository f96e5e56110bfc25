import type { AllocatorSpec } from '../../allocators/spec.ts';
import type { HeapProgram } from '../../machine/heap/heap.ts';
import type { EventBuffer, Touch } from '../../sim/contract/event.ts';
import { uncontendedLocks } from '../../sim/contract/locks.ts';
import { KERNEL_DEFAULTS } from '../../sim/kernel/kernel.ts';
import { assemble } from './machine.ts';

export interface HeapProgramOptions {
  /** As they were asked for: names for messages. */
  readonly workload: string;
  readonly allocator: string;
  readonly events: EventBuffer;
  readonly spec: AllocatorSpec;
  /** Processors that the allocator sees. */
  readonly cpus: number;
  /** Over the trace's own `%touch`. */
  readonly touch?: Touch;
}

/** What a process of a whole machine runs: a workload under an allocator. The events may serve many processes. */
export function heapProgram(options: HeapProgramOptions): HeapProgram {
  const { workload, allocator, events, spec, cpus } = options;
  const touch = options.touch ?? events.touch;
  return {
    workload,
    allocator,
    events,
    touches: touch !== 'none',
    assemble: (backing, kernel, shared) =>
      assemble({
        spec,
        events,
        cpus,
        touch,
        kernel: { ...KERNEL_DEFAULTS, ...kernel },
        locks: uncontendedLocks,
        backing,
        ...(shared && { shared }),
      }),
  };
}

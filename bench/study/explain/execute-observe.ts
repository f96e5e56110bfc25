import { parseAllocator } from '../../../allocators/spec.ts';
import type { ObserveTask } from '../parallel/task.ts';
import { observe } from './observe.ts';
import type { Observed } from './observed.ts';

export function executeObserve({ observe: { allocator, ...options }, events }: ObserveTask): Observed {
  return observe({ ...options, events, spec: parseAllocator(allocator, options.cpus) });
}

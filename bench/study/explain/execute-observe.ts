import { loadModel } from '../../../allocators/load.ts';
import { parseAllocator } from '../../../allocators/spec.ts';
import type { ObserveTask } from '../parallel/task.ts';
import { observe } from './observe.ts';
import type { Observed } from './observed.ts';

export async function executeObserve({ observe: { allocator, ...options }, events }: ObserveTask): Promise<Observed> {
  const spec = parseAllocator(allocator, options.cpus);
  await loadModel(spec);
  return observe({ ...options, events, spec });
}

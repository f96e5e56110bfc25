import { parseAllocator } from '../../../allocators/spec.ts';
import type { ObserveTask } from '../parallel/task.ts';
import { loadForMoment } from './moment/moment-in-run.ts';
import { observe } from './observe.ts';
import type { Observed } from './observed.ts';

export async function executeObserve({ observe: { allocator, ...options }, events }: ObserveTask): Promise<Observed> {
  const spec = parseAllocator(allocator, options.cpus);
  await loadForMoment({ spec, events, cpus: options.cpus });
  return observe({ ...options, events, spec });
}

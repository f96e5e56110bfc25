import { isBuiltIn, type LoadedWorkload, resolveWorkload, type WorkloadOptions } from '../../workloads/index.ts';
import { unheard } from './interruption.ts';

/** Resolves a workload. Reading a trace breathes, a generator does not. */
export function loadWorkload(given: string, options: WorkloadOptions = {}): Promise<LoadedWorkload> {
  const load = () => resolveWorkload(given, options);
  return isBuiltIn(given) ? unheard(load) : load();
}

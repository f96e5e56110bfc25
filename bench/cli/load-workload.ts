import { isBreathless, type LoadedWorkload, resolveWorkload, type WorkloadOptions } from '../../workloads/index.ts';
import { unheard } from './interruption.ts';

/** Resolves a workload; a signal ends the process meanwhile. */
export function loadWorkload(given: string, options: WorkloadOptions = {}): Promise<LoadedWorkload> {
  const load = () => resolveWorkload(given, options);
  return isBreathless(given) ? unheard(load) : load();
}

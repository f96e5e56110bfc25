import { isBuiltIn, type LoadedWorkload, resolveWorkload, type WorkloadOptions } from '../../workloads/index.ts';
import { untilInterrupt } from './interruption.ts';

/** Resolves a workload; Ctrl-C while a trace is read ends the program. A generator does not breathe, and is left alone. */
export function loadWorkload(given: string, options: WorkloadOptions = {}): Promise<LoadedWorkload> {
  const load = () => resolveWorkload(given, options);
  return isBuiltIn(given) ? load() : untilInterrupt(load);
}

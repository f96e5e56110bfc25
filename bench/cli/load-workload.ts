import { existsSync } from 'node:fs';
import { isAllocatorName, parseAllocator } from '../../allocators/spec.ts';
import { UserError } from '../../sim/contract/assert.ts';
import type { LoadedWorkload, WorkloadOptions } from '../../workloads/index.ts';
import { readTrace } from '../../workloads/trace/reader.ts';
import { recordedCpus } from '../../workloads/trace/recorded-cpus.ts';
import { pluginFiles } from '../run/plugin-files.ts';
import { unheard } from './interruption.ts';

/** Resolves a workload; a signal ends the process meanwhile. */
export async function loadWorkload(given: string, options: WorkloadOptions = {}): Promise<LoadedWorkload> {
  if (isTrace(given)) {
    const events = await readTrace(given, options);
    return { name: given, events, parameters: {}, cpus: recordedCpus(events), time: undefined, start: 'barrier' };
  }
  const { isBreathless, isBuiltIn, resolveWorkload } = await import('../../workloads/index.ts');
  const name = given.split(/[:@]/, 1)[0]!;
  if (isAllocatorName(name) && !isBuiltIn(name) && !existsSync(given)) {
    parseAllocator(name, 1);
    throw new UserError(
      `found the allocator '${name}' for a workload, expected it behind -a: sim run WORKLOAD -a ${name}`,
    );
  }
  const load = () => resolveWorkload(given, options);
  return isBreathless(given) ? unheard(load) : load();
}

/** Whether `given` can be no workload, since no name of a built-in one has a dot or a slash: the generators need not be loaded. */
export function isTrace(given: string): boolean {
  return pluginFiles().length === 0 && /[/.]/.test(given.split(':', 1)[0]!);
}

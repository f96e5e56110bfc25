import { loadModel } from '../../../allocators/load.ts';
import { parseAllocator } from '../../../allocators/spec.ts';
import type { HeapProgram } from '../../../machine/heap/heap.ts';
import { parseScript, runsOf } from '../../../machine/index.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import { resolveWorkload } from '../../../workloads/index.ts';
import { heapProgram } from '../../run/heap-program.ts';

/**
 * Loads what the `run` commands of a machine script name, each workload once.
 * @throws UserError with the script's line for a workload or an allocator that there is not.
 */
export async function loadMachinePrograms(
  text: string,
  name: string,
  load: (workload: string) => Promise<EventBuffer> = async (workload) => (await resolveWorkload(workload)).events,
): Promise<(workload: string, allocator: string) => HeapProgram> {
  const script = parseScript(text, name);
  const workloads = new Map<string, EventBuffer>();
  const programs = new Map<string, HeapProgram>();
  const keyOf = (workload: string, allocator: string) => `${workload} under ${allocator}`;
  for (const { line, workload, allocator } of runsOf(script)) {
    try {
      const events = workloads.get(workload) ?? (await load(workload));
      workloads.set(workload, events);
      const cpus = script.options.processors;
      const spec = parseAllocator(allocator, cpus);
      await loadModel(spec);
      programs.set(keyOf(workload, allocator), heapProgram({ workload, allocator, events, spec, cpus }));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw new UserError(`${name}:${line}: run: ${error.message}`);
    }
  }
  return (workload, allocator) => programs.get(keyOf(workload, allocator))!;
}

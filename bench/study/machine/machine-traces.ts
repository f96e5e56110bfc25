import type { EventBuffer } from '../../../sim/contract/event.ts';
import { isBuiltIn, resolveWorkload } from '../../../workloads/index.ts';
import { loadMachinePrograms } from './machine-programs.ts';

/** The traces that the `run` commands of a script name: what travels with it. Throws a UserError with the script's line. */
export async function machineTraces(text: string, name: string): Promise<Record<string, EventBuffer>> {
  const traces: Record<string, EventBuffer> = {};
  await loadMachinePrograms(text, name, async (workload) => {
    const { events } = await resolveWorkload(workload);
    if (!isBuiltIn(workload)) traces[workload] = events;
    return events;
  });
  return traces;
}

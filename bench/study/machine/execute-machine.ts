import { resolveWorkload } from '../../../workloads/index.ts';
import type { MachineTask } from '../parallel/task.ts';
import { type MachineAnswer, machineAnswer } from './machine-answer.ts';
import { loadMachinePrograms } from './machine-programs.ts';
import { viewScript } from './viewed-run.ts';

/** Runs the script to its end with the traces that came with it. */
export async function executeMachine({ machine, traces }: MachineTask): Promise<MachineAnswer> {
  const { name, text } = machine;
  const load = async (workload: string) => traces[workload] ?? (await resolveWorkload(workload)).events;
  const { steps, finish } = viewScript(machine, await loadMachinePrograms(text, name, load));
  while (!steps.next().done);
  return machineAnswer(finish(false), machine);
}

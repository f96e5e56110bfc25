import { CACHE_SCENARIOS } from './cache.ts';
import { HEAP_SCENARIOS } from './heaps.ts';
import { KERNEL_SCENARIOS } from './kernel-memory.ts';
import { RUNTIME_SCENARIOS } from './runtimes.ts';
import type { MachineScenario } from './scenario.ts';
import { SHARED_SCENARIOS } from './shared.ts';

export type { MachineScenario } from './scenario.ts';

/** Scripts that come with the program, by name, each with what it shows. */
export const MACHINE_SCENARIOS: Readonly<Record<string, MachineScenario>> = {
  ...SHARED_SCENARIOS,
  ...HEAP_SCENARIOS,
  ...RUNTIME_SCENARIOS,
  ...CACHE_SCENARIOS,
  ...KERNEL_SCENARIOS,
};

/** The text of a built-in script, or undefined. */
export const builtInMachine = (name: string): string | undefined =>
  Object.hasOwn(MACHINE_SCENARIOS, name) ? MACHINE_SCENARIOS[name]!.text : undefined;

import { existsSync } from 'node:fs';
import { builtInScenarios } from '../../fleet/scenario/built-in.ts';
import { builtInMachine, MACHINE_SCENARIOS } from '../../machine/scenarios/index.ts';
import { MACHINE_COMMANDS } from '../../machine/script/grammar.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { suggestion } from '../../sim/contract/suggestion.ts';
import { headOfFile, readTextFile } from '../../workloads/files/text-file.ts';

export interface MachineText {
  /** As errors and headlines call it. */
  readonly name: string;
  readonly text: string;
}

const isStandardInput = (script: string): boolean => script === '-' || script === '';

/** A built-in script by its name, a file, or standard input. */
export function machineText(script: string): MachineText {
  const own = builtInMachine(script);
  if (own !== undefined) return { name: script, text: own };
  if (isStandardInput(script)) return { name: 'standard input', text: readTextFile('standard input', 'a script', 0) };
  if (!/[./\\]/.test(script) && !existsSync(script)) {
    throw new UserError(
      `machine: unknown scenario '${script}'${suggestion(script, [...Object.keys(MACHINE_SCENARIOS), ...builtInScenarios().map(({ name }) => name)])}`,
    );
  }
  return { name: script, text: readTextFile(script, "a script's file, - or a scenario (`sim list scenarios`)") };
}

/** Whether a name or a file is of a machine's script and not of a workload: by what its first command is. */
export function isMachineScript(given: string): boolean {
  if (builtInMachine(given) !== undefined) return true;
  if (isStandardInput(given)) return false;
  const text = headOfFile(given);
  if (text === undefined) return false;
  if (text.startsWith('#!') && /^#! *(-m|--thp|--smp|--kernel|--disk|--append)\b/.test(text)) return true;
  const first = text.split('\n').find((line) => line.trim() !== '' && !line.startsWith('#'));
  const [word, second] = (first ?? '').trim().split(/\s+/);
  return word !== undefined && second !== undefined && Object.hasOwn(MACHINE_COMMANDS, word);
}

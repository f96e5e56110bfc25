import { existsSync, readFileSync } from 'node:fs';
import { builtInScenarios } from '../../fleet/index.ts';
import { builtInMachine, MACHINE_SCENARIOS } from '../../machine/scenarios/index.ts';
import { MACHINE_COMMANDS } from '../../machine/script/grammar.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { suggestion } from '../../sim/contract/suggestion.ts';

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
  if (isStandardInput(script)) return { name: 'standard input', text: readFileSync(0, 'utf8') };
  try {
    return { name: script, text: readFileSync(script, 'utf8') };
  } catch (error) {
    if (!/[./\\]/.test(script)) {
      throw new UserError(
        `machine: unknown scenario '${script}'${suggestion(script, [...Object.keys(MACHINE_SCENARIOS), ...builtInScenarios().map(({ name }) => name)])}`,
      );
    }
    throw new UserError(
      `machine: found '${script}', expected a script's file, - or a scenario (\`sim list scenarios\`): ${(error as Error).message}`,
    );
  }
}

const HEAD_BYTES = 65536;

/** Whether a name or a file is of a machine's script and not of a workload: by what its first command is. */
export function isMachineScript(given: string): boolean {
  if (builtInMachine(given) !== undefined) return true;
  if (isStandardInput(given) || !existsSync(given)) return false;
  let text: string;
  try {
    text = readFileSync(given).subarray(0, HEAD_BYTES).toString('utf8');
  } catch {
    return false;
  }
  if (text.startsWith('#!') && /^#! *(-m|--thp|--smp|--kernel|--disk|--append)\b/.test(text)) return true;
  const first = text.split('\n').find((line) => line.trim() !== '' && !line.startsWith('#'));
  const [word, second] = (first ?? '').trim().split(/\s+/);
  return word !== undefined && second !== undefined && Object.hasOwn(MACHINE_COMMANDS, word);
}

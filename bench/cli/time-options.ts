import { readFileSync } from 'node:fs';
import type { Argv } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import { COST_PROFILES, type Costs, DEFAULT_PROFILE, parseCosts } from '../../sim/time/costs.ts';
import { systemError } from '../../workloads/trace/unpacked.ts';
import type { Mode, Pace } from '../run/result.ts';
import type { SessionOptions } from '../run/session.ts';

/** How time passes in a run. */
export interface TimeArguments {
  /** Unless it is given: virtual, or lockstep for --faithful-abort. */
  mode: Mode | undefined;
  pace: Pace;
  costs: string;
}

export function timeOptions<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .option('mode', {
      choices: ['virtual', 'lockstep', 'threads'] as const,
      defaultDescription: 'virtual',
      describe: 'virtual: threads at their own pace in virtual time; lockstep: in file order; threads: real ones',
    })
    .option('pace', {
      choices: ['asap', 'recorded', 'replay'] as const,
      default: 'asap' as const,
      describe: 'recorded: no event starts before its recorded time; replay: threads exit after their last event',
    })
    .option('costs', {
      type: 'string',
      default: DEFAULT_PROFILE,
      describe: `prices of operations: ${Object.keys(COST_PROFILES).join(', ')}, or a file of \`sim calibrate\``,
    }) as Argv<T>;
}

export function timing({ mode, pace, costs }: TimeArguments): Pick<SessionOptions, 'mode' | 'pace' | 'costs'> {
  return { mode: mode ?? 'virtual', pace, costs: loadCosts(costs) };
}

export function loadCosts(nameOrFile: string): Costs {
  const profile = COST_PROFILES[nameOrFile];
  if (profile) return profile;
  let text: string;
  try {
    text = readFileSync(nameOrFile, 'utf8');
  } catch (error) {
    throw new UserError(
      `--costs: found '${nameOrFile}' (${systemError(error)}), expected ${Object.keys(COST_PROFILES).join(', ')} or a file`,
    );
  }
  return parseCosts(text, nameOrFile);
}

import type { Argv } from 'yargs';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { COST_PROFILES, type Costs, DEFAULT_PROFILE, parseCosts } from '../../sim/time/costs.ts';
import { readTextFile } from '../../workloads/files/text-file.ts';
import type { WorkloadTime } from '../../workloads/workload.ts';
import { type ChosenTime, chooseTime } from '../run/choose-time.ts';
import type { Mode, Pace } from '../run/result.ts';
import type { SessionOptions } from '../run/session.ts';

/** How time passes in a run. */
export interface TimeArguments {
  /** Unless it is given: as chooseTime says. */
  mode: Mode | undefined;
  pace: Pace | undefined;
  costs: string;
}

export function timeOptions<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .option('mode', {
      choices: ['virtual', 'lockstep', 'threads'] as const,
      defaultDescription: 'virtual; lockstep for a trace of several threads without times',
      describe: 'virtual: threads at their own pace in virtual time; lockstep: in file order; threads: real ones',
    })
    .option('pace', {
      choices: ['asap', 'recorded', 'replay'] as const,
      defaultDescription: 'recorded for a trace with times, else asap',
      describe: 'recorded: no event starts before its recorded time; replay: threads exit after their last event',
    })
    .option('costs', {
      type: 'string',
      default: DEFAULT_PROFILE,
      describe: `prices of operations: ${Object.keys(COST_PROFILES).join(', ')}, or a file of \`sim calibrate\``,
    }) as Argv<T>;
}

/** How time passes for these events: as asked for, else as they and the workload say. */
export function timing(
  { mode, pace, costs }: TimeArguments,
  events: EventBuffer,
  workload: WorkloadTime | undefined,
): ChosenTime & Required<Pick<SessionOptions, 'costs'>> {
  return { ...chooseTime(events, workload, { mode, pace }), costs: loadCosts(costs) };
}

export function loadCosts(nameOrFile: string): Costs {
  const profile = COST_PROFILES[nameOrFile];
  if (profile) return profile;
  const text = readTextFile(nameOrFile, `a price list, or one of ${Object.keys(COST_PROFILES).join(', ')}`);
  return parseCosts(text, nameOrFile);
}

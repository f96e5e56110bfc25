import type { Argv } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer, PassingTrace } from '../../sim/contract/event.ts';
import { lookup } from '../../sim/contract/lookup.ts';
import { COST_PROFILES, type Costs, DEFAULT_PROFILE } from '../../sim/time/costs.ts';
import { parseCosts } from '../../sim/time/price-list.ts';
import { DEFAULT_HZ } from '../../sim/time/scheduler.ts';
import { DEFAULT_TOPOLOGY, TOPOLOGY_NAMES } from '../../sim/time/topology.ts';
import { readTextFile } from '../../workloads/files/text-file.ts';
import type { WorkloadTime } from '../../workloads/workload.ts';
import { type ChosenTime, chooseTime } from '../run/choose-time.ts';
import type { Mode, Pace } from '../run/result.ts';
import type { RunOptions } from '../run/run-options.ts';

/** How time passes in a run. */
export interface TimeArguments {
  /** Unless it is given: as chooseTime says. */
  mode: Mode | undefined;
  pace: Pace | undefined;
  costs: string;
  topology: string;
  hz: number;
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
    })
    .option('topology', {
      choices: TOPOLOGY_NAMES,
      default: DEFAULT_TOPOLOGY,
      describe: 'where the processors lie to each other; auto: pair for up to two of them, else milan',
    })
    .option('hz', {
      type: 'number',
      default: DEFAULT_HZ,
      describe: 'ticks of the scheduler a second (CONFIG_HZ)',
    }) as Argv<T>;
}

/** How time passes for these events: as asked for, else as they and the workload say. */
export function timing(
  { mode, pace, costs, topology, hz }: TimeArguments,
  events: EventBuffer | PassingTrace | undefined,
  workload: WorkloadTime | undefined,
): ChosenTime & Required<Pick<RunOptions, 'costs' | 'topology' | 'hz'>> {
  if (!(Number.isInteger(hz) && hz >= 1 && hz <= 100_000))
    throw new UserError(`--hz: found '${hz}', expected a whole number from 1 to 100000`);
  return { ...chooseTime(events, workload, { mode, pace }), costs: loadCosts(costs), topology, hz };
}

export function loadCosts(nameOrFile: string): Costs {
  const profile = lookup(COST_PROFILES, nameOrFile);
  if (profile) return profile;
  const text = readTextFile(nameOrFile, `a price list, or one of ${Object.keys(COST_PROFILES).join(', ')}`);
  return parseCosts(text, nameOrFile);
}

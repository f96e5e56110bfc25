import { Interrupted } from '../sim/contract/assert.ts';
import {
  type FleetExecutor,
  type FleetLook,
  type FleetOutcome,
  type FleetTask,
  runHere,
  type WholeFleet,
} from './fleet-task.ts';
import { serviceText } from './report/service-text.ts';
import { withFront } from './report/setting-front.ts';
import type { SettingResult } from './report/setting-result.ts';
import type { FleetOptions } from './run-fleet.ts';
import { parseScenario, type Scenario } from './scenario/scenario.ts';
import { checkChanges } from './scenario/settings.ts';

export const FLEET_SCHEMA = 'allocsim-fleet-1';

export interface FleetResult extends WholeFleet {
  readonly schema: typeof FLEET_SCHEMA;
  readonly scenario: string;
  readonly about: string;
  readonly seed: number;
  readonly durationUs: number;
  /** What was followed of it: less where it was interrupted, or a moment before the end was asked for. */
  readonly untilUs: number;
  readonly machine: Scenario['machine'];
  /** What services do, in words. */
  readonly services: readonly string[];
  readonly partial: boolean;
  readonly settings: readonly SettingResult[];
}

export interface StudyOptions extends FleetOptions {
  /** Which of the scenario's settings are run: all, none, or those of these names. */
  readonly settings?: 'all' | 'none' | readonly string[];
  /** Looked at in the scenario as it is. */
  readonly look?: FleetLook;
  /** Where the runs are made; default: here, one after another. */
  readonly execute?: FleetExecutor;
}

/** Runs a scenario and the changes that it names. `asItIs`: the run of the scenario itself. */
export async function studyFleet(
  text: string,
  from: string,
  options: StudyOptions = {},
): Promise<{ result: FleetResult; asItIs: FleetOutcome }> {
  const scenario = parseScenario(text, from);
  const { settings: wanted = 'all', look, execute = (tasks) => runHere(tasks, options) } = options;
  const settings = scenario.settings.filter(
    ({ name }) => wanted === 'all' || (wanted !== 'none' && wanted.includes(name)),
  );
  checkChanges(scenario, text, from, settings);
  const tasks: FleetTask[] = [
    { text, from, name: 'as it is', change: {}, asks: { whole: true, ...(look && { look }) } },
    ...settings.map(({ name, change }) => ({ text, from, name, change, asks: {} })),
  ];
  const { runs, partial } = await execute(tasks);
  const [first] = runs;
  if (!first) throw new Interrupted('interrupted');
  const rows = runs.flatMap((run) => (run ? [run.setting!] : []));
  const { verdict, figures, events, samples } = first.whole!;
  const result: FleetResult = {
    schema: FLEET_SCHEMA,
    scenario: scenario.name,
    about: scenario.about,
    seed: scenario.seed,
    durationUs: scenario.durationUs,
    untilUs: figures.timesUs.at(-1)!,
    machine: scenario.machine,
    services: scenario.services.map((service) => serviceText(service, figures.killed)),
    partial: partial || first.partial,
    verdict,
    figures,
    settings: rows.length > 1 ? withFront(rows) : [],
    events,
    samples,
  };
  return { result, asItIs: first };
}

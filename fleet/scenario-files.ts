import type { EventBuffer } from '../sim/contract/event.ts';
import { isBuiltIn } from '../workloads/index.ts';
import { recordedWorkers, servedRequests } from './pool/recorded-workers.ts';
import type { Scenario } from './scenario/scenario.ts';
import {
  arrivalLogs,
  atItsPlace,
  FILE_SOURCES,
  type FleetSources,
  pathIn,
  requestSource,
  startupSource,
} from './scenario/sources.ts';

/** What a scenario reads: its traces, and its logs and lists as text, by the names that its sources have for them. */
export interface ScenarioFiles {
  readonly traces: Record<string, EventBuffer>;
  readonly texts: Record<string, string>;
}

/**
 * Reads every file that the scenario names, with `trace` for each trace.
 * @throws UserError with the line that names it, where one cannot be read.
 */
export async function filesOfScenario(
  scenario: Scenario,
  trace: (name: string) => Promise<EventBuffer>,
): Promise<ScenarioFiles> {
  // Whatever a name is, it is not there before it was read.
  const traces = Object.create(null) as Record<string, EventBuffer>;
  const texts = Object.create(null) as Record<string, string>;
  const sources: FleetSources = {
    events: async (name) => {
      traces[name] ??= await trace(name);
      return traces[name];
    },
    text: (path) => {
      texts[path] ??= FILE_SOURCES.text(path);
      return texts[path];
    },
  };
  for (const [i, request] of scenario.requests.entries()) {
    const source = requestSource(request, scenario);
    const word = request.trace === undefined ? 'workload' : 'trace';
    if (!isBuiltIn(source)) await atItsPlace(scenario, ['requests', i, word], () => sources.events(source));
    arrivalLogs(i, scenario, sources);
  }
  for (const [i, pool] of scenario.pools.entries()) {
    const startup = startupSource(pool, scenario);
    if (startup !== undefined && !isBuiltIn(startup))
      await atItsPlace(scenario, ['pools', i, 'startup'], () => sources.events(startup));
    const { recorded } = pool;
    if (recorded !== undefined)
      await atItsPlace(scenario, ['pools', i, 'recorded'], () =>
        recordedWorkers(pathIn(scenario, recorded), pool, sources),
      );
    await atItsPlace(scenario, ['pools', i, 'served'], () => servedRequests(pool, [], scenario, sources));
  }
  return { traces, texts };
}

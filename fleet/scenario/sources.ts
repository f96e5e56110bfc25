import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { isBuiltIn, resolveWorkload, type WorkloadOptions } from '../../workloads/index.ts';
import type { RequestFile, Scenario } from './scenario.ts';

/** Where a scenario's traces and logs come from. */
export interface FleetSources {
  /** Of a built-in workload with its parameters, or of a trace by its path. */
  events(given: string, options?: WorkloadOptions): Promise<EventBuffer>;
  /** A file's text; throws what the system says. */
  text(path: string): string;
}

/** The files of this machine. */
export const FILE_SOURCES: FleetSources = {
  events: async (given, options) => (await resolveWorkload(given, options)).events,
  text: (path) => readFileSync(path, 'utf8'),
};

/** What a request replays, as a source knows it. */
export const requestSource = ({ trace, workload }: RequestFile, { folder }: Scenario): string =>
  trace === undefined ? workload! : join(folder, trace);

/** Every trace that the scenario names, once: what travels with it. */
export function tracesOfScenario(scenario: Scenario): string[] {
  const given = [
    ...scenario.requests.map((request) => requestSource(request, scenario)),
    ...scenario.pools.flatMap(({ startup }) => startup ?? []),
  ];
  return [...new Set(given.filter((name) => !isBuiltIn(name)))];
}

/** A recorded arrival log. Throws a UserError where it cannot be read. */
export function arrivalLog(request: RequestFile, { folder }: Scenario, sources: FleetSources) {
  const path = join(folder, request.log!);
  try {
    return { path, text: sources.text(path) };
  } catch (error) {
    throw new UserError(`requests.${request.name}.log: ${(error as Error).message}`);
  }
}

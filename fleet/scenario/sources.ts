import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { isBuiltIn, resolveWorkload, type WorkloadOptions } from '../../workloads/index.ts';
import type { PoolFile, RequestFile, Scenario } from './scenario.ts';

/** Where a scenario's traces and logs come from. */
export interface FleetSources {
  /** Of a built-in workload with its parameters, or of a trace by its path. */
  events(given: string, options?: WorkloadOptions): Promise<EventBuffer>;
  /** A file's text, unpacked where it is gzip's; throws what the system says. */
  text(path: string): string;
}

/** What a packed log may come to: more than a busy month, less than memory. */
const MOST_UNPACKED = 256 * 2 ** 20;

/** The files of this machine. */
export const FILE_SOURCES: FleetSources = {
  events: async (given, options) => (await resolveWorkload(given, options)).events,
  text: (path) => {
    const bytes = readFileSync(path);
    return (isGzip(bytes) ? gunzipSync(bytes, { maxOutputLength: MOST_UNPACKED }) : bytes).toString();
  },
};

const isGzip = (bytes: Buffer) => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** A path of the file, from its folder. */
export const pathIn = ({ folder }: Scenario, path: string): string => (isAbsolute(path) ? path : join(folder, path));

/** What a request replays, as a source knows it. */
export const requestSource = ({ trace, workload }: RequestFile, scenario: Scenario): string =>
  trace === undefined ? workload! : pathIn(scenario, trace);

/** What a pool's master replays before it forks; undefined for nothing. */
export function startupSource({ startup }: PoolFile, scenario: Scenario): string | undefined {
  return startup === undefined || isBuiltIn(startup) ? startup : pathIn(scenario, startup);
}

/** Does what a part of the file asks for. A mistake in it is told with its line. */
export async function atItsPlace<T>(
  scenario: Scenario,
  path: readonly PropertyKey[],
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${scenario.placeOf(path)}: ${path.join('.')}: ${error.message}`);
  }
}

/** A log as text, with its name in the scenario. */
export interface LogText {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

/** The arrival logs of a request, by its number. Throws a UserError where one cannot be read. */
export function arrivalLogs(number: number, scenario: Scenario, sources: FleetSources): LogText[] {
  const { log = [] } = scenario.requests[number]!;
  return [log].flat().map((name) => {
    const path = pathIn(scenario, name);
    try {
      return { name, path, text: sources.text(path) };
    } catch (error) {
      const at = ['requests', number, 'log'];
      throw new UserError(`${scenario.placeOf(at)}: ${at.join('.')}: ${(error as Error).message}`);
    }
  });
}

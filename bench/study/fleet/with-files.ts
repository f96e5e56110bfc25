import { arrivalLog, FILE_SOURCES, type FleetTask, scenarioOfTask, tracesOfScenario } from '../../../fleet/index.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import type { FleetRunTask } from '../parallel/task.ts';

/** Of the logs of one run: they travel as text. */
const LOGS_BYTES = 64 * 2 ** 20;

/** Reads what the scenarios name, each file once. Throws a UserError where one cannot be read. */
export async function withFiles(tasks: readonly FleetTask[]): Promise<FleetRunTask[]> {
  const known = new Map<string, EventBuffer>();
  const result: FleetRunTask[] = [];
  for (const fleet of tasks) {
    const scenario = scenarioOfTask(fleet);
    const traces: Record<string, EventBuffer> = {};
    for (const name of tracesOfScenario(scenario)) {
      const events = known.get(name) ?? (await FILE_SOURCES.events(name));
      known.set(name, events);
      traces[name] = events;
    }
    const logs: Record<string, string> = {};
    for (const request of scenario.requests) {
      if (request.log === undefined) continue;
      const { path, text } = arrivalLog(request, scenario, FILE_SOURCES);
      logs[path] = text;
    }
    const bytes = Object.values(logs).reduce((sum, text) => sum + text.length, 0);
    if (bytes > LOGS_BYTES)
      throw new UserError(`${fleet.from}: found logs of ${bytes} bytes, expected at most ${LOGS_BYTES}`);
    result.push({ fleet, traces, logs });
  }
  return result;
}

import { FILE_SOURCES, type FleetTask, filesOfScenario, scenarioOfTask } from '../../../fleet/index.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import type { FleetRunTask } from '../parallel/task.ts';

/** Of the logs of one run: they travel as text. */
const LOGS_BYTES = 256 * 2 ** 20;

/** Reads what the scenarios name, each file once. Throws a UserError where one cannot be read. */
export async function withFiles(tasks: readonly FleetTask[]): Promise<FleetRunTask[]> {
  const known = new Map<string, EventBuffer>();
  const result: FleetRunTask[] = [];
  const trace = async (name: string) => {
    const events = known.get(name) ?? (await FILE_SOURCES.events(name));
    known.set(name, events);
    return events;
  };
  for (const fleet of tasks) {
    const { traces, texts: logs } = await filesOfScenario(scenarioOfTask(fleet), trace);
    const bytes = Object.values(logs).reduce((sum, text) => sum + text.length, 0);
    if (bytes > LOGS_BYTES)
      throw new UserError(`${fleet.from}: found logs of ${bytes} bytes, expected at most ${LOGS_BYTES}`);
    result.push({ fleet, traces, logs });
  }
  return result;
}

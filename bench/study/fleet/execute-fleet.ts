import { type FleetOutcome, type FleetSources, runFleetTaskHere } from '../../../fleet/index.ts';
import { assert } from '../../../sim/contract/assert.ts';
import { resolveWorkload } from '../../../workloads/index.ts';
import type { FleetRunTask, TaskOptions } from '../parallel/task.ts';

/** Makes the run with the files that came with it, and no others. */
export function executeFleet(task: FleetRunTask, options: TaskOptions = {}): Promise<FleetOutcome> {
  const { threads } = task;
  const { signal, onProgress } = options;
  return runFleetTaskHere(task.fleet, {
    sources: sourcesOf(task),
    ...(signal && { signal }),
    ...(threads !== undefined && { workers: threads }),
    ...(onProgress && { onProgress }),
  });
}

function sourcesOf({ traces, logs }: FleetRunTask): FleetSources {
  return {
    events: async (given, options) => traces[given] ?? (await resolveWorkload(given, options)).events,
    text: (path) => {
      assert(logs[path] !== undefined, `${path} did not come with the run`);
      return logs[path];
    },
  };
}

import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../../sim/contract/assert.ts';
import { type RecordedParts, recordedParts } from '../engine/recorded-parts.ts';
import type { SlotTask } from '../engine/slot-timeline.ts';
import type { PoolFile, Scenario } from '../scenario/scenario.ts';
import { type FleetSources, pathIn } from '../scenario/sources.ts';
import type { Schedule } from './schedule.ts';

/** What `sim record --json` writes. */
const listSchema = z.object({
  processes: z.array(
    z.object({ pid: z.number(), ppid: z.number(), command: z.string(), trace: z.string().nullable() }),
  ),
});

export interface RecordedWorker extends RecordedParts {
  readonly pid: number;
}

/**
 * The workers of a recorded pool: the processes that the first one forked, in the order of their start. Their traces lie beside the list.
 * @throws UserError for a list that is none, or has no workers, or more than the pool has places for.
 */
export async function recordedWorkers(list: string, pool: PoolFile, sources: FleetSources): Promise<RecordedWorker[]> {
  const { processes } = readList(list, sources);
  const master = processes[0];
  const workers = processes.filter(({ ppid, trace }) => ppid === master?.pid && trace !== null);
  if (workers.length === 0)
    throw new UserError(`${list}: found no trace of a process that the first one forked, expected a pool's workers`);
  if (workers.length > pool.pm.max_children)
    throw new UserError(
      `${list}: found ${workers.length} workers, expected at most max_children of ${pool.name} (${pool.pm.max_children})`,
    );
  const parts: RecordedWorker[] = [];
  for (const { trace, pid } of workers) {
    const path = join(dirname(list), basename(trace!));
    parts.push({ ...recordedParts(await sources.events(path), path), pid });
  }
  return parts;
}

function readList(path: string, sources: FleetSources): z.infer<typeof listSchema> {
  let text: string;
  try {
    text = sources.text(path);
  } catch {
    throw new UserError(`${path}: found no such file, expected the list that sim record --json wrote`);
  }
  try {
    return listSchema.parse(JSON.parse(text));
  } catch {
    throw new UserError(`${path}: found something else, expected the list that sim record --json wrote`);
  }
}

/**
 * Of each worker: the scripts that it served, in their order, by the pool's access log; nothing where it has none.
 * @throws UserError where the log cannot be read, or a line does not begin with a process and a path.
 */
export function servedRequests(
  { served }: PoolFile,
  workers: readonly RecordedWorker[],
  scenario: Scenario,
  sources: FleetSources,
): string[][] {
  if (served === undefined) return [];
  const path = pathIn(scenario, served);
  const scripts = new Map(workers.map(({ pid }) => [pid, [] as string[]]));
  textOf(path, sources)
    .split(/\r?\n/)
    .forEach((line, i) => {
      if (line.trim() === '') return;
      const [, pid, script] = /^(\d+) (\S+)/.exec(line) ?? [];
      if (script === undefined)
        throw new UserError(
          `${path}:${i + 1}: found '${line}', expected a process and a script (access.format = "%p %f")`,
        );
      scripts.get(Number(pid))?.push(basename(script));
    });
  return [...scripts.values()];
}

function textOf(path: string, sources: FleetSources): string {
  try {
    return sources.text(path);
  } catch (error) {
    throw new UserError((error as Error).message);
  }
}

/** Who did what and when is the recording's. */
export function recordedSchedule(
  workers: readonly RecordedParts[],
  untilUs: number,
): { schedule: Schedule; tasks: SlotTask[] } {
  const tasks = workers.map(({ requests, bornUs, endUs }): SlotTask => {
    const own = requests.filter(({ startUs }) => startUs < untilUs);
    return {
      startUs: Float64Array.from(own, (request) => request.startUs),
      endUs: Float64Array.from(own, (request) => request.endUs),
      request: Uint32Array.from(own, (_, i) => i),
      lives: [{ bornUs, endUs, first: 0, last: own.length }],
    };
  });
  const count = tasks.reduce((sum, { request }) => sum + request.length, 0);
  return {
    schedule: {
      slots: [],
      refused: 0,
      refusedUs: undefined,
      unserved: 0,
      waitUs: new Float64Array(count),
      mostBusy: mostAtOnce(tasks),
    },
    tasks,
  };
}

function mostAtOnce(tasks: readonly SlotTask[]): number {
  const changes = tasks.flatMap(({ startUs, endUs }) => [
    ...Array.from(startUs, (us) => ({ us, by: 1 })),
    ...Array.from(endUs, (us) => ({ us, by: -1 })),
  ]);
  // One that ends makes room for one that begins at the same time.
  changes.sort((x, y) => x.us - y.us || x.by - y.by);
  let busy = 0;
  let most = 0;
  for (const { by } of changes) {
    busy += by;
    most = Math.max(most, busy);
  }
  return most;
}

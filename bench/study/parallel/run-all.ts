import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { UserError } from '../../../sim/contract/assert.ts';
import type { ReportRun } from '../../report/report-run.ts';
import { pluginFiles } from '../../run/plugin-files.ts';
import { BatchInterrupted } from './finished.ts';
import { type RunTask, runTask } from './run-task.ts';
import type { TaskOutcome } from './worker.ts';

export interface RunAllOptions {
  /** Worker threads; 0 runs everything here, one after another. Default: as many as there are processors or tasks. */
  readonly workers?: number;
  /** Called after each run with the number of those that are done. */
  readonly onDone?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Workers that are kept from batch to batch. */
export interface Runner {
  /** Results in the order of the tasks. Throws BatchInterrupted, with what had finished, where the signal comes first. */
  run(tasks: readonly RunTask[]): Promise<ReportRun[]>;
  close(): Promise<void>;
}

/** Workers are started from the built files, where there are any. */
const WORKER = fileURLToPath(
  new URL(
    import.meta.url.includes('/dist/') ? './worker.js' : '../../../dist/bench/study/parallel/worker.js',
    import.meta.url,
  ),
);

/**
 * A worker that has executed so many events gets no further task: the second machine that it builds makes the host's compiler give up what
 * it knew of the first one, and the same run takes 1.5 to 2 times as long. A new worker costs a tenth of a second.
 */
const WORN_EVENTS = 1e6;

/**
 * So long a worker has nothing to do before it is ended: the host's compiler may still be at work for it in the background, and Node 20 dies
 * where that needs memory of a worker that is no more (`NodePlatform::GetForegroundTaskRunner`, seen once in some thousand workers).
 */
const REST_MS = 100;

interface Lane {
  pool: Piscina<RunTask, TaskOutcome>;
  executed: number;
}

async function retire(pool: Piscina<RunTask, TaskOutcome>): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  await pool.destroy();
}

const createPool = () =>
  new Piscina<RunTask, TaskOutcome>({
    filename: WORKER,
    minThreads: 1,
    maxThreads: 1,
    workerData: { plugins: pluginFiles() },
  });

/** A run is alone in its machine, so the number of workers changes no figure but the engine's. */
export function createRunner(options: RunAllOptions = {}): Runner {
  const { workers = availableParallelism(), onDone, signal } = options;
  let done = 0;
  const finished = (run: ReportRun, total: number): ReportRun => {
    onDone?.(++done, total);
    return run;
  };
  if (workers <= 1 || !existsSync(WORKER)) {
    return {
      async run(tasks) {
        const runs: ReportRun[] = [];
        for (const task of tasks) {
          const run = signal?.aborted ? undefined : await runTask(task, signal);
          if (!run || run.result.partial) throw new BatchInterrupted(tasks.map((_, i) => runs[i]));
          runs.push(finished(run, tasks.length));
        }
        return runs;
      },
      close: async () => {},
    };
  }
  const lanes: Lane[] = [];
  const retired: Promise<void>[] = [];

  async function execute(lane: Lane, task: RunTask): Promise<ReportRun> {
    const events = task.events.length;
    if (lane.executed > 0 && lane.executed + events > WORN_EVENTS) {
      retired.push(retire(lane.pool));
      lane.pool = createPool();
      lane.executed = 0;
    }
    lane.executed += events;
    const outcome = await lane.pool.run(task, signal ? { signal } : {});
    if ('userError' in outcome) throw new UserError(outcome.userError);
    return outcome.run;
  }

  return {
    async run(tasks) {
      const runs = new Array<ReportRun>(tasks.length);
      let next = 0;
      while (lanes.length < Math.min(workers, tasks.length)) lanes.push({ pool: createPool(), executed: 0 });
      try {
        await Promise.all(
          lanes.map(async (lane) => {
            for (let i = next++; i < tasks.length; i = next++) {
              runs[i] = finished(await execute(lane, tasks[i]!), tasks.length);
            }
          }),
        );
      } catch (error) {
        next = tasks.length; // the others end with the tasks that they have
        if (signal?.aborted) throw new BatchInterrupted(runs);
        throw error;
      }
      return runs;
    },
    close: async () => {
      await Promise.all([...retired, ...lanes.map((lane) => retire(lane.pool))]);
    },
  };
}

/** Runs every task, in parallel; results in the order of the tasks. */
export async function runAll(tasks: readonly RunTask[], options: RunAllOptions = {}): Promise<ReportRun[]> {
  const { workers = availableParallelism() } = options;
  const runner = createRunner({ ...options, workers: Math.min(tasks.length, workers) });
  try {
    return await runner.run(tasks);
  } finally {
    await runner.close();
  }
}

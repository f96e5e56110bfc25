import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { UserError } from '../../sim/assert.ts';
import type { ReportRun } from '../report/build-page.ts';
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
  /** Results in the order of the tasks. */
  run(tasks: readonly RunTask[]): Promise<ReportRun[]>;
  close(): Promise<void>;
}

/** Workers are started from the built files, where there are any. */
const WORKER = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? './worker.js' : '../../dist/bench/parallel/worker.js', import.meta.url),
);

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
          if (signal?.aborted) throw new UserError('interrupted');
          runs.push(finished(await runTask(task, signal), tasks.length));
        }
        return runs;
      },
      close: async () => {},
    };
  }
  const pool = new Piscina<RunTask, TaskOutcome>({ filename: WORKER, minThreads: 1, maxThreads: workers });
  return {
    async run(tasks) {
      try {
        return await Promise.all(
          tasks.map(async (task) => {
            const outcome = await pool.run(task, signal ? { signal } : {});
            if ('userError' in outcome) throw new UserError(outcome.userError);
            return finished(outcome.run, tasks.length);
          }),
        );
      } catch (error) {
        if (signal?.aborted) throw new UserError('interrupted');
        throw error;
      }
    },
    close: () => pool.destroy(),
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

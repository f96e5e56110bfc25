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

/** Workers are started from the built files, where there are any. */
const WORKER = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? './worker.js' : '../../dist/bench/parallel/worker.js', import.meta.url),
);

/**
 * Runs every task, in parallel; results in the order of the tasks. A run is alone in its machine, so the number of
 * workers changes no figure but the engine's.
 */
export async function runAll(tasks: readonly RunTask[], options: RunAllOptions = {}): Promise<ReportRun[]> {
  const { workers = Math.min(tasks.length, availableParallelism()), onDone, signal } = options;
  let done = 0;
  const finished = (run: ReportRun): ReportRun => {
    onDone?.(++done, tasks.length);
    return run;
  };
  if (workers <= 1 || !existsSync(WORKER)) {
    const runs: ReportRun[] = [];
    for (const task of tasks) {
      if (signal?.aborted) throw new UserError('interrupted');
      runs.push(finished(await runTask(task, signal)));
    }
    return runs;
  }
  const pool = new Piscina<RunTask, TaskOutcome>({ filename: WORKER, minThreads: workers, maxThreads: workers });
  try {
    return await Promise.all(
      tasks.map(async (task) => {
        const outcome = await pool.run(task, signal ? { signal } : {});
        if ('userError' in outcome) throw new UserError(outcome.userError);
        return finished(outcome.run);
      }),
    );
  } catch (error) {
    if (signal?.aborted) throw new UserError('interrupted');
    throw error;
  } finally {
    await pool.destroy();
  }
}

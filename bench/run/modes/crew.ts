import { Worker } from 'node:worker_threads';
import { Interrupted } from '../../../sim/contract/assert.ts';

export interface CrewOptions<Task> {
  /** The file that each worker runs; it posts one message, its report. */
  readonly file: URL;
  /** One worker for each. */
  readonly tasks: readonly Task[];
  /** Tells the workers that the run is given up: those that wait for each other must look. */
  readonly abort: () => void;
  /** Called every so often; a text ends the run with that error. */
  readonly look: () => string | undefined;
  /** Whether the run was given up from outside: then nobody needs to report. */
  readonly interrupted: () => boolean;
}

const LOOK_MS = 20;
const GRACE_MS = 2000;
/** A worker that has not heard of an interruption by then has not begun. */
const INTERRUPT_GRACE_MS = 400;

/**
 * Workers that belong together: the run is over when each has reported, and has failed as soon as one of them fails,
 * whatever the others wait for. Never hangs: who does not stop by itself is ended. Throws Interrupted where it was given up
 * before everybody could report.
 */
export async function runCrew<Task, Report>(options: CrewOptions<Task>): Promise<Report[]> {
  const { file, tasks, abort, look, interrupted } = options;
  const reports: (Report | undefined)[] = tasks.map(() => undefined);
  const workers: Worker[] = [];
  let failure: Error | undefined;
  const start = (task: Task, i: number) => {
    const worker = new Worker(file, { workerData: task });
    workers.push(worker);
    worker.on('message', (report: Report) => {
      reports[i] = report;
    });
    return new Promise<void>((resolve) => {
      worker.on('error', (error) => {
        failure ??= error;
        abort();
      });
      worker.on('exit', (code) => {
        if (reports[i] === undefined && !interrupted()) {
          failure ??= new Error(`worker ${i} ended with exit code ${code} before its work was done`);
          abort();
        }
        resolve();
      });
    });
  };

  let failedAt = 0;
  const watch = setInterval(() => {
    const complaint = failure ? undefined : look();
    if (complaint !== undefined) {
      failure = new Error(complaint);
      abort();
    }
    if (!failure && !interrupted()) return;
    failedAt ||= performance.now();
    if (performance.now() - failedAt > (failure ? GRACE_MS : INTERRUPT_GRACE_MS))
      for (const worker of workers) void worker.terminate();
  }, LOOK_MS);
  try {
    const exits: Promise<void>[] = [];
    for (const [i, task] of tasks.entries()) {
      if (failure || interrupted()) break;
      exits.push(start(task, i));
      await new Promise((resolve) => setImmediate(resolve)); // a signal is heard, and a failure
    }
    await Promise.all(exits);
  } finally {
    clearInterval(watch);
  }
  if (failure) throw failure;
  if (reports.includes(undefined)) throw new Interrupted('interrupted');
  return reports as Report[];
}

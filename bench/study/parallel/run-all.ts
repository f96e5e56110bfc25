import { availableParallelism } from 'node:os';
import { Interrupted } from '../../../sim/contract/assert.ts';
import { counted } from '../../../sim/contract/format.ts';
import { createMemoryGate, type MemoryGate } from '../../../workloads/files/memory-gate.ts';
import type { WaitingTask } from './choose-task.ts';
import { type Executor, RunCrashed } from './executor.ts';
import { BatchFailed, BatchInterrupted } from './finished.ts';
import { type FinishedRuns, openFinishedRuns } from './finished-runs.ts';
import { createInline } from './inline.ts';
import { createLanes, hasThreads, startAhead } from './lanes.ts';
import type { RunTask } from './run-task.ts';
import { type OutcomeOf, type Task, taskText } from './task.ts';

export interface RunAllOptions {
  /** Worker threads; 0 runs everything here, one after another. Default: as many as there are processors or tasks. */
  readonly workers?: number;
  /** Called after each run with the number of those that are done. */
  readonly onDone?: (done: number, total: number) => void;
  /** Called for each run that died with what executed it; the others go on. */
  readonly onFailed?: (line: string) => void;
  /** Called with lines about the engine: a connection that is lost, nobody who works. */
  readonly onNote?: (line: string) => void;
  readonly signal?: AbortSignal;
  /** redis://… or rediss://…: workers behind this queue make the runs, and no thread of this process. */
  readonly engine?: string;
  /** Where the traces are that workers fetch (a folder, http(s)://…, s3://…); default: the engine itself. */
  readonly store?: string;
  /**
   * Of runs that have finished: kept in the cache, so that another batch can take them; `true`: and taken from there. Without
   * it, of a batch of this process nothing is kept. Behind a queue they are always kept there.
   */
  readonly resume?: boolean;
  /** Of a fleet that runs here: between 0 and 1. */
  readonly onProgress?: (share: number) => void;
}

/** Tasks in their order; they may be made one by one, as they are needed. */
export type TaskSource<T extends Task = RunTask> = Iterable<T> | AsyncIterable<T>;

/** Workers that are kept from batch to batch. Batches at the same time share them: one queue, in the order in which tasks come. */
export interface Runner {
  /**
   * Results in the order of the tasks. Throws BatchInterrupted, with what had finished, where the signal comes first, and
   * BatchFailed where runs died with what executed them.
   */
  run<T extends Task>(tasks: readonly T[]): Promise<OutcomeOf<T>[]>;
  /** The same for tasks that are made as they are needed; of each run only what `keep` makes of it is held. */
  runKeeping<T extends Task, K>(tasks: TaskSource<T>, total: number, keep: (run: OutcomeOf<T>) => K): Promise<K[]>;
  /** What still waits is not begun. */
  close(): Promise<void>;
}

/** A run is alone in its machine, so neither the number of workers nor their place changes any figure but the engine's. */
export function createRunner(options: RunAllOptions = {}): Runner {
  return runnerFor(options, false);
}

function runnerFor(options: RunAllOptions, isOneBatch: boolean): Runner {
  const { onDone, onFailed, signal } = options;
  let opened: Promise<Opened> | undefined;
  if (isOneBatch) {
    opened = open(options, true);
    opened.catch(() => {}); // thrown where it is waited for
  }
  let done = 0;
  let isClosed = false;

  async function runKeeping<T extends Task, K>(
    tasks: TaskSource<T>,
    total: number,
    keep: (run: OutcomeOf<T>) => K,
  ): Promise<K[]> {
    opened ??= open(options, isOneBatch);
    const { executor, finishedRuns, gate } = await opened;
    const next = taskQueue(tasks);
    const kept: K[] = [];
    const failures: string[] = [];
    /** Nobody waits for them before the end. */
    const puts: Promise<void>[] = [];
    const put = (task: T, run: OutcomeOf<T>): void => {
      const putting = finishedRuns.put(task, run);
      putting.catch(() => {}); // thrown at the end
      puts.push(putting);
    };

    /** Takes a task and executes it; false where there is none left. */
    async function executeNext(): Promise<boolean> {
      const at = await next.take();
      if (!at) return false;
      await gate.run(async (endBy) => {
        if (signal?.aborted || isClosed) throw new Interrupted('interrupted');
        try {
          const taken = await finishedRuns.get(at.task);
          const run = taken ?? (await executor.execute(at.task, endBy));
          // What the signal ended before its time is told, but it is no run that has finished.
          if (!taken && !signal?.aborted) put(at.task, run);
          kept[at.index] = keep(run);
          onDone?.(++done, total);
        } catch (error) {
          if (!(error instanceof RunCrashed)) throw error;
          const line = `${taskText(at.task)}: ${error.message}`;
          failures.push(line);
          onFailed?.(line);
        }
      }, executor.order?.about(at.task));
      return true;
    }

    async function pull(): Promise<void> {
      while (await executeNext());
    }

    try {
      await Promise.all(Array.from({ length: Math.min(executor.width, total) }, pull));
      if (isOneBatch && failures.length === 0) finishedRuns.giveUp();
    } catch (error) {
      next.end(); // the others end with the tasks that they have
      if (signal?.aborted) throw new BatchInterrupted(padded(kept, total));
      throw error;
    } finally {
      await Promise.all(puts);
    }
    if (failures.length > 0) throw new BatchFailed(padded(kept, total), failures);
    return kept;
  }

  return {
    run: (tasks) => runKeeping(tasks, tasks.length, (run) => run),
    runKeeping,
    async close() {
      isClosed = true;
      await (await opened?.catch(() => undefined))?.executor.close();
    },
  };
}

const padded = <T>(kept: readonly (T | undefined)[], total: number): (T | undefined)[] =>
  Array.from({ length: Math.max(total, kept.length) }, (_, i) => kept[i]);

/**
 * For one batch, threads start while the first task is made, and this one takes a run as well; whoever keeps a runner has
 * other work for this thread.
 */
async function open(options: RunAllOptions, isOneBatch: boolean): Promise<Opened> {
  const { engine, workers = availableParallelism() } = options;
  if (engine !== undefined) {
    const { createQueueExecutor } = await import('../engine/queue-executor.ts');
    const queue = await createQueueExecutor({ ...options, engine });
    return { executor: queue, finishedRuns: NOTHING_KEPT, gate: createMemoryGate(queue.width) };
  }
  const { resume, onNote } = options;
  const tellFewer = (width: number) => onNote?.(`memory runs short: from now on ${counted(width, 'run')} at a time`);
  const started = isOneBatch && !resume ? workers - 1 : 0;
  const usesOwn = isOneBatch || workers === 1;
  const hasLanes = workers >= 1 && hasThreads();
  const executor = hasLanes ? createLanes(workers, { ...options, started, usesOwn }) : createInline(options);
  const finishedRuns = resume === undefined ? NOTHING_KEPT : openFinishedRuns(resume);
  const gateOptions = { onFewer: tellFewer, choose: executor.order?.choose };
  return { executor, finishedRuns, gate: createMemoryGate(executor.width, gateOptions) };
}

interface Opened {
  readonly executor: Executor;
  readonly finishedRuns: FinishedRuns;
  readonly gate: MemoryGate<WaitingTask | undefined>;
}

const NOTHING_KEPT: FinishedRuns = { get: async () => undefined, put: async () => {}, giveUp: () => {} };

/** Hands the tasks out one by one, in their order, to whoever asks. */
function taskQueue<T extends Task>(tasks: TaskSource<T>) {
  const iterator = Symbol.asyncIterator in tasks ? tasks[Symbol.asyncIterator]() : tasks[Symbol.iterator]();
  let index = 0;
  let ended = false;
  let turn: Promise<unknown> = Promise.resolve();
  async function takeNext(): Promise<{ readonly index: number; readonly task: T } | undefined> {
    if (ended) return undefined;
    const { done, value } = await iterator.next();
    if (done) ended = true;
    return done ? undefined : { index: index++, task: value };
  }
  return {
    take() {
      const mine = turn.then(takeNext);
      turn = mine.catch(() => undefined);
      return mine;
    },
    end: () => void (ended = true),
  };
}

/** Runs every task, in parallel; results in the order of the tasks. */
export async function runAll<T extends Task>(
  tasks: readonly T[],
  options: RunAllOptions = {},
): Promise<OutcomeOf<T>[]> {
  return runKeeping(tasks, tasks.length, (run) => run, options);
}

/** Runs every task, and holds of each run only what `keep` makes of it. */
export async function runKeeping<T extends Task, K>(
  tasks: TaskSource<T>,
  total: number,
  keep: (run: OutcomeOf<T>) => K,
  options: RunAllOptions = {},
): Promise<K[]> {
  const runner = startBatch(total, options);
  try {
    return await runner.runKeeping(tasks, total, keep);
  } finally {
    await runner.close();
  }
}

/**
 * For one batch of so many runs, at most: threads start at once, beside whatever makes the tasks, and load the models of `allocators`, which
 * the first tasks are for.
 */
export function startBatch(most: number, options: RunAllOptions = {}, allocators: readonly string[] = []): Runner {
  const { engine, resume, workers = availableParallelism() } = options;
  const width = Math.min(most, workers);
  if (engine === undefined && !resume && width > 1) {
    startAhead(allocators.slice(0, width - 1).map((allocator) => ({ kind: 'run', allocator })));
  }
  return runnerFor({ ...options, workers: width }, true);
}

import type { Argv } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import { BatchFailed } from '../study/parallel/finished.ts';
import type { RunAllOptions } from '../study/parallel/run-all.ts';
import { type AnswerArguments, answerOptions } from './answer-options.ts';
import { listenForInterrupt } from './interruption.ts';
import { positive } from './positive-option.ts';
import { startRunProgress } from './run-progress.ts';

/** Where runs are made. */
export interface EngineArguments {
  workers: number | undefined;
  engine: string | undefined;
  store: string | undefined;
  resume: boolean;
}

/** Of every command that makes many runs. */
export interface BatchArguments extends EngineArguments, AnswerArguments {}

export function engineOptions<T>(yargs: Argv<T>): Argv<T & EngineArguments> {
  return yargs
    .option('workers', { type: 'number', describe: 'worker threads; default: one a processor' })
    .option('engine', {
      type: 'string',
      describe: 'redis://HOST or rediss://HOST: runs are made by every `sim worker` there, and not here',
    })
    .option('store', {
      type: 'string',
      describe: 'with --engine: where traces lie for workers (a folder, http(s)://…, s3://…); default: the engine',
    })
    .option('resume', {
      type: 'boolean',
      default: false,
      describe: 'take the runs that had finished when the same command was ended',
    }) as unknown as Argv<T & EngineArguments>;
}

export function batchOptions<T>(yargs: Argv<T>): Argv<T & BatchArguments> {
  return answerOptions(engineOptions(yargs));
}

/** Throws a UserError where the options contradict each other. */
export function checkPlace({ workers, engine, store }: Partial<EngineArguments>): void {
  if (workers !== undefined) positive('workers', workers);
  if (workers !== undefined && engine !== undefined) {
    throw new UserError(
      'found both --workers and --engine, expected one of them: workers have their own --concurrency',
    );
  }
  if (store !== undefined && engine === undefined)
    throw new UserError('--store: found no --engine, expected it with one');
}

/** So many failed runs are told one by one. */
const FAILURES_TOLD = 5;
/** Where runs died with what executed them: no result of the user's mistakes, and no interruption. */
const FAILED = 1;

/** Makes `total` runs with a bar that counts them; Ctrl-C ends them: what had finished is told. */
export async function inBatch<T>(
  { workers, engine, store, resume }: Partial<EngineArguments>,
  total: number,
  work: (options: RunAllOptions) => Promise<T>,
  start = startRunProgress,
): Promise<T> {
  checkPlace({ workers, engine, store });
  const progress = await start(total);
  const interruption = listenForInterrupt();
  let failed = 0;
  try {
    return await work({
      onDone: () => progress.done(),
      onFailed(line) {
        progress.failed();
        if (++failed <= FAILURES_TOLD) progress.note(line);
        process.exitCode ??= FAILED;
      },
      onNote: progress.note,
      onProgress: progress.share,
      signal: interruption.signal,
      resume: resume ?? false,
      ...(workers !== undefined && { workers }),
      ...(engine !== undefined && { engine }),
      ...(store !== undefined && { store }),
    });
  } catch (error) {
    if (error instanceof BatchFailed) throw new UserError('no run came to its end');
    throw error;
  } finally {
    if (failed > FAILURES_TOLD) progress.note(`${failed - FAILURES_TOLD} more runs failed`);
    progress.stop();
    interruption.release();
  }
}

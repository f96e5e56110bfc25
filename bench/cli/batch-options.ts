import type { Argv } from 'yargs';
import type { RunAllOptions } from '../study/parallel/run-all.ts';
import { listenForInterrupt } from './interruption.ts';
import { positive } from './positive-option.ts';
import { startProgress } from './progress.ts';

/** Of every command that makes many runs. */
export interface BatchArguments {
  workers: number | undefined;
  json: string | undefined;
}

export function batchOptions<T>(yargs: Argv<T>): Argv<T & BatchArguments> {
  return yargs
    .option('workers', { type: 'number', describe: 'worker threads; default: one a processor' })
    .option('json', {
      type: 'string',
      describe: 'everything as JSON, to FILE or to stdout (then nothing else)',
    }) as unknown as Argv<T & BatchArguments>;
}

/** Makes `total` runs with a bar that counts them; Ctrl-C ends them: what had finished is told. */
export async function inBatch<T>(
  { workers }: Pick<BatchArguments, 'workers'>,
  total: number,
  work: (options: RunAllOptions) => Promise<T>,
): Promise<T> {
  if (workers !== undefined) positive('workers', workers);
  const progress = await startProgress(total, 'runs');
  const interruption = listenForInterrupt();
  let done = 0;
  try {
    return await work({
      onDone: () => progress.update(++done),
      signal: interruption.signal,
      ...(workers !== undefined && { workers }),
    });
  } finally {
    progress.stop();
    interruption.release();
  }
}

import { Interrupted, UserError } from '../../sim/contract/assert.ts';
import { answer, writeData } from '../cli/answer.ts';
import type { AnswerArguments } from '../cli/answer-options.ts';
import { inBatch } from '../cli/batch-options.ts';
import { type MachineArguments, prepare } from '../cli/run-options.ts';
import { type TimeArguments, timing } from '../cli/time-options.ts';
import type { RunResult } from '../run/result.ts';
import { runInMode } from '../run/run-in-mode.ts';
import type { RunOptions } from '../run/run-options.ts';
import { timeSource } from '../run/time-source.ts';
import { orFinished } from '../study/parallel/finished.ts';
import { type RunAllOptions, runAll } from '../study/parallel/run-all.ts';
import type { RunTask } from '../study/parallel/run-task.ts';
import { parseThreadCounts, scalingOf, scalingPoint, scalingText, withThreads } from '../study/scaling/scaling.ts';
import { scalingCsv } from '../study/tables.ts';

/** In the order of the runs asked for; nothing where a run had not finished. */
interface Outcome {
  readonly runs: readonly (RunResult | undefined)[];
  readonly partial: boolean;
}

/** Each on all of the host's processors. */
async function runInTurn(wanted: readonly RunOptions[], { signal, onDone }: RunAllOptions): Promise<Outcome> {
  const runs: RunResult[] = [];
  for (const options of wanted) {
    const run = await runInMode({ ...options, ...(signal && { signal }) });
    if (run.partial) return { runs, partial: true };
    runs.push(run);
    onDone?.(runs.length, wanted.length);
  }
  return { runs, partial: false };
}

/** Several at a time, the longest first. */
async function runAside(wanted: readonly RunOptions[], allocator: string, batch: RunAllOptions): Promise<Outcome> {
  const tasks = wanted.map(
    ({ spec: _, parameters = {}, mode = 'virtual', pace = 'asap', seed = 0, ...rest }): RunTask => {
      return { ...rest, parameters, mode, pace, seed, allocator };
    },
  );
  const { runs, partial } = await orFinished(runAll(tasks.reverse(), batch));
  return { runs: runs.map((run) => run?.result).reverse(), partial };
}

/** `sim run W --threads 1,2,4,…`: the same workload at each number of threads, on one machine. */
export async function runScaling(
  argv: MachineArguments & TimeArguments & AnswerArguments & { readonly quiet: boolean },
  list: string,
): Promise<void> {
  const counts = parseThreadCounts(list);
  if (argv.mode === 'lockstep') {
    throw new UserError('--threads: lockstep has no contention, expected --mode virtual or threads');
  }
  const cpus = argv.cpus ?? counts.at(-1)!;
  const wanted: RunOptions[] = [];
  for (const threads of counts) {
    const { options, time } = await prepare({ ...argv, cpus, workload: withThreads(argv.workload, threads) });
    wanted.push({ ...options, ...timing(argv, options.events, time) });
  }
  const { runs, partial } = await inBatch({ workers: undefined }, wanted.length, (batch) =>
    argv.mode === 'threads' ? runInTurn(wanted, batch) : runAside(wanted, argv.allocator ?? 'glibc', batch),
  );
  const points = runs.flatMap((run, i) => (run ? [scalingPoint(counts[i]!, run)] : []));
  const first = runs.find((run) => run !== undefined);
  if (first === undefined) throw new Interrupted('interrupted');
  const times = timeSource(first);
  const scaling = scalingOf(argv.workload, first.run.allocator, cpus, points, { partial, times });
  if (argv.quiet) writeData(argv, scaling, () => scalingCsv(scaling));
  else
    await answer(
      argv,
      scaling,
      () => scalingText(scaling),
      () => scalingCsv(scaling),
    );
}

import { UserError } from '../../sim/contract/assert.ts';
import { type MachineArguments, prepare } from '../cli/run-options.ts';
import { type TimeArguments, timing } from '../cli/time-options.ts';
import { terminalWidth } from '../cli/width.ts';
import { fitWidth } from '../report/text/fold.ts';
import { writeWhole } from '../run/line-sink.ts';
import type { RunResult } from '../run/result.ts';
import { runSession } from '../run/run-session.ts';
import type { SessionOptions } from '../run/session.ts';
import { runAll } from '../study/parallel/run-all.ts';
import type { RunTask } from '../study/parallel/run-task.ts';
import { scalingCsv } from '../study/tables.ts';
import { parseThreadCounts, scalingOf, scalingPoint, scalingText, withThreads } from '../study/scaling/scaling.ts';

/** Each on all of the host's processors. */
async function runInTurn(sessions: readonly SessionOptions[]): Promise<RunResult[]> {
  const results: RunResult[] = [];
  for (const session of sessions) results.push(await runSession(session));
  return results;
}

/** Several at a time, the longest first. */
async function runAside(sessions: readonly SessionOptions[], allocator: string): Promise<RunResult[]> {
  const tasks = sessions.map(
    ({ spec: _, parameters = {}, mode = 'virtual', pace = 'asap', seed = 0, ...session }): RunTask => {
      return { ...session, parameters, mode, pace, seed, allocator };
    },
  );
  const runs = await runAll(tasks.reverse());
  return runs.reverse().map((run) => run.result);
}

/** `sim run W --threads 1,2,4,…`: the same workload at each number of threads, on one machine. */
export async function runScaling(
  argv: MachineArguments &
    TimeArguments & { readonly json: string | undefined; readonly csv: string | undefined; readonly quiet: boolean },
  list: string,
): Promise<void> {
  const counts = parseThreadCounts(list);
  if (argv.mode === 'lockstep') {
    throw new UserError('--threads: lockstep has no contention, expected --mode virtual or threads');
  }
  const cpus = argv.cpus ?? counts.at(-1)!;
  const sessions: SessionOptions[] = [];
  for (const threads of counts) {
    const { session, time } = await prepare({ ...argv, cpus, workload: withThreads(argv.workload, threads) });
    sessions.push({ ...session, ...timing(argv, session.events, time) });
  }
  const results = argv.mode === 'threads' ? await runInTurn(sessions) : await runAside(sessions, argv.allocator);
  const points = results.map((result, i) => scalingPoint(counts[i]!, result));
  const allocator = results.at(-1)!.run.allocator;
  const scaling = scalingOf(argv.workload, allocator, cpus, points);
  if (argv.json !== undefined) writeWhole(argv.json || '-', JSON.stringify(scaling, null, 2));
  if (argv.csv !== undefined) writeWhole(argv.csv || '-', scalingCsv(scaling));
  if (argv.csv === '' || argv.csv === '-') return;
  if (!argv.quiet && argv.json !== '' && argv.json !== '-')
    process.stdout.write(fitWidth(scalingText(scaling), terminalWidth()));
}

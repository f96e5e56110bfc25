import { UserError } from '../sim/assert.ts';
import { writeWhole } from './line-sink.ts';
import { type MachineArguments, prepare } from './run-options.ts';
import { runSession } from './run-session.ts';
import { parseThreadCounts, type ScalingResult, scalingOf, scalingPoint, scalingText, withThreads } from './scaling.ts';
import { type TimeArguments, timing } from './time-options.ts';

/** `sim run W --threads 1,2,4,…`: the same workload at each number of threads, on one machine. */
export async function runScaling(
  argv: MachineArguments & TimeArguments & { readonly json: string | undefined; readonly quiet: boolean },
  list: string,
): Promise<void> {
  const counts = parseThreadCounts(list);
  if (argv.mode === 'lockstep') {
    throw new UserError('--threads: lockstep has no contention, expected --mode virtual or threads');
  }
  const cpus = argv.cpus ?? counts.at(-1)!;
  const points: ScalingResult[] = [];
  let allocator = argv.allocator;
  for (const threads of counts) {
    const { session } = await prepare({ ...argv, cpus, workload: withThreads(argv.workload, threads) });
    const result = await runSession({ ...session, ...timing(argv) });
    allocator = result.run.allocator;
    points.push(scalingPoint(threads, result));
  }
  const scaling = scalingOf(argv.workload, allocator, cpus, points);
  if (argv.json !== undefined) writeWhole(argv.json || '-', JSON.stringify(scaling, null, 2));
  if (!argv.quiet && argv.json !== '' && argv.json !== '-') process.stdout.write(scalingText(scaling));
}

import type { Argv, CommandModule } from 'yargs';
import { parseAllocator } from '../../allocators/spec.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { answer } from '../cli/answer.ts';
import { type BatchArguments, batchOptions, inBatch } from '../cli/batch-options.ts';
import { checkRuns, positive } from '../cli/positive-option.ts';
import { type MachineArguments, machineOptions } from '../cli/run-options.ts';
import { type TimeArguments, timeOptions } from '../cli/time-options.ts';
import { METRICS } from '../metrics/index.ts';
import { allocatorList } from '../study/compare/allocator-list.ts';
import { parseGrid } from '../study/sweep/grid.ts';
import { sweep } from '../study/sweep/sweep.ts';
import { sweepCsv, sweepText } from '../study/sweep/text.ts';
import { loadJudged } from './load-judged.ts';
import { loadOfSeeds } from './load-task.ts';

interface SweepArguments extends Omit<MachineArguments, 'cpus'>, TimeArguments, BatchArguments {
  allocators: string[] | undefined;
  grid: string[];
  cpus: string | undefined;
  seeds: number;
  at: string | undefined;
  metrics: string;
}

export const sweepCommand: CommandModule<object, SweepArguments> = {
  command: 'sweep <workload>',
  describe: 'a grid of runs: allocators × option values × processors × seeds',
  builder: (yargs: Argv) =>
    batchOptions(timeOptions(machineOptions(yargs)))
      .hide('allocator')
      .option('allocators', {
        type: 'string',
        array: true,
        nargs: 1,
        describe: 'A,B,… to combine with the grid; default: glibc, for a recording what it ran under',
      })
      .option('grid', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
        describe: 'option=value,value,…; may be given again',
      })
      .option('cpus', { type: 'string', describe: 'simulated processors, a list: 1,2,8,32' })
      .option('seeds', { type: 'number', default: 1, describe: 'so many seeds, from --seed on' })
      .option('metrics', {
        type: 'string',
        default: 'rssPeakBytes,rssBytes,virtualNs',
        describe: `what to show; ordered by the first: ${METRICS.map((m) => m.name).join(', ')}`,
      })
      .option('at', {
        type: 'string',
        describe:
          'up to there: a sample label, #N for event N, judged, peak, exit or end; default: a recording up to where explain judges it, all else to the end',
      })
      .example(
        '$0 sweep lanczos-32t --grid arena_max=1,2,4 --cpus 4,32  # 6 points',
        '',
      ) as unknown as Argv<SweepArguments>,
  handler: async (argv) => {
    const given = argv.allocators && allocatorList(argv.allocators);
    const grid = parseGrid(argv.grid);
    const cpus = argv.cpus === undefined ? undefined : cpuList(argv.cpus);
    positive('seeds', argv.seeds);
    for (const allocator of given ?? []) parseAllocator(allocator, 1);
    const points = grid.reduce((product, axis) => product * axis.values.length, 1);
    const total = (given?.length ?? 1) * points * (cpus?.length ?? 1) * argv.seeds;
    checkRuns(total);
    const load = (seed: number, allocator: string | undefined) =>
      loadJudged({ ...argv, cpus: cpus?.[0], allocator, seed }, argv.at);
    const first = await load(argv.seed, given?.[0]);
    const allocators = given ?? [first.recorded];
    const result = await inBatch(argv, total, (batch) =>
      sweep({
        ...batch,
        load: loadOfSeeds(
          argv.workload,
          async (seed) => (seed === argv.seed ? first : await load(seed, allocators[0])).task,
        ),
        moment: first.moment,
        allocators,
        grid,
        ...(cpus && { cpus }),
        seeds: Array.from({ length: argv.seeds }, (_, i) => argv.seed + i),
        metrics: argv.metrics.split(','),
      }),
    );
    await answer(
      argv,
      result,
      (palette, width) => sweepText(result, palette, width),
      () => sweepCsv(result),
    );
  },
};

function cpuList(text: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part);
    if (!Number.isInteger(value) || value < 1 || value > 4096) {
      throw new UserError(`--cpus: found '${text}', expected numbers from 1 to 4096`);
    }
    return value;
  });
}

import type { Argv, CommandModule } from 'yargs';
import { parseAllocator } from '../../allocators/spec.ts';
import { UserError } from '../../sim/assert.ts';
import { splitAllocators } from '../compare/allocator-list.ts';
import { writeWhole } from '../line-sink.ts';
import { loadTask } from '../load-task.ts';
import { METRICS } from '../metrics/index.ts';
import { terminalPalette } from '../palette.ts';
import { positive } from '../positive-option.ts';
import { startProgress } from '../progress.ts';
import { type MachineArguments, machineOptions } from '../run-options.ts';
import { combinations, parseGridAxis } from '../sweep/grid.ts';
import { sweep } from '../sweep/sweep.ts';
import { sweepCsv, sweepText } from '../sweep/text.ts';
import { type TimeArguments, timeOptions } from '../time-options.ts';

interface SweepArguments extends Omit<MachineArguments, 'cpus'>, TimeArguments {
  allocators: string[];
  grid: string[];
  cpus: string | undefined;
  seeds: number;
  metrics: string;
  workers: number | undefined;
  json: string | undefined;
  csv: string | undefined;
}

export const sweepCommand: CommandModule<object, SweepArguments> = {
  command: 'sweep <workload>',
  describe: 'a grid of runs: allocators × option values × processors × seeds',
  builder: (yargs: Argv) =>
    timeOptions(machineOptions(yargs))
      .hide('allocator')
      .option('allocators', {
        type: 'string',
        array: true,
        default: ['glibc'],
        describe: 'A,B,… to combine with the grid',
      })
      .option('grid', {
        type: 'string',
        array: true,
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
      .option('workers', { type: 'number', describe: 'worker threads; default: one a processor' })
      .option('json', { type: 'string', describe: 'all points as JSON, to FILE or to stdout (then nothing else)' })
      .option('csv', { type: 'string', describe: 'all points as CSV to FILE' })
      .example(
        '$0 sweep lanczos-32t --grid arena_max=1,2,4,8 --grid mmap_threshold=128K,4M --cpus 4,32',
        '16 points',
      ) as unknown as Argv<SweepArguments>,
  handler: async (argv) => {
    const allocators = argv.allocators.flatMap(splitAllocators);
    const grid = argv.grid.map(parseGridAxis);
    const cpus = argv.cpus === undefined ? undefined : cpuList(argv.cpus);
    positive('seeds', argv.seeds);
    if (argv.workers !== undefined) positive('workers', argv.workers);
    for (const allocator of allocators) parseAllocator(allocator, 1);
    const total = allocators.length * combinations(grid).length * (cpus?.length ?? 1) * argv.seeds;
    const progress = startProgress(total, 'runs');
    const controller = new AbortController();
    const interrupt = () => controller.abort();
    process.once('SIGINT', interrupt);
    try {
      const result = await sweep({
        load: (seed) => loadTask({ ...argv, cpus: cpus?.[0], allocator: allocators[0]!, seed }),
        allocators,
        grid,
        ...(cpus && { cpus }),
        seeds: Array.from({ length: argv.seeds }, (_, i) => argv.seed + i),
        metrics: argv.metrics.split(','),
        ...(argv.workers !== undefined && { workers: argv.workers }),
        onDone: progress.update,
        signal: controller.signal,
      });
      progress.stop();
      if (argv.csv) writeWhole(argv.csv, sweepCsv(result));
      if (argv.json !== undefined) writeWhole(argv.json || '-', JSON.stringify(result, null, argv.json ? 1 : 2));
      if (argv.json === undefined || (argv.json !== '' && argv.json !== '-')) {
        process.stdout.write(sweepText(result, await terminalPalette()));
      }
    } finally {
      progress.stop();
      process.off('SIGINT', interrupt);
    }
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

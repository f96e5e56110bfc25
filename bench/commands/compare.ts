import type { Argv, CommandModule } from 'yargs';
import { parseAllocator } from '../../allocators/spec.ts';
import type { EventBuffer } from '../../sim/event.ts';
import { splitAllocators } from '../compare/allocator-list.ts';
import { compare } from '../compare/compare.ts';
import { comparisonText } from '../compare/text.ts';
import { writeWhole } from '../line-sink.ts';
import { terminalPalette } from '../palette.ts';
import { loadTask } from '../load-task.ts';
import { positive } from '../positive-option.ts';
import { startProgress } from '../progress.ts';
import { drawPictures, type PictureArguments, pictureOptions, wantsRecording } from '../report/picture-options.ts';
import { type MachineArguments, machineOptions } from '../run-options.ts';
import { type TimeArguments, timeOptions } from '../time-options.ts';

interface CompareArguments extends MachineArguments, TimeArguments, PictureArguments {
  allocators: string[];
  seeds: number;
  workers: number | undefined;
  json: string | undefined;
}

export const compareCommand: CommandModule<object, CompareArguments> = {
  command: 'compare <workload>',
  describe: 'the same workload under several allocators, side by side',
  builder: (yargs: Argv) =>
    pictureOptions(timeOptions(machineOptions(yargs)))
      .hide('allocator')
      .option('allocators', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'A,B,… with versions and options; ratios refer to the first',
      })
      .option('seeds', { type: 'number', default: 1, describe: 'so many seeds, from --seed on: median and range' })
      .option('workers', { type: 'number', describe: 'worker threads; default: one a processor' })
      .option('json', {
        type: 'string',
        describe: 'comparison and all results as JSON, to FILE or to stdout (then nothing else)',
      }) as unknown as Argv<CompareArguments>,
  handler: async (argv) => {
    const allocators = argv.allocators.flatMap(splitAllocators);
    for (const allocator of allocators) parseAllocator(allocator, argv.cpus ?? 1);
    positive('seeds', argv.seeds);
    if (argv.workers !== undefined) positive('workers', argv.workers);
    const record = wantsRecording(argv);
    let events: EventBuffer | undefined;
    const progress = startProgress(allocators.length * argv.seeds, 'runs');
    const controller = new AbortController();
    const interrupt = () => controller.abort();
    process.once('SIGINT', interrupt);
    try {
      const { comparison, runs, recorded } = await compare({
        load: async (seed) => {
          const task = await loadTask({ ...argv, allocator: allocators[0]!, seed });
          events ??= task.events;
          return { ...task, record };
        },
        allocators,
        seeds: Array.from({ length: argv.seeds }, (_, i) => argv.seed + i),
        ...(argv.workers !== undefined && { workers: argv.workers }),
        onDone: progress.update,
        signal: controller.signal,
      });
      progress.stop();
      const first = recorded.map((column) => column[0]!);
      const plot = record ? drawPictures(argv, first, events!) : '';
      if (argv.json !== undefined) {
        writeWhole(argv.json || '-', JSON.stringify({ ...comparison, runs }, null, argv.json ? 1 : 2));
      }
      if (argv.json === undefined || (argv.json !== '' && argv.json !== '-')) {
        process.stdout.write(comparisonText(comparison, await terminalPalette()) + (plot && `\n${plot}`));
      }
    } finally {
      progress.stop();
      process.off('SIGINT', interrupt);
    }
  },
};

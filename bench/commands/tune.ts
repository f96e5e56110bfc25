import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../sim/assert.ts';
import { writeWhole } from '../line-sink.ts';
import { loadTask } from '../load-task.ts';
import { METRICS } from '../metrics/index.ts';
import { terminalPalette } from '../palette.ts';
import { positive } from '../positive-option.ts';
import { startProgress } from '../progress.ts';
import { type MachineArguments, machineOptions } from '../run-options.ts';
import { type TimeArguments, timeOptions } from '../time-options.ts';
import { tuneText } from '../tune/text.ts';
import { tune } from '../tune/tune.ts';

interface TuneArguments extends MachineArguments, TimeArguments {
  minimize: string;
  keep: string[];
  options: string | undefined;
  budget: number;
  workers: number | undefined;
  json: string | undefined;
}

export const tuneCommand: CommandModule<object, TuneArguments> = {
  command: 'tune <workload>',
  describe: 'search over the allocator’s settings',
  builder: (yargs: Argv) =>
    timeOptions(machineOptions(yargs))
      .option('minimize', {
        type: 'string',
        default: 'rssPeakBytes',
        describe: `what to improve: ${METRICS.map((m) => m.name).join(', ')}`,
      })
      .option('keep', {
        type: 'string',
        array: true,
        default: [],
        describe: 'metric=percent: how much worse another figure may become; may be given again',
      })
      .option('options', { type: 'string', describe: 'only these options, a list; default: all' })
      .option('budget', { type: 'number', default: 200, describe: 'most runs to make' })
      .option('workers', { type: 'number', describe: 'worker threads; default: one a processor' })
      .option('json', { type: 'string', describe: 'the search as JSON, to FILE or to stdout (then nothing else)' })
      .example(
        '$0 tune lanczos-im6 --minimize rssBytes --keep virtualNs=10 --options mmap_threshold,arena_max',
        'less memory, at most a tenth slower',
      ) as unknown as Argv<TuneArguments>,
  handler: async (argv) => {
    positive('budget', argv.budget);
    if (argv.workers !== undefined) positive('workers', argv.workers);
    const keep = argv.keep.map(parseKeep);
    const progress = startProgress(argv.budget, 'runs');
    const controller = new AbortController();
    const interrupt = () => controller.abort();
    process.once('SIGINT', interrupt);
    let runs = 0;
    try {
      const result = await tune({
        task: { ...(await loadTask(argv)), seed: argv.seed },
        allocator: argv.allocator,
        objective: argv.minimize,
        keep,
        ...(argv.options !== undefined && { options: argv.options.split(',') }),
        budget: argv.budget,
        ...(argv.workers !== undefined && { workers: argv.workers }),
        onDone: () => progress.update(++runs),
        signal: controller.signal,
      });
      progress.stop();
      if (argv.json !== undefined) writeWhole(argv.json || '-', JSON.stringify(result, null, argv.json ? 1 : 2));
      if (argv.json === undefined || (argv.json !== '' && argv.json !== '-')) {
        process.stdout.write(tuneText(result, await terminalPalette()));
      }
    } finally {
      progress.stop();
      process.off('SIGINT', interrupt);
    }
  },
};

function parseKeep(text: string): { metric: string; percent: number } {
  const match = /^(\w+)=(\d+(?:\.\d+)?)%?$/.exec(text);
  if (!match) throw new UserError(`--keep: found '${text}', expected metric=percent`);
  return { metric: match[1]!, percent: Number(match[2]) };
}

import type { Argv, CommandModule } from 'yargs';
import { isBuiltIn } from '../../workloads/index.ts';
import { answer } from '../cli/answer.ts';
import { type BatchArguments, batchOptions, inBatch } from '../cli/batch-options.ts';
import { positive } from '../cli/positive-option.ts';
import { type MachineArguments, machineOptions } from '../cli/run-options.ts';
import { startSearchProgress } from '../cli/run-progress.ts';
import { type TimeArguments, timeOptions } from '../cli/time-options.ts';
import { METRICS } from '../metrics/index.ts';
import type { RunAllOptions } from '../study/parallel/run-all.ts';
import { tuneCsv } from '../study/tables.ts';
import { DEFAULT_BOUNDS, parseBound } from '../study/tune/bounds.ts';
import { tuneText } from '../study/tune/text.ts';
import { tune } from '../study/tune/tune.ts';
import { loadJudged } from './load-judged.ts';

interface TuneArguments extends MachineArguments, TimeArguments, BatchArguments {
  minimize: string | undefined;
  keep: string[];
  options: string | undefined;
  budget: number;
  at: string | undefined;
}

export const tuneCommand: CommandModule<object, TuneArguments> = {
  command: 'tune <workload>',
  describe: 'search over the allocator’s settings',
  builder: (yargs: Argv) =>
    batchOptions(timeOptions(machineOptions(yargs)))
      .option('minimize', {
        type: 'string',
        describe: `what to improve; default: where a moment is judged rssBytes, what is resident there, else rssPeakBytes; one of ${METRICS.filter(
          (m) => m.deterministic,
        )
          .map((m) => m.name)
          .join(', ')}`,
      })
      .option('keep', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
        describe: `metric=percent, or metric=any: how much worse another figure may become; default: ${DEFAULT_BOUNDS.map((b) => `${b.metric}=${b.percent}`).join(', ')}`,
      })
      .option('options', {
        type: 'string',
        describe: 'only these options, a list; default: those that people set in production',
      })
      .option('at', {
        type: 'string',
        describe:
          'judge there: a sample label, #N for event N, judged, peak, exit or end; default: a recording where explain judges it, all else at its end',
      })
      .option('budget', { type: 'number', default: 200, describe: 'most runs to make' })
      .example(
        '$0 tune lanczos-im6 --minimize rssBytes --keep virtualNs=5  # percent',
        '',
      ) as unknown as Argv<TuneArguments>,
  handler: async (argv) => {
    positive('budget', argv.budget);
    const keep = argv.keep.map(parseBound);
    const { task: loaded, recorded, moment, programNs } = await loadJudged(argv, argv.at);
    const task = { ...loaded, seed: argv.seed };
    const search = (batch: RunAllOptions) =>
      tune({
        ...batch,
        task,
        moment,
        programNs,
        ...(isBuiltIn(argv.workload) && {
          load: async (seed: number) => (await loadJudged({ ...argv, seed }, argv.at)).task,
        }),
        allocator: argv.allocator ?? recorded,
        objective: argv.minimize ?? (moment ? 'rssBytes' : 'rssPeakBytes'),
        keep,
        ...(argv.options !== undefined && { options: argv.options.split(',') }),
        budget: argv.budget,
      });
    const result = await inBatch(argv, argv.budget, search, startSearchProgress);
    await answer(
      argv,
      result,
      (palette, width) => tuneText(result, palette, width),
      () => tuneCsv(result),
    );
  },
};

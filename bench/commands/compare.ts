import type { Argv, CommandModule } from 'yargs';
import { formatAllocator, parseAllocator } from '../../allocators/spec.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { together } from '../../workloads/files/unfinished.ts';
import { answer } from '../cli/answer.ts';
import { type BatchArguments, batchOptions, inBatch } from '../cli/batch-options.ts';
import { interruptible, unlessInterrupted } from '../cli/interruption.ts';
import { checkRuns, positive } from '../cli/positive-option.ts';
import { isBuiltIn, type MachineArguments, machineOptions, prepare } from '../cli/run-options.ts';
import { requireSites } from '../cli/site-options.ts';
import { type TimeArguments, timeOptions } from '../cli/time-options.ts';
import { terminalWidth } from '../cli/width.ts';
import { type PictureArguments, pictureOptions, recordingFor } from '../report/picture-options.ts';
import { allocatorList } from '../study/compare/allocator-list.ts';
import { compare } from '../study/compare/compare.ts';
import { comparisonText } from '../study/compare/text.ts';
import { type JudgedMoment, upToMomentText } from '../study/judged-moment.ts';
import { comparisonCsv } from '../study/tables.ts';
import { loadJudged } from './load-judged.ts';
import { describeTask, loadOfSeeds, loadTask } from './load-task.ts';

interface CompareArguments extends MachineArguments, TimeArguments, PictureArguments, BatchArguments {
  allocators: string[];
  seeds: number;
  sites: boolean;
  at: string | undefined;
}

/** Nothing is wrong with one column, nor with two alike, but few mean it. */
function alikeText(allocators: readonly string[], seeds: number): string {
  const twice = new Set(allocators.filter((name, i) => allocators.indexOf(name) < i));
  const notes = [...twice].map((one) => `${one} is given more than once: its columns show the same.`);
  if (allocators.length === 1 && seeds === 1) {
    notes.push(`${allocators[0]} is alone: --allocators A,B holds others against it.`);
  }
  return notes.map((text) => `\n${text}`).join('');
}

/** For the pictures. */
const upToOf = (moment: JudgedMoment | null) => moment && { upTo: moment.about };

export const compareCommand: CommandModule<object, CompareArguments> = {
  command: 'compare <workload>',
  describe: 'the same workload under several allocators, side by side',
  builder: (yargs: Argv) =>
    batchOptions(pictureOptions(timeOptions(machineOptions(yargs))))
      .hide('allocator')
      .option('allocators', {
        type: 'string',
        array: true,
        nargs: 1,
        demandOption: true,
        describe: 'A,B,… with versions and options; ratios refer to the first',
      })
      .option('seeds', {
        type: 'number',
        default: 1,
        describe: 'so many seeds, from --seed on: median and range',
      })
      .option('at', {
        type: 'string',
        describe:
          'up to there: a sample label, #N for event N, judged, peak, exit or end; default: a recording up to where explain judges it, all else to the end',
      })
      .option('sites', {
        type: 'boolean',
        default: false,
        describe: 'whose memory it is under the first one, by line of code, and what differs under the others',
      }) as unknown as Argv<CompareArguments>,
  handler: async (argv) => {
    const allocators = allocatorList(argv.allocators);
    const full = allocators.map((allocator) => formatAllocator(parseAllocator(allocator, argv.cpus ?? 1)));
    positive('seeds', argv.seeds);
    checkRuns(allocators.length * argv.seeds);
    const record = recordingFor(argv);
    const prepared = argv.sites ? await prepare({ ...argv, allocator: allocators[0]! }) : undefined;
    const sitesOf = prepared?.options;
    const read = (await isBuiltIn(argv.workload)) ? undefined : prepared;
    if (sitesOf) requireSites(sitesOf.events, sitesOf.workload, '--sites');
    let events: EventBuffer | undefined;
    let moment: JudgedMoment | null = null;
    const { comparison, runs, recorded } = await inBatch(argv, allocators.length * argv.seeds, (batch) =>
      compare({
        ...batch,
        load: loadOfSeeds(argv.workload, async (seed) => {
          const given = { ...argv, allocator: allocators[0]!, seed, prepared: read };
          const judged = await loadJudged(given, argv.at);
          moment = judged.moment;
          if (!record) return judged.task;
          const load = read || !argv.engine || !events ? loadTask : describeTask;
          const task = judged.task.events ? judged.task : await load(given);
          events ??= task.events;
          return { ...task, record };
        }),
        allocators,
        seeds: Array.from({ length: argv.seeds }, (_, i) => argv.seed + i),
      }),
    );
    const first = recorded.map((column) => ({ ...column[0]!, ...upToOf(moment) }));
    const bySite = sitesOf && (await import('../study/compare/sites.ts'));
    const sites =
      bySite && !comparison.partial
        ? await interruptible((signal) => unlessInterrupted(bySite.compareSites(sitesOf!, allocators, argv.at, signal)))
        : undefined;
    await together(async () => {
      const pictures = record && (await import('../report/draw-pictures.ts'));
      const plot = pictures
        ? await interruptible((signal) => pictures.drawPictures(argv, first, events!, signal, terminalWidth()))
        : '';
      const told = {
        ...comparison,
        partial: comparison.partial || plot === undefined || (bySite !== undefined && !sites),
      };
      await answer(
        argv,
        { ...told, moment, runs, ...(sites && { sites }) },
        (palette, width) =>
          comparisonText(told, palette, width) +
          alikeText(full, argv.seeds) +
          upToMomentText(moment, width) +
          (sites ? `\n${bySite!.comparedSitesText(sites, palette)}` : '') +
          (plot && `\n${plot}`),
        () => comparisonCsv(comparison),
      );
    });
  },
};

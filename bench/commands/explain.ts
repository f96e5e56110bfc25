import { availableParallelism } from 'node:os';
import type { Argv, CommandModule } from 'yargs';
import { parseAllocator } from '../../allocators/spec.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { together } from '../../workloads/files/unfinished.ts';
import { answer } from '../cli/answer.ts';
import { type AnswerArguments, answerOptions } from '../cli/answer-options.ts';
import { interruptible, listenForInterrupt } from '../cli/interruption.ts';
import { startProgress } from '../cli/progress.ts';
import { type MachineArguments, machineOptions, prepare } from '../cli/run-options.ts';
import { checkSiteOptions, requireSites, type SiteArguments, siteOptions, wantsSites } from '../cli/site-options.ts';
import { changesSince } from '../report/sites/moved.ts';
import { explanationCsv } from '../study/explain/csv.ts';
import { explainInParallel } from '../study/explain/explain-in-parallel.ts';
import type { Explanation } from '../study/explain/explanation.ts';
import { diffText } from '../study/explain/heap/site-text.ts';
import { explanationText } from '../study/explain/text.ts';
import { startAhead } from '../study/parallel/lanes.ts';

interface ExplainArguments extends MachineArguments, SiteArguments, AnswerArguments {
  report: string | undefined;
  at: string | undefined;
  'what-if': boolean;
  areas: boolean;
  groups: number;
  'allow-work': number | undefined;
}

export const explainCommand: CommandModule<object, ExplainArguments> = {
  command: 'explain <workload>',
  describe: 'where the resident bytes are, and what keeps them there',
  builder: (yargs: Argv) =>
    answerOptions(siteOptions(machineOptions(yargs)), { json: 'the whole explanation', csv: 'its tables' })
      .option('at', {
        type: 'string',
        describe: 'a sample label, #N for event N, judged, peak, exit or end; default: judged, before the exit began',
      })
      .option('groups', { type: 'number', default: 10, describe: 'how many groups of pinning blocks to list' })
      .option('areas', { type: 'boolean', default: false, describe: 'list every heap, extent and slab of its own' })
      .option('what-if', { type: 'boolean', default: true, describe: 'run other settings too (--no-what-if: do not)' })
      .option('allow-work', {
        type: 'number',
        describe: 'advise what takes so many per cent more work, whatever it saves; default: as many as it saves',
      })
      .option('report', {
        type: 'string',
        describe: 'one HTML page with the verdict and every figure to FILE',
      }) as unknown as Argv<ExplainArguments>,
  handler: async (argv) => {
    if (!Number.isInteger(argv.groups) || argv.groups < 1) {
      throw new UserError(`--groups: found '${argv.groups}', expected a number from 1`);
    }
    const allowed = argv['allow-work'] ?? 0;
    if (!(allowed >= 0)) throw new UserError(`--allow-work: found '${allowed}', expected per cent, from 0`);
    const before = checkSiteOptions(argv);
    startThreads(argv.allocator);
    const { options } = await prepare(argv);
    if (wantsSites(argv)) requireSites(options.events, options.workload, 'what was asked for');
    const progress = await startProgress(100);
    const interruption = listenForInterrupt();
    const { signal } = interruption;
    let shown = 0; // more runs may turn out to be needed: the bar waits then
    let explanation: Explanation;
    try {
      explanation = await explainInParallel(
        {
          ...options,
          ...(argv.at !== undefined && { at: argv.at }),
          pinningGroups: argv.groups,
          whatIf: argv['what-if'],
          allowedWork: allowed / 100,
        },
        {
          signal,
          onDone: (done, total) => progress.update((shown = Math.max(shown, Math.floor((99 * done) / total)))),
        },
      );
    } finally {
      progress.stop();
      interruption.release();
    }
    await together(async () => {
      let told = explanation;
      if (argv.report) {
        const { writeReport } = await import('./explain-report.ts');
        const isWhole = !told.partial && (await interruptible((s) => writeReport(argv.report!, options, told, s)));
        if (!isWhole) told = { ...told, partial: true };
      }
      const sites = told.sites ?? [];
      if (wantsSites(argv)) {
        (await import('../cli/write-sites.ts')).writeSites(argv, options.workload, sites, told.moment.about);
      }
      await answer(
        argv,
        told,
        (palette, width) =>
          explanationText(told, palette, { everyArea: argv.areas, width }) +
          (before ? diffText(changesSince(before, sites), palette) : ''),
        () => explanationCsv(told),
      );
    });
  },
};

/** They load their code while the trace is read. */
function startThreads(allocator = 'glibc'): void {
  const workers = availableParallelism();
  if (workers === 1) return;
  parseAllocator(allocator, 1); // what is wrong with it is told at once
  const others = Array.from({ length: workers - 1 }, () => ({ kind: 'run' as const, allocator }));
  startAhead([{ kind: 'observe', allocator }, ...others]);
}

import { readFileSync } from 'node:fs';
import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import { writeBinary, writeWhole } from '../../workloads/files/line-sink.ts';
import { answer } from '../cli/answer.ts';
import { listenForInterrupt } from '../cli/interruption.ts';
import { startProgress } from '../cli/progress.ts';
import { type MachineArguments, machineOptions, prepare } from '../cli/run-options.ts';
import { buildPageData } from '../report/build-page.ts';
import { histogramsOf } from '../report/histograms.ts';
import { buildPage } from '../report/page-document.ts';
import { flamePage } from '../report/sites/flame.ts';
import { pprof } from '../report/sites/pprof.ts';
import { speedscope } from '../report/sites/speedscope.ts';
import { collapsed, diffStacks, parseCollapsed, type StackBytes } from '../report/sites/stacks.ts';
import { hasCallSites } from '../study/explain/by-site.ts';
import { explainInParallel } from '../study/explain/explain.ts';
import { diffText } from '../study/explain/site-text.ts';
import { explanationText } from '../study/explain/text.ts';
import { recordRun } from '../study/record.ts';

interface ExplainArguments extends MachineArguments {
  report: string | undefined;
  at: string | undefined;
  json: string | undefined;
  'what-if': boolean;
  areas: boolean;
  groups: number;
  flame: string | undefined;
  pprof: string | undefined;
  speedscope: string | undefined;
  collapsed: string | undefined;
  diff: string | undefined;
}

export const explainCommand: CommandModule<object, ExplainArguments> = {
  command: 'explain <workload>',
  describe: 'where the resident bytes are, and what keeps them there',
  builder: (yargs: Argv) =>
    machineOptions(yargs)
      .option('at', {
        type: 'string',
        describe: 'a sample label, #N for event N, peak, exit or end; default: before the exit began',
      })
      .option('groups', { type: 'number', default: 10, describe: 'how many groups of pinning blocks to list' })
      .option('areas', { type: 'boolean', default: false, describe: 'list every heap, extent and slab of its own' })
      .option('what-if', { type: 'boolean', default: true, describe: 'run other settings too (--no-what-if: do not)' })
      .option('report', { type: 'string', describe: 'one HTML page with the verdict and every figure to FILE' })
      .option('flame', { type: 'string', describe: 'a flame graph of resident bytes by call stack to FILE (HTML)' })
      .option('pprof', { type: 'string', describe: 'the same for go tool pprof, gzipped, to FILE' })
      .option('speedscope', { type: 'string', describe: 'the same for speedscope.app to FILE' })
      .option('collapsed', { type: 'string', describe: 'the same as collapsed stacks, a line each, to FILE' })
      .option('diff', {
        type: 'string',
        describe: 'what differs by call stack from FILE, written by --collapsed before',
      })
      .option('json', {
        type: 'string',
        describe: 'the whole explanation as JSON, to FILE or to stdout (then nothing else)',
      }) as unknown as Argv<ExplainArguments>,
  handler: async (argv) => {
    if (!Number.isInteger(argv.groups) || argv.groups < 1) {
      throw new UserError(`--groups: found '${argv.groups}', expected a number from 1`);
    }
    const before = argv.diff === undefined ? undefined : readStacks(argv.diff);
    const { session } = await prepare(argv);
    if (wantsSites(argv) && !hasCallSites(session.events)) {
      throw new UserError(
        `${session.workload}: has no call sites, which --flame, --pprof, --speedscope, --collapsed and --diff need`,
      );
    }
    const progress = await startProgress(100, '%');
    const interruption = listenForInterrupt();
    const explanation = await explainInParallel(
      {
        ...session,
        ...(argv.at !== undefined && { at: argv.at }),
        pinningGroups: argv.groups,
        whatIf: argv['what-if'],
      },
      {
        signal: interruption.signal,
        onDone: (done, total) => progress.update(Math.min(99, Math.round((100 * done) / total))),
      },
    ).finally(() => {
      progress.stop();
      interruption.release();
    });
    if (argv.report) {
      const { headline, sentences } = explanation.verdict;
      const run = await recordRun({ ...session, mode: 'lockstep' });
      const page = buildPageData([{ ...run, verdict: [headline, ...sentences] }], {
        histograms: histogramsOf(session.events),
      });
      writeWhole(argv.report, buildPage(page));
    }
    if (explanation.sites) writeSites(argv, session.workload, explanation.sites);
    await answer(
      argv.json,
      explanation,
      (palette, width) =>
        explanationText(explanation, palette, { everyArea: argv.areas, width }) +
        (before ? diffText(diffStacks(before, explanation.sites ?? []), palette) : ''),
    );
  },
};

type SiteArguments = Pick<ExplainArguments, 'flame' | 'pprof' | 'speedscope' | 'collapsed' | 'diff'>;

const wantsSites = ({ flame, pprof: profile, speedscope: scope, collapsed: lines, diff }: SiteArguments): boolean =>
  [flame, profile, scope, lines, diff].some((file) => file !== undefined);

function writeSites(argv: SiteArguments, name: string, stacks: readonly StackBytes[]): void {
  if (argv.flame) writeWhole(argv.flame, flamePage(name, stacks));
  if (argv.pprof) writeBinary(argv.pprof, pprof(stacks));
  if (argv.speedscope) writeWhole(argv.speedscope, speedscope(name, stacks));
  if (argv.collapsed) writeWhole(argv.collapsed, collapsed(stacks));
}

function readStacks(file: string): StackBytes[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`--diff: ${(error as Error).message}`);
  }
  const stacks = parseCollapsed(text);
  if (!stacks) throw new UserError(`${file}: expected lines as --collapsed writes them, class;frame;frame BYTES`);
  return stacks;
}

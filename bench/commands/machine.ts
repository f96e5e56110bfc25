import type { Argv, CommandModule } from 'yargs';
import { type MachineRun, parseScript, runMachineScript, type Script } from '../../machine/index.ts';
import { machineDigest } from '../../machine/views/digest.ts';
import { openMetricsText } from '../../machine/views/metrics/exposition.ts';
import { timelineCsv, timelineFamilies } from '../../machine/views/timeline.ts';
import { renderView } from '../../machine/views/view.ts';
import { Historian, type History } from '../../machine/views/words/history.ts';
import { type MachineReport, machineReport, machineReportText } from '../../machine/views/words/report.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { writeWholeFiles } from '../../workloads/files/line-sink.ts';
import { loadMachinePrograms } from '../cli/machine-programs.ts';
import { type MachineMoment, machineMoment, machineText } from '../cli/machine-script.ts';
import { show } from '../cli/show.ts';
import { terminalWidth } from '../cli/width.ts';
import { machinePage } from '../report/machine-run-page.ts';
import { fitWidth } from '../report/text/fold.ts';

interface MachineArguments {
  script: string;
  view: string[] | undefined;
  at: string[] | undefined;
  steps: boolean;
  json: boolean;
  output: string | undefined;
  csv: string | undefined;
  openmetrics: string | undefined;
  report: string | undefined;
}

const FILES = ['output', 'csv', 'openmetrics', 'report'] as const;

export const machineCommand: CommandModule<object, MachineArguments> = {
  command: 'machine <script>',
  describe: 'a whole machine of many processes: fork, shared memory, page cache, groups, reclaim, huge pages',
  builder: (yargs: Argv) =>
    yargs
      .positional('script', {
        type: 'string',
        demandOption: true,
        describe: "a script's file, - for standard input, or a scenario (sim list scenarios)",
      })
      .option('view', {
        type: 'string',
        array: true,
        nargs: 1,
        describe:
          "what a tool prints there, and nothing else: 'ps aux', 'pmap -XX p1', meminfo, 'smaps p1', cadvisor, …",
      })
      .option('at', {
        type: 'string',
        array: true,
        nargs: 1,
        describe: 'the moment: the label of a sample, #N for after command N, or end',
      })
      .option('steps', { type: 'boolean', default: false, describe: 'every step and the figures of each sample' })
      .option('json', { type: 'boolean', default: false, describe: 'the verdict and its figures as JSON' })
      .option('output', {
        alias: 'o',
        type: 'string',
        describe: 'JSON lines of every step and sample, to FILE or - (then nothing else)',
      })
      .option('csv', { type: 'string', describe: 'the memory after each command, to FILE' })
      .option('openmetrics', {
        type: 'string',
        describe: "the same in OpenMetrics, under the exporters' names, to FILE",
      })
      .option('report', {
        type: 'string',
        describe: 'a page that shows the memory over time, to FILE',
      }) as unknown as Argv<MachineArguments>,
  handler: async (argv) => {
    const standardOutput = FILES.filter((name) => argv[name] === '-');
    if (standardOutput.length > 1)
      throw new UserError(`--${standardOutput[0]} and --${standardOutput[1]} cannot both be the standard output`);
    const { run, history, views, name } = await runWithViews(argv.script, argv.view ?? [], argv.at ?? []);
    const report = machineReport(run, name, history, argv.view ? undefined : argv.at?.at(-1));
    writeFiles(argv, run, history, report);
    if (standardOutput.length > 0) return;
    if (argv.json) process.stdout.write(`${JSON.stringify(jsonOf(report, views), null, 2)}\n`);
    else if (views.length > 0) show(viewsText(views));
    else if (argv.steps) show(machineDigest(run));
    else show(fitWidth(machineReportText(report), terminalWidth()));
  },
};

/** What a tool printed at a moment. */
export interface ViewText {
  readonly view: string;
  readonly at: string;
  readonly text: string;
}

export interface ViewedRun {
  readonly name: string;
  readonly run: MachineRun;
  readonly history: History;
  readonly views: readonly ViewText[];
}

/** Runs a script and looks at it meanwhile: each view at each moment, at the end where none is named. */
export async function runWithViews(given: string, views: readonly string[], at: readonly string[]): Promise<ViewedRun> {
  const { name, text } = machineText(given);
  const script = parseScript(text, name);
  const moments = (at.length > 0 ? at : ['end']).map((word) => ({ word, moment: machineMoment(script, word) }));
  const historian = new Historian();
  const texts: ViewText[] = [];
  const look = (run: MachineRun, isNow: (moment: MachineMoment) => boolean) => {
    for (const { word, moment } of moments)
      if (isNow(moment)) for (const view of views) texts.push({ view, at: word, text: renderView(run, view) });
  };
  const last = stepsOf(script);
  const run = runMachineScript(text, {
    name,
    program: await loadMachinePrograms(text, name),
    onStart: (started) => historian.start(started),
    afterCommand: (running, command) => {
      const label = /^m?sample$/.test(command.words[0]!) ? command.words[1] : undefined;
      const isNamed = moments.some(
        ({ moment }) => moment !== 'end' && 'step' in moment && moment.step === running.step,
      );
      historian.afterCommand(running, command, isNamed ? `#${running.step}` : undefined);
      look(running, (moment) =>
        moment === 'end'
          ? running.step === last
          : 'step' in moment
            ? moment.step === running.step
            : moment.label === label,
      );
    },
  });
  return { name, run, history: historian.finish(run), views: texts };
}

const stepsOf = (script: Script): number => script.commands.filter(({ words }) => words[0] !== 'end').length;

/** One view as it is; several below each other, each below its command. */
export function viewsText(views: readonly ViewText[]): string {
  if (views.length === 1) return views[0]!.text;
  return views.map(({ view, at, text }) => `$ ${view}   # ${at}\n${text}`).join('\n');
}

function jsonOf({ headline, findings, otherwise, sections }: MachineReport, views: readonly ViewText[]): object {
  return {
    headline,
    verdict: findings[0]?.title ?? null,
    findings,
    ...(findings.length === 0 ? { otherwise } : {}),
    sections,
    ...(views.length > 0 ? { views } : {}),
  };
}

function writeFiles(argv: MachineArguments, run: MachineRun, history: History, report: MachineReport): void {
  const texts: Readonly<Record<(typeof FILES)[number], () => string>> = {
    output: () => run.lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    csv: () => timelineCsv(history),
    openmetrics: () => openMetricsText(timelineFamilies(history)),
    report: () => machinePage(report, run, history),
  };
  writeWholeFiles(
    FILES.flatMap((name) => {
      const file = argv[name];
      return file === undefined ? [] : [[file, texts[name]()] as const];
    }),
  );
}

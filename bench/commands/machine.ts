import type { Argv, CommandModule } from 'yargs';
import { type MachineRun, parseScript, runsOf } from '../../machine/index.ts';
import { machineDigest } from '../../machine/views/digest.ts';
import { openMetricsText } from '../../machine/views/metrics/exposition.ts';
import { timelineCsv, timelineFamilies } from '../../machine/views/timeline.ts';
import type { ViewText } from '../../machine/views/view-text.ts';
import type { History } from '../../machine/views/words/history.ts';
import { type MachineSummary, machineSummary, machineSummaryText } from '../../machine/views/words/summary.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { writeWholeFiles } from '../../workloads/files/line-sink.ts';
import { type EngineArguments, engineOptions } from '../cli/batch-options.ts';
import { fleetScenario } from '../cli/fleet-scenario.ts';
import { machineText } from '../cli/machine-script.ts';
import { runWithViews, viewsText } from '../cli/machine-views.ts';
import { show } from '../cli/show.ts';
import { terminalWidth } from '../cli/width.ts';
import { machinePage } from '../report/machine-run-page.ts';
import { fitWidth } from '../report/text/fold.ts';
import { runFleetCommand } from './machine-fleet.ts';

interface MachineArguments extends EngineArguments {
  script: string;
  view: string[] | undefined;
  at: string[] | undefined;
  names: boolean;
  steps: boolean;
  json: boolean;
  output: string | undefined;
  csv: string | undefined;
  openmetrics: string | undefined;
  report: string | undefined;
  settings: string[] | undefined;
}

const FILES = ['output', 'csv', 'openmetrics', 'report'] as const;

export const machineCommand: CommandModule<object, MachineArguments> = {
  command: 'machine <script>',
  describe: 'a whole machine of many processes: fork, shared memory, page cache, groups, reclaim, huge pages',
  builder: (yargs: Argv) =>
    engineOptions(yargs)
      .positional('script', {
        type: 'string',
        demandOption: true,
        describe:
          "a script's file, - for standard input, a fleet's scenario (YAML), or one that is built in (sim list scenarios)",
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
        describe: 'the moment: the label of a sample, N for after command N, or end; of a fleet a time such as 36h',
      })
      .option('names', {
        type: 'boolean',
        default: false,
        describe: "above a single view too: the script's names of the processes, by their numbers",
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
      })
      .option('settings', {
        type: 'string',
        array: true,
        nargs: 1,
        describe:
          "of a fleet: which of the scenario's settings are run beside it: all (default), none, or one by its name",
      }) as unknown as Argv<MachineArguments>,
  handler: async (argv) => {
    const fleet = fleetScenario(argv.script);
    if (!fleet && argv.engine !== undefined) return byQueue(argv);
    const standardOutput = FILES.filter((name) => argv[name] === '-');
    if (standardOutput.length > 1)
      throw new UserError(`--${standardOutput[0]} and --${standardOutput[1]} cannot both be the standard output`);
    if (fleet) return runFleetCommand(fleet, argv);
    const { run, history, views, name, partial } = await runWithViews(argv.script, argv.view ?? [], argv.at ?? []);
    const shown = partial ? `${name} (partial: interrupted)` : name;
    const summary = machineSummary(run, shown, history, argv.view ? undefined : argv.at?.at(-1));
    writeFiles(argv, run, history, summary, partial);
    if (standardOutput.length > 0) return;
    if (argv.json) process.stdout.write(`${JSON.stringify(jsonOf(summary, views, partial), null, 2)}\n`);
    else if (views.length > 0) show(viewsText(views, argv.names));
    else if (argv.steps) show(machineDigest(run));
    else show(fitWidth(machineSummaryText(summary), terminalWidth()));
  },
};

async function byQueue(argv: MachineArguments): Promise<void> {
  const { executeByQueue } = await import('./by-queue.ts');
  const { script: input } = argv;
  const reads = workloadsOf(input);
  return executeByQueue(argv, { command: 'machine', positional: 'script', input, reads, writes: FILES });
}

/** What the `run` commands of a script file name; what is wrong with it, the worker says. */
function workloadsOf(input: string): string[] {
  if (input === '-' || input === '') return [];
  try {
    const { name, text } = machineText(input);
    return [...new Set(runsOf(parseScript(text, name)).map(({ workload }) => workload))];
  } catch {
    return [];
  }
}

function jsonOf(
  { headline, findings, otherwise, sections }: MachineSummary,
  views: readonly ViewText[],
  partial: boolean,
): object {
  return {
    headline,
    ...(partial ? { partial } : {}),
    verdict: findings[0]?.title ?? null,
    findings,
    ...(findings.length === 0 ? { otherwise } : {}),
    sections: sections.map(({ title, short, lines }) => ({ title, short, lines })),
    ...(views.length > 0 ? { views } : {}),
  };
}

function writeFiles(
  argv: MachineArguments,
  run: MachineRun,
  history: History,
  summary: MachineSummary,
  partial: boolean,
): void {
  const texts: Readonly<Record<(typeof FILES)[number], () => string>> = {
    output: () => run.lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    csv: () => timelineCsv(history),
    openmetrics: () => openMetricsText(timelineFamilies(history)),
    report: () => machinePage(summary, run, history),
  };
  writeWholeFiles(
    FILES.flatMap((name) => {
      const file = argv[name];
      return file === undefined ? [] : [[file, texts[name]()] as const];
    }),
    partial,
  );
}

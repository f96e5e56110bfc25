import type { Argv, CommandModule } from 'yargs';
import { machineSummaryText } from '../../machine/views/words/summary.ts';
import { type WholeFile, writeWholeFiles } from '../../workloads/files/line-sink.ts';
import { isStandardOutput, jsonFile } from '../cli/answer.ts';
import { type AnswerArguments, answerOptions } from '../cli/answer-options.ts';
import { checkPlace, type EngineArguments, engineOptions, inBatch } from '../cli/batch-options.ts';
import { type FleetText, fleetInPipe, fleetScenario } from '../cli/fleet-scenario.ts';
import { machineText } from '../cli/machine-script.ts';
import { runWithViews, viewsText } from '../cli/machine-views.ts';
import { show } from '../cli/show.ts';
import { terminalWidth } from '../cli/width.ts';
import { fitWidth } from '../report/text/fold.ts';
import {
  MACHINE_TEXTS,
  type MachineAnswer,
  type MachineQuestion,
  machineAnswer,
} from '../study/machine/machine-answer.ts';
import { machineJson } from '../study/machine/machine-json.ts';

interface MachineArguments extends EngineArguments, AnswerArguments {
  script: string;
  view: string[] | undefined;
  at: string[] | undefined;
  names: boolean;
  steps: boolean;
  output: string | undefined;
  openmetrics: string | undefined;
  report: string | undefined;
  settings: string[] | undefined;
}

export const machineCommand: CommandModule<object, MachineArguments> = {
  command: 'machine <script>',
  describe: 'a whole machine of many processes: fork, shared memory, page cache, groups, reclaim, huge pages',
  builder: (yargs: Argv) =>
    answerOptions(engineOptions(yargs), { json: 'the verdict and its figures', csv: 'the memory after each command' })
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
      .option('output', {
        alias: 'o',
        type: 'string',
        describe: 'JSON lines of every step and sample, to FILE or - (then nothing else)',
      })
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
    if (fleet) return runFleet(fleet, argv);
    const script = machineText(argv.script);
    const piped = fleetInPipe(script);
    if (piped) return runFleet(piped, argv);
    const question: MachineQuestion = {
      ...script,
      views: argv.view ?? [],
      at: argv.at ?? [],
      steps: argv.steps,
      texts: MACHINE_TEXTS.filter((name) => argv[name] !== undefined),
    };
    const answer = argv.engine === undefined ? await answerHere(question, argv) : await answerByQueue(question, argv);
    const { summary, views, steps, texts, partial } = answer;
    const files = question.texts.map((name): WholeFile => [argv[name] || '-', texts[name]!]);
    if (argv.json !== undefined) files.push(jsonFile(argv.json, machineJson(answer)));
    writeWholeFiles(files, partial);
    if (question.texts.some((name) => isStandardOutput(argv[name])) || isStandardOutput(argv.json)) return;
    if (views.length > 0) show(viewsText(views, argv.names));
    else if (steps !== null) show(steps);
    else show(fitWidth(machineSummaryText(summary), terminalWidth()));
  },
};

/** What a fleet needs is loaded for a fleet. */
async function runFleet(fleet: FleetText, argv: MachineArguments): Promise<void> {
  const { runFleetCommand } = await import('./machine-fleet.ts');
  await runFleetCommand(fleet, argv);
}

async function answerHere(question: MachineQuestion, argv: MachineArguments): Promise<MachineAnswer> {
  checkPlace(argv);
  return machineAnswer(await runWithViews(question), question);
}

async function answerByQueue(machine: MachineQuestion, argv: MachineArguments): Promise<MachineAnswer> {
  const { machineTraces } = await import('../study/machine/machine-traces.ts');
  const { runAll } = await import('../study/parallel/run-all.ts');
  const task = { machine, traces: await machineTraces(machine.text, machine.name) };
  const [answer] = await inBatch(argv, 1, (batch) => runAll([task], batch));
  return answer!;
}

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import { jsonText } from '../../sim/contract/escape.ts';
import { readJson } from '../../workloads/files/json-file.ts';
import { appendText, type WholeFile, writeWholeFiles } from '../../workloads/files/line-sink.ts';
import { together } from '../../workloads/files/unfinished.ts';
import { answer } from '../cli/answer.ts';
import { type AnswerArguments, answerOptions } from '../cli/answer-options.ts';
import { type EngineArguments, engineOptions, inBatch } from '../cli/batch-options.ts';
import { note, showOrders } from '../cli/show.ts';
import { bencherMetrics, githubActionBenchmark } from '../gate/benchmark-files.ts';
import { checkGate, checkGateInPart, GATE_DEFAULTS, type GateResult } from '../gate/check.ts';
import { gateMarkdown, githubAnnotations } from '../gate/github.ts';
import { junitXml } from '../gate/junit.ts';
import { readResults } from '../gate/result-files.ts';
import type { SuiteOutcome } from '../gate/suite.ts';
import { gateCsv, gateText } from '../gate/text.ts';
import { readGateConfig } from '../gate/thresholds.ts';
import type { RunResult } from '../run/result.ts';
import { SUITE_RESULT_SCHEMA, suiteSchema } from '../schema/gate.ts';
import { parseWith } from '../schema/result.ts';

interface GateArguments extends EngineArguments, AnswerArguments {
  base: string | undefined;
  head: string | undefined;
  suite: string | undefined;
  save: string | undefined;
  config: string | undefined;
  junit: string | undefined;
  markdown: string | undefined;
  github: boolean;
  'benchmark-action': string | undefined;
  bencher: string | undefined;
}

export const gateCommand: CommandModule<object, GateArguments> = {
  command: 'gate [base] [head]',
  describe: 'compare results with thresholds; for continuous integration',
  builder: (yargs: Argv) =>
    answerOptions(engineOptions(yargs), { json: 'all checks', csv: 'the same' })
      .positional('base', {
        type: 'string',
        describe: 'results of before: a file of run, compare or gate --save; a first result where there is none',
      })
      .positional('head', { type: 'string', describe: 'results of now; --suite makes them' })
      .option('suite', { type: 'string', describe: 'workloads × allocators to run now, JSON (schema/suite.json)' })
      .option('save', { type: 'string', describe: 'write the results of --suite to FILE: the base of another time' })
      .option('config', { type: 'string', describe: 'thresholds, JSON (schema/gate.json); default: nothing may grow' })
      .option('junit', { type: 'string', describe: 'JUnit XML to FILE' })
      .option('markdown', { type: 'string', describe: 'a summary in Markdown to FILE' })
      .option('github', {
        type: 'boolean',
        default: process.env['GITHUB_ACTIONS'] === 'true',
        describe: 'annotations, and the summary of the step; default: in GitHub Actions',
      })
      .option('benchmark-action', { type: 'string', describe: 'the head for github-action-benchmark to FILE' })
      .option('bencher', { type: 'string', describe: 'the head in Bencher Metric Format to FILE' })
      .example('$0 gate base.json head.json  # two results', '')
      .example('$0 gate base.json --suite suite.json  # run it, hold it against the base', '')
      .example('$0 gate --suite suite.json --save base.json  # make a base', '') as unknown as Argv<GateArguments>,
  handler: async (argv) => {
    const { suite, save, config } = argv;
    if (suite && argv.head) throw new UserError('found both HEAD and --suite, expected one of them');
    if (!suite && !(argv.base && argv.head)) throw new UserError('expected BASE and HEAD, or --suite');
    if (save && !suite) throw new UserError('--save is of --suite, which is not given');
    const thresholds = config ? readGateConfig(config) : GATE_DEFAULTS;
    // Of two files that are not there, the head is the error: it is read before anything is said of the base.
    const read = suite ? undefined : readResults(argv.head!);
    const base = argv.base ? readBase(argv.base) : undefined;
    const { runs: head, partial } = suite ? await runSuiteFile(suite, argv) : { runs: read!, partial: false };
    const saved = jsonText({ schema: SUITE_RESULT_SCHEMA, runs: head }, 1);
    const files: WholeFile[] = save ? [[save, saved]] : [];
    let gate: GateResult;
    try {
      gate = (partial ? checkGateInPart : checkGate)(base, head, thresholds);
    } catch (error) {
      writeWholeFiles(files, partial); // what was run is kept, also where it cannot be compared
      throw error;
    }
    if (argv['benchmark-action']) files.push([argv['benchmark-action'], githubActionBenchmark(head)]);
    if (argv.bencher) files.push([argv.bencher, bencherMetrics(head)]);
    if (argv.junit) files.push([argv.junit, junitXml(gate)]);
    if (argv.markdown) files.push([argv.markdown, gateMarkdown(gate)]);
    await together(async () => {
      writeWholeFiles(files, partial);
      await answer(
        argv,
        gate,
        (palette) => gateText(gate, palette),
        () => gateCsv(gate),
      );
    });
    if (argv.github) {
      showOrders(githubAnnotations(gate));
      const summary = process.env['GITHUB_STEP_SUMMARY'];
      if (summary) appendText(summary, gateMarkdown(gate));
    }
    if (!gate.passed && !partial) process.exitCode = 1;
  },
};

/** A base that is not there yet is no error: this is the first result. A broken one is. */
function readBase(path: string): RunResult[] | undefined {
  if (existsSync(path)) return readResults(path);
  note(`sim: ${path} does not exist: a first result, held against nothing`);
  return undefined;
}

async function runSuiteFile(path: string, where: EngineArguments): Promise<SuiteOutcome> {
  const suite = parseWith(suiteSchema, readJson(path), path);
  const total =
    suite.workloads.length *
    suite.allocators.length *
    (suite.modes?.length ?? 1) *
    (suite.cpus?.length ?? 1) *
    (suite.seeds?.length ?? 1);
  // Models and workers are loaded only where something is run.
  const { runSuiteInPart } = await import('../gate/suite.ts');
  return inBatch(where, total, (batch) => runSuiteInPart(suite, dirname(path), batch));
}

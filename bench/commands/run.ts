import type { Argv, CommandModule } from 'yargs';
import { formatAllocator } from '../../allocators/spec.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { jsonText } from '../../sim/contract/escape.ts';
import { jsonPieces } from '../../sim/contract/json-pieces.ts';
import type { Sample } from '../../sim/metrics/sample.ts';
import { parseTlb, TLB_PRESETS } from '../../sim/tlb/settings.ts';
import { type FileSink, openLineSink } from '../../workloads/files/line-sink.ts';
import { together } from '../../workloads/files/unfinished.ts';
import { NeedsWholeTrace } from '../../workloads/trace/passing.ts';
import { type AnswerArguments, answerOptions } from '../cli/answer-options.ts';
import { INTERRUPTED, interruptible, listenForInterrupt, unlessInterrupted } from '../cli/interruption.ts';
import { passingOrder } from '../cli/passing-order.ts';
import { startProgress } from '../cli/progress.ts';
import { type MachineArguments, machineOptions, type Prepared, prepare, preparePassing } from '../cli/run-options.ts';
import { note, show } from '../cli/show.ts';
import { checkSiteOptions, requireSites, type SiteArguments, siteOptions, wantsSites } from '../cli/site-options.ts';
import { type TimeArguments, timeOptions, timing } from '../cli/time-options.ts';
import { terminalWidth } from '../cli/width.ts';
import { type PictureArguments, pictureOptions, recordingFor } from '../report/picture-options.ts';
import type { Recorded, ReportRun } from '../report/report-run.ts';
import type { RunResult } from '../run/result.ts';
import { runInMode } from '../run/run-in-mode.ts';
import type { RunOptions } from '../run/run-options.ts';

/** Options whose value is a file of results. */
const OUTPUTS = ['json', 'samples', 'placements', 'syscalls', 'csv', 'openmetrics', 'perfetto', 'trace-time'] as const;
type Sinks = Partial<Record<(typeof OUTPUTS)[number], FileSink>>;

interface RunArguments extends MachineArguments, TimeArguments, PictureArguments, SiteArguments, AnswerArguments {
  sites: boolean;
  perfetto: string | undefined;
  'sample-every': number;
  samples: string | undefined;
  placements: string | undefined;
  syscalls: string | undefined;
  'trace-time': string | undefined;
  check: 'off' | 'samples' | 'events';
  threads: string | undefined;
  openmetrics: string | undefined;
  quiet: boolean;
  tlb: string | undefined;
}

export const runCommand: CommandModule<object, RunArguments> = {
  command: 'run <workload>',
  describe: 'replay a workload under one allocator',
  builder: (yargs: Argv) =>
    answerOptions(siteOptions(pictureOptions(timeOptions(machineOptions(yargs)))), {
      json: 'the whole result',
      csv: 'samples, or with --threads the points,',
    })
      .option('sites', {
        type: 'boolean',
        default: false,
        describe: 'whose memory it is, by line of code, in a trace that knows (sim record --sites)',
      })
      .option('faithful-abort', {
        type: 'boolean',
        default: false,
        describe: 'do with a second free of a block what the real allocator does; in lockstep',
      })
      .option('sample-every', { type: 'number', default: 0, describe: 'a sample every N events too' })
      .option('samples', { type: 'string', describe: 'samples as JSON lines to FILE' })
      .option('openmetrics', { type: 'string', describe: 'samples in OpenMetrics to FILE' })
      .option('perfetto', { type: 'string', describe: 'samples as counters to FILE, for ui.perfetto.dev' })
      .option('placements', { type: 'string', describe: 'event, address, usable size of every allocation to FILE' })
      .option('syscalls', { type: 'string', describe: 'every memory system call to FILE' })
      .option('trace-time', {
        type: 'string',
        describe: 'processors, threads, locks and waits of a virtual run to FILE, for Perfetto or chrome://tracing',
      })
      .option('check', {
        choices: ['off', 'samples', 'events'] as const,
        default: 'off' as const,
        describe: 'walk every invariant of the model',
      })
      .option('tlb', {
        type: 'string',
        describe: `a data TLB counts the program's accesses, in lockstep: ${Object.keys(TLB_PRESETS).join(', ')}, [:option=value,…]`,
      })
      .option('threads', {
        type: 'string',
        describe: 'a built-in workload at several numbers of threads (1,2,4,8): the curve, and the law that it follows',
      })
      .option('quiet', {
        type: 'boolean',
        default: false,
        describe: 'no summary, no progress',
      }) as unknown as Argv<RunArguments>,
  handler: run,
};

/** Refuses what cannot be; returns the outputs that go to standard output. */
function checkArguments(argv: RunArguments): readonly string[] {
  if (!Number.isInteger(argv['sample-every']) || argv['sample-every'] < 0) {
    throw new UserError(`--sample-every: found '${argv['sample-every']}', expected a number of events from 0`);
  }
  const toStdout = OUTPUTS.filter((name) => argv[name] === '-' || argv[name] === '');
  if (argv.threads !== undefined) {
    const ofOne = [...OUTPUTS.filter((name) => name !== 'json' && name !== 'csv'), 'tlb' as const];
    const given = ofOne.find((name) => argv[name] !== undefined);
    if (given) throw new UserError(`--${given}: found --threads too, expected one run`);
  }
  const isElsewhere = argv.threads === undefined && (argv.mode ?? 'lockstep') !== 'lockstep';
  if (argv['faithful-abort'] && isElsewhere) {
    throw new UserError(
      `--faithful-abort: found --mode=${argv.mode}, expected lockstep: elsewhere there is no file order`,
    );
  }
  if (argv.tlb !== undefined && isElsewhere) {
    throw new UserError(`--tlb: found --mode=${argv.mode}, expected lockstep: accesses are counted in file order`);
  }
  return toStdout;
}

async function run(argv: RunArguments): Promise<void> {
  try {
    await runReading(argv, true);
  } catch (error) {
    if (!(error instanceof NeedsWholeTrace)) throw error;
    await runReading(argv, false); // from the beginning: nothing has been put out
  }
}

/** `passes`: a trace may be read while it is executed. */
async function runReading(argv: RunArguments, passes: boolean): Promise<void> {
  const toStdout = checkArguments(argv);
  if (argv.threads !== undefined) {
    const { runScaling } = await import('./run-scaling.ts');
    return runScaling(argv, argv.threads);
  }
  const tlb = argv.tlb === undefined ? undefined : parseTlb(argv.tlb);
  const records = recordingFor(argv);
  const before = checkSiteOptions(argv);
  const asksForSites = argv.sites || wantsSites(argv);
  const inOrder = argv['faithful-abort'] || tlb ? { ...argv, mode: 'lockstep' as const } : argv;
  const order = !passes || records || asksForSites || isStepwise(argv) ? undefined : passingOrder(inOrder);
  const passing = order && (await preparePassing(argv, order));
  const prepared: Partial<Prepared> = passing ? {} : await prepare(argv);
  const whole = prepared.options;
  if (whole && asksForSites) requireSites(whole.events, whole.workload, 'what was asked for');
  const time = timing(inOrder, (passing ?? whole!).events, prepared.time);
  if (argv['trace-time'] !== undefined && time.mode !== 'virtual') {
    throw new UserError(`--trace-time: found mode ${time.mode}, expected virtual: elsewhere no time is simulated`);
  }
  const sinks: Sinks = {};
  openAll(sinks, OUTPUTS, argv);
  const interruption = listenForInterrupt();
  const total = passing?.expectedEvents ?? (passing ?? whole!).events.length;
  const progress = argv.quiet || total === Infinity ? undefined : await startProgress(total, 'events');
  let done: ReportRun;
  try {
    const more: Omit<RunOptions, 'events' | 'workload' | 'spec' | 'cpus'> = {
      ...time,
      sampleEvery: argv['sample-every'],
      check: argv.check,
      signal: interruption.signal,
      ...(sinks.placements && { placements: sinks.placements }),
      ...(sinks['trace-time'] && { timeTrace: sinks['trace-time'] }),
      ...(sinks.syscalls && { syscalls: sinks.syscalls }),
      ...(sinks.samples && { onSample: (sample: Sample) => sinks.samples!.write(jsonText(sample)) }),
      ...(tlb && { tlb }),
      ...(progress && { onProgress: progress.update }),
    };
    done = records
      ? await recorded({ ...whole!, ...more }, records)
      : { result: await runInMode({ ...(passing ?? whole!), ...more }) };
  } catch (error) {
    for (const sink of Object.values(sinks)) sink.discard();
    throw error;
  } finally {
    await passing?.events.close();
    progress?.stop();
    interruption.release();
  }

  await together(async () => {
    const { result } = done;
    await writeOutputs(argv, sinks, result);
    const sites =
      asksForSites && !result.partial
        ? await interruptible(async (signal) => {
            const { sitesOf } = await import('./run-sites.ts');
            return unlessInterrupted(sitesOf(argv, whole!, done, before, signal));
          })
        : '';
    if (sites === undefined) note('sim: interrupted before the call sites were looked at');
    const pictures = records && (await import('../report/draw-pictures.ts'));
    const plot = pictures
      ? await interruptible((signal) => pictures.drawPictures(argv, [done], whole!.events, signal, terminalWidth()))
      : '';
    if (plot === undefined) note('sim: interrupted before the pictures were drawn');
    if (!argv.quiet && toStdout.length === 0) await showSummary(result, sites ?? '', plot ?? '');
    if (result.partial) process.exitCode = INTERRUPTED;
  });
}

/** A run with what pictures draw. A recording goes on to the exit of its program: it is judged where the program lived, as by explain. */
async function recorded(options: RunOptions, records: Recorded): Promise<ReportRun> {
  const { recordRun } = await import('../study/record.ts');
  if (records === 'samples') return recordRun(options, records);
  const { upToMoment } = await import('../study/explain/moment/up-to-moment.ts');
  const { moment } = await upToMoment(options, undefined, formatAllocator(options.spec));
  return recordRun(options, records, moment ?? undefined);
}

/** Whether somebody asks for something at each event, or for its row afterwards. */
function isStepwise(argv: Pick<RunArguments, 'placements' | 'syscalls' | 'check' | 'faithful-abort'>): boolean {
  const isLookedAt = argv.placements !== undefined || argv.syscalls !== undefined || argv.check === 'events';
  return isLookedAt || argv['faithful-abort'] === true;
}

async function showSummary(result: RunResult, sites: string, plot: string): Promise<void> {
  const { terminalPalette } = await import('../cli/palette.ts');
  const { summaryText } = await import('../report/text/summary.ts');
  const { fitWidth } = await import('../report/text/fold.ts');
  const width = terminalWidth();
  const summary = fitWidth(summaryText(result, await terminalPalette(), width), width);
  // The rows are perf's own, as wide as it writes them.
  const perfLine = (line: string) => (line.includes(' # ') ? line : fitWidth(line, width));
  const perf = result.tlb
    ? `\n${(await import('../report/text/perf-stat.ts')).perfStatText(result, result.tlb).split('\n').map(perfLine).join('\n')}`
    : '';
  show(summary + perf + (sites && `\n${fitWidth(sites, width)}`) + (plot && `\n${plot}`));
}

async function writeOutputs(argv: RunArguments, sinks: Sinks, result: RunResult): Promise<void> {
  // The JSON says itself that it is partial; the others say it by their names.
  sinks.json?.writePieces(jsonPieces(result, argv.json ? 1 : 2));
  if (sinks.openmetrics) {
    const { openMetrics } = await import('../report/openmetrics.ts');
    sinks.openmetrics.write(openMetrics([result]).trimEnd());
  }
  if (sinks.perfetto) {
    const { perfettoCounters } = await import('../report/perfetto.ts');
    sinks.perfetto.write(perfettoCounters(result));
  }
  if (sinks.csv) {
    const { samplesCsv } = await import('../report/samples-csv.ts');
    sinks.csv.write(samplesCsv(result).trimEnd());
  }
  sinks.json?.close(false);
  for (const name of OUTPUTS) if (name !== 'json') sinks[name]?.close(result.partial);
}

/** Opens the outputs that were asked for, all or none. */
function openAll<K extends string>(
  sinks: Partial<Record<K, FileSink>>,
  names: readonly K[],
  argv: Readonly<Record<K, string | undefined>>,
): void {
  try {
    for (const name of names) if (argv[name] !== undefined) sinks[name] = openLineSink(argv[name] || '-');
  } catch (error) {
    for (const name of names) sinks[name]?.discard();
    throw error;
  }
}

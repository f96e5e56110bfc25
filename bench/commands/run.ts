import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import type { Sample } from '../../sim/metrics/sample.ts';
import { parseTlb, TLB_PRESETS } from '../../sim/tlb/settings.ts';
import { type LineSink, openLineSink } from '../../workloads/files/line-sink.ts';
import { INTERRUPTED, listenForInterrupt } from '../cli/interruption.ts';
import { startProgress } from '../cli/progress.ts';
import { type MachineArguments, machineOptions, prepare } from '../cli/run-options.ts';
import {
  checkSiteOptions,
  requireSites,
  type SiteArguments,
  siteOptions,
  wantsSites,
  writeSites,
} from '../cli/site-options.ts';
import { show } from '../cli/show.ts';
import { type TimeArguments, timeOptions, timing } from '../cli/time-options.ts';
import { terminalWidth } from '../cli/width.ts';
import { openMetrics } from '../report/openmetrics.ts';
import { perfettoCounters } from '../report/perfetto.ts';
import { drawPictures, type PictureArguments, pictureOptions, wantsRecording } from '../report/picture-options.ts';
import type { ReportRun } from '../report/report-run.ts';
import { samplesCsv } from '../report/samples-csv.ts';
import { diffStacks, type StackBytes } from '../report/sites/stacks.ts';
import { perfStatText } from '../report/text/perf-stat.ts';
import { runSession } from '../run/run-session.ts';
import type { SessionOptions } from '../run/session.ts';
import { bytesBySite } from '../study/explain/by-site.ts';
import { momentOf } from '../study/explain/moment.ts';
import { diffText, siteLines } from '../study/explain/site-text.ts';
import { recordRun } from '../study/record.ts';

interface RunArguments extends MachineArguments, TimeArguments, PictureArguments, SiteArguments {
  sites: boolean;
  perfetto: string | undefined;
  'sample-every': number;
  json: string | undefined;
  samples: string | undefined;
  placements: string | undefined;
  syscalls: string | undefined;
  'trace-time': string | undefined;
  check: 'off' | 'samples' | 'events';
  threads: string | undefined;
  csv: string | undefined;
  openmetrics: string | undefined;
  quiet: boolean;
  tlb: string | undefined;
}

export const runCommand: CommandModule<object, RunArguments> = {
  command: 'run <workload>',
  describe: 'replay a workload under one allocator',
  builder: (yargs: Argv) =>
    siteOptions(pictureOptions(timeOptions(machineOptions(yargs))))
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
      .option('json', {
        type: 'string',
        describe: 'the whole result as JSON, to FILE or to stdout (then nothing else)',
      })
      .option('samples', { type: 'string', describe: 'samples as JSON lines to FILE' })
      .option('openmetrics', { type: 'string', describe: 'samples in OpenMetrics to FILE' })
      .option('perfetto', { type: 'string', describe: 'samples as counters to FILE, for ui.perfetto.dev' })
      .option('csv', { type: 'string', describe: 'samples, or with --threads the points, as CSV to FILE' })
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

async function run(argv: RunArguments): Promise<void> {
  if (!Number.isInteger(argv['sample-every']) || argv['sample-every'] < 0) {
    throw new UserError(`--sample-every: found '${argv['sample-every']}', expected a number of events from 0`);
  }
  const outputs = [
    'json',
    'samples',
    'placements',
    'syscalls',
    'csv',
    'openmetrics',
    'perfetto',
    'trace-time',
  ] as const;
  const toStdout = outputs.filter((name) => argv[name] === '-' || argv[name] === '');
  if (toStdout.length > 1) throw new UserError(`--${toStdout.join(' and --')} cannot all go to standard output`);

  if (argv.tlb !== undefined && argv.threads !== undefined)
    throw new UserError('--tlb: found --threads too, expected one run in lockstep');
  if (argv.threads !== undefined) {
    const { runScaling } = await import('./run-scaling.ts');
    return runScaling(argv, argv.threads);
  }
  if (argv['faithful-abort'] && (argv.mode ?? 'lockstep') !== 'lockstep') {
    throw new UserError(
      `--faithful-abort: found --mode=${argv.mode}, expected lockstep: elsewhere there is no file order`,
    );
  }
  if (argv.tlb !== undefined && (argv.mode ?? 'lockstep') !== 'lockstep') {
    throw new UserError(`--tlb: found --mode=${argv.mode}, expected lockstep: accesses are counted in file order`);
  }
  const tlb = argv.tlb === undefined ? undefined : parseTlb(argv.tlb);
  const records = wantsRecording(argv);
  const before = checkSiteOptions(argv);
  const prepared = await prepare(argv);
  const asksForSites = argv.sites || wantsSites(argv);
  if (asksForSites) requireSites(prepared.session.events, prepared.session.workload, 'what was asked for');
  const time = timing(
    argv['faithful-abort'] || tlb ? { ...argv, mode: 'lockstep' } : argv,
    prepared.session.events,
    prepared.time,
  );
  if (argv['trace-time'] !== undefined && time.mode !== 'virtual') {
    throw new UserError(`--trace-time: found mode ${time.mode}, expected virtual: elsewhere no time is simulated`);
  }
  const sinks: Partial<Record<(typeof outputs)[number], LineSink>> = {};
  openAll(sinks, outputs, argv);
  const interruption = listenForInterrupt();
  const progress = argv.quiet ? undefined : await startProgress(prepared.session.events.length);
  let done: ReportRun;
  try {
    const options: SessionOptions = {
      ...prepared.session,
      ...time,
      sampleEvery: argv['sample-every'],
      check: argv.check,
      signal: interruption.signal,
      ...(sinks.placements && { placements: sinks.placements }),
      ...(sinks['trace-time'] && { timeTrace: sinks['trace-time'] }),
      ...(sinks.syscalls && { syscalls: sinks.syscalls }),
      ...(sinks.samples && { onSample: (sample: Sample) => sinks.samples!.write(JSON.stringify(sample)) }),
      ...(tlb && { tlb }),
      ...(progress && { onProgress: progress.update }),
    };
    done = records ? await recordRun(options) : { result: await runSession(options) };
    // The JSON says itself that it is partial; the others say it by their names.
    sinks.json?.write(JSON.stringify(done.result, null, argv.json ? 1 : 2));
    sinks.openmetrics?.write(openMetrics([done.result]).trimEnd());
    sinks.perfetto?.write(perfettoCounters(done.result));
    sinks.csv?.write(samplesCsv(done.result).trimEnd());
    sinks.json?.close(false);
    for (const name of outputs) if (name !== 'json') sinks[name]?.close(done.result.partial);
  } catch (error) {
    for (const sink of Object.values(sinks)) sink.discard();
    throw error;
  } finally {
    progress?.stop();
    interruption.release();
  }

  const { result } = done;
  const sites = asksForSites && !result.partial ? await sitesOf(argv, prepared.session, done, before) : '';
  const plot = records ? drawPictures(argv, [done], prepared.session.events) : '';
  if (!argv.quiet && toStdout.length === 0) {
    const { terminalPalette } = await import('../cli/palette.ts');
    const { summaryText } = await import('../report/text/summary.ts');
    const { fitWidth } = await import('../report/text/fold.ts');
    const summary = fitWidth(summaryText(result, await terminalPalette()), terminalWidth());
    const perf = result.tlb ? `\n${perfStatText(result, result.tlb)}` : '';
    show(summary + perf + (sites && `\n${fitWidth(sites, terminalWidth())}`) + (plot && `\n${plot}`));
  }
  if (result.partial) process.exitCode = INTERRUPTED;
}

/** Writes what was asked for by call site; comes back with the text. In file order, whatever the run's own time was. */
async function sitesOf(
  argv: RunArguments,
  session: SessionOptions,
  done: ReportRun,
  before: readonly StackBytes[] | undefined,
): Promise<string> {
  const moment = momentOf(session, undefined);
  const stacks = done.sites ?? bytesBySite(session, moment.end) ?? [];
  writeSites(argv, session.workload, stacks);
  const { terminalPalette } = await import('../cli/palette.ts');
  const palette = await terminalPalette();
  const lines = [...siteLines(stacks, palette), palette.dim(`  ${moment.about}, in file order`)];
  return `${lines.join('\n')}\n${before ? diffText(diffStacks(before, stacks), palette) : ''}`;
}

/** Opens the outputs that were asked for, all or none. */
function openAll<K extends string>(
  sinks: Partial<Record<K, LineSink>>,
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

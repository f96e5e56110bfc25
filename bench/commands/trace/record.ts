import { closeSync, openSync, statSync } from 'node:fs';
import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../../sim/contract/assert.ts';
import { csvText } from '../../../sim/contract/escape.ts';
import { bytes, counted } from '../../../sim/contract/format.ts';
import { sizeBytes } from '../../../sim/contract/quantities.ts';
import { checkOutput, checkOutputs, defaultOutput, outputOf } from '../../../workloads/recorder/output-names.ts';
import { type RecordedProcess, type Recording, recordProgram } from '../../../workloads/recorder/recorder.ts';
import { anonymizeTrace } from '../../../workloads/trace/anonymize.ts';
import { writeTrace } from '../../../workloads/trace/output.ts';
import { writeData } from '../../cli/answer.ts';
import { type AnswerArguments, answerOptions } from '../../cli/answer-options.ts';
import { endByHangup, unheard } from '../../cli/interruption.ts';
import { note } from '../../cli/show.ts';
import { shellWord } from '../../report/escape.ts';
import { quantumOption, tellOddities } from './import.ts';

interface RecordArguments extends AnswerArguments {
  program: string[];
  '--'?: string[];
  output: string | undefined;
  force: boolean;
  process: string | undefined;
  'stop-after': string | undefined;
  'sample-every': string | undefined;
  disk: string;
  sites: boolean;
  zend: boolean;
  fill: boolean;
  anonymize: boolean;
  arguments: boolean;
  quantum: number;
  samples: number;
}

export const recordCommand: CommandModule<object, RecordArguments> = {
  command: 'record [program..]',
  describe: 'run a program and record what it and its processes do with malloc: record [-o OUT] -- PROGRAM ARGUMENTS',
  builder: (yargs: Argv) =>
    answerOptions(yargs, { json: 'a list of the processes', csv: 'the same' })
      .positional('program', { type: 'string', array: true, default: [], describe: 'with its arguments, behind --' })
      .option('output', {
        alias: 'o',
        type: 'string',
        describe:
          'the trace (default: PROGRAM.htb here); process 4711 of its children goes to PROGRAM.4711.htb; - for text to stdout',
      })
      .option('force', { type: 'boolean', default: false, describe: 'replace a trace that is there already' })
      .option('process', {
        type: 'string',
        describe: 'keep one program by NAME, one process by number, or the `largest`',
      })
      .option('stop-after', {
        type: 'string',
        describe: 'end the program after a time (10s, 5m) or so many events (1000000)',
      })
      .option('sample-every', {
        type: 'string',
        describe: 'sample the process that often (100ms, 1s); SIGUSR2 samples it now',
      })
      .option('disk', {
        type: 'string',
        default: '10G',
        describe: 'what the logs may take meanwhile: then the recording ends, not the program',
      })
      .option('sites', {
        type: 'boolean',
        default: false,
        describe: 'note which functions and lines of code allocate: explain and run then tell whose memory it is',
      })
      .option('zend', {
        type: 'boolean',
        default: true,
        describe: "see PHP's own heap (emalloc, requests) in programs that have one; --no-zend: malloc alone",
      })
      .option('fill', {
        type: 'boolean',
        default: true,
        describe:
          'put a pattern on the reused pages of large blocks, to see which of them are written; --no-fill: they count as written',
      })
      .option('anonymize', { type: 'boolean', default: false, describe: 'keep sizes, order and times alone' })
      .option('arguments', { type: 'boolean', default: false, describe: 'keep the arguments of the commands too' })
      .option('quantum', quantumOption)
      .option('samples', {
        type: 'number',
        default: 64,
        describe: 'sample points, spread evenly',
        coerce: (value: number) => {
          if (Number.isSafeInteger(value) && value >= 0) return value;
          throw new UserError(`--samples: found '${value}', expected a number from 0`);
        },
      })
      .parserConfiguration({ 'populate--': true }) as unknown as Argv<RecordArguments>,
  handler: async (argv) => {
    const hadTerminal = hasTerminal();
    const command = commandOf(argv);
    const output = argv.output === undefined ? defaultOutput(command[0]!) : argv.output || '-';
    (argv.process === undefined ? checkOutputs : checkOutput)(output, argv.force);
    const stop = stopOf(argv['stop-after']);
    const list: ListedProcess[] = [];
    // Signals are the recorder's: they end the program, and the trace is kept.
    const recording = await unheard(() =>
      recordProgram(
        {
          command,
          process: argv.process,
          withArguments: argv.arguments,
          withSites: argv.sites && !argv.anonymize,
          withZend: argv.zend,
          withFill: argv.fill,
          diskBytes: sizeOf('--disk', argv.disk),
          stopEvents: stop.events,
          stopNs: stop.ns,
          sampleNs: argv['sample-every'] === undefined ? 0 : durationOf('--sample-every', argv['sample-every']),
          quantumNs: argv.quantum,
          samples: argv.samples,
          stdout: output === '-' ? 'stderr' : 'inherit',
          tell,
        },
        async (recorded) => {
          if (argv.process === undefined && isWayThere(recorded)) {
            list.push(listed(recorded, undefined));
            tellWayThere(recorded, list);
            return;
          }
          const trace = traceName(output, recorded, argv.process !== undefined, list.length === 0);
          if (trace !== undefined) {
            if (trace !== output) checkOutput(trace, true);
            await writeTrace(trace, argv.anonymize ? anonymizeTrace(recorded.events) : recorded.events);
          }
          list.push(listed(recorded, trace));
          if (list.length <= TOLD_PROCESSES) tellProcess(recorded, trace);
        },
      ),
    );
    writeData(argv, { processes: list }, () => processesCsv(list));
    process.exitCode = finish(command, recording, list);
    if (hadTerminal && !hasTerminal()) endByHangup();
  },
};

/** Whether there is a terminal that controls this process: it may have gone meanwhile. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/** Larger families are told of in --json. */
const TOLD_PROCESSES = 12;

/** One entry of --json. */
interface ListedProcess {
  readonly pid: number;
  readonly ppid: number;
  readonly command: string;
  readonly trace: string | null;
  readonly events: number;
  readonly threads: number;
  readonly exit: number | null;
}

const LIST_FIELDS = ['pid', 'ppid', 'command', 'trace', 'events', 'threads', 'exit'] as const;

const processesCsv = (list: readonly ListedProcess[]): string =>
  csvText(
    LIST_FIELDS,
    list.map((process) => LIST_FIELDS.map((name) => process[name])),
  );

function tell(line: string): void {
  note(`record: ${line}`);
}

function commandOf({ program, '--': behind }: RecordArguments): string[] {
  const before = program.map(String);
  if (behind !== undefined && behind.length > 0 && before.length > 0) {
    throw new UserError(
      `record: found '${before[0]}' before --, expected options alone (the output is -o ${before[0]})`,
    );
  }
  const command = [...before, ...(behind ?? []).map(String)];
  if (command.length === 0) throw new UserError('record: found no program, expected one behind --');
  return command;
}

/** What glibc's heap is larger by from its first block on, M_TOP_PAD of mallopt(3): a program that asked for less has never made it grow. */
const TOP_PAD = 131072;

/** A process that became another program before it had asked for anything that matters, as `env` and shells with `exec` do. */
const isWayThere = ({ earlier, events }: RecordedProcess): boolean =>
  earlier > 0 && events.requestedPeakBytes <= TOP_PAD;

function tellWayThere({ pid, command, events }: RecordedProcess, list: readonly ListedProcess[]): void {
  if (list.length > TOLD_PROCESSES) return;
  const last = list.find((other) => other.pid === pid)!.command;
  const asked = `${counted(events.length, 'event')}, asked for ${bytes(events.requestedPeakBytes)} at most`;
  tell(`${command}, process ${pid}, became ${last}: ${asked}, no trace (--process ${shellWord(command)} keeps it)`);
}

/** The program that was started has OUT itself; so has the first of those that --process asks for. */
function traceName(output: string, recorded: RecordedProcess, isChosen: boolean, isFirst: boolean): string | undefined {
  if (recorded.isStarted || (isChosen && isFirst)) return output;
  return output === '-' ? undefined : outputOf(output, recorded.pid, recorded.earlier);
}

function listed(
  { pid, ppid, command, events, threads, exit }: RecordedProcess,
  trace: string | undefined,
): ListedProcess {
  return { pid, ppid, command, trace: trace ?? null, events: events.length, threads, exit: exit ?? null };
}

/** Less is not worth a line. */
const TOLD_BYTES = 2 ** 20;

/** What of large blocks nobody saw written, as `trace info` has it. */
function assumedText({ assumedBytes, unseenBytes }: RecordedProcess): string {
  const unseen = `${bytes(unseenBytes)} in blocks that were not looked at (looking takes a quarter of the processor time at most)`;
  const before = 'on pages that were there before, or are huge';
  if (unseenBytes === 0) return `assumed writes: ${bytes(assumedBytes)} of large blocks, ${before}`;
  if (unseenBytes === assumedBytes) return `assumed writes: ${unseen}`;
  return `assumed writes: ${bytes(assumedBytes)} of large blocks, ${unseen}; the rest ${before}`;
}

function tellProcess(recorded: RecordedProcess, trace: string | undefined): void {
  const { pid, command, events, threads, residentPeakBytes, assumedBytes, zeroBytes, oddities } = recorded;
  const seen = [
    counted(events.length, 'event'),
    counted(threads, 'thread'),
    `asked for ${bytes(events.requestedPeakBytes)} at most`,
    ...(residentPeakBytes > 0 ? [`VmHWM ${bytes(residentPeakBytes)}`] : []),
  ];
  note(`${trace ?? '(no file)'}: ${command}, process ${pid}: ${seen.join(', ')}`);
  if (assumedBytes >= TOLD_BYTES) note(`${command}: ${assumedText(recorded)}`);
  if (zeroBytes >= TOLD_BYTES)
    note(`${command}: ${bytes(zeroBytes)} of zeros on huge pages count as not written: such pages come with zeros`);
  tellOddities(command, oddities);
}

/** The last words, and the exit status. */
function finish(command: readonly string[], recording: Recording, list: readonly ListedProcess[]): number {
  const { ended, cutBy, leftOut, notes, notKept, exit } = recording;
  if (list.length === 0 && notKept.length === 0 && cutBy === undefined) {
    const found = notes.length > 0 ? notes.join('; ') : `${command[0]}: found no call of malloc`;
    throw new UserError(`${found} (${ended}), expected a program that is linked with glibc dynamically`);
  }
  for (const note of notes) tell(note);
  if (list.length > TOLD_PROCESSES)
    tell(
      `and ${counted(list.length - TOLD_PROCESSES, 'further process', 'further processes')} (--json FILE lists them)`,
    );
  if (leftOut > 0)
    tell(
      `${counted(leftOut, 'fork')} that became another program ${leftOut === 1 ? 'has no trace of its own' : 'have no trace of their own'}`,
    );
  if (cutBy === 'disk') tell('the traces end where --disk was reached');
  if (cutBy === 'unwritable') tell('the traces end where the logs could not be written');
  const wasOurs = (cutBy === 'time' || cutBy === 'events') && exit === 143;
  const status = wasOurs ? 0 : exit;
  if (list.length === 0 && notKept.length > 0) {
    throw new UserError(`--process: found none that it names, expected \`largest\` or one of ${notKept.join(', ')}`);
  }
  if (list.length === 0 && cutBy !== undefined) {
    tell(`${command[0]}: ${ended}, before any call of malloc: there is no trace`);
    return status;
  }
  const [largest] = list.filter(({ trace }) => trace !== null).sort((one, other) => other.events - one.events);
  const recorded = list.filter(({ trace }) => trace !== null).length;
  tell(`${command[0]}: ${ended}; ${counted(recorded, 'process', 'processes')} recorded`);
  if (largest?.trace && isFile(largest.trace)) tell(`next: npx sim explain ${shellWord(largest.trace)}`);
  return status;
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, min: 60e9, h: 3600e9 };

/** Not a device, a pipe, or the standard output. */
const isFile = (path: string): boolean =>
  path !== '-' && (statSync(path, { throwIfNoEntry: false })?.isFile() ?? false);

/** A time, or a number of events. */
function stopOf(text: string | undefined): { events: number; ns: number } {
  if (text === undefined) return { events: 0, ns: 0 };
  if (/^\d+$/.test(text) && Number(text) > 0) return { events: Number(text), ns: 0 };
  return { events: 0, ns: durationOf('--stop-after', text, ', or a number of calls') };
}

function durationOf(option: string, text: string, orElse = ''): number {
  const found = /^(\d+(?:\.\d+)?)(ns|us|ms|s|min|m|h)$/.exec(text);
  const ns = found ? Number(found[1]) * UNITS[found[2]!]! : 0;
  if (!(ns > 0 && ns <= 1e18))
    throw new UserError(`${option}: found '${text}', expected a time as 100ms, 10s or 5m${orElse}`);
  return Math.round(ns);
}

function sizeOf(option: string, text: string): number {
  const size = sizeBytes(text) ?? 0;
  if (!(size >= 1)) throw new UserError(`${option}: found '${text}', expected a size as 500M or 10G`);
  return size;
}

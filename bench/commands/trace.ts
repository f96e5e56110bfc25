import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../sim/assert.ts';
import { bytes, columns, count, duration, percent } from '../../sim/report/format.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { cutTrace } from '../../workloads/trace/cut.ts';
import { writeTrace } from '../../workloads/trace/output.ts';
import { violationMessage } from '../../workloads/trace/parser.ts';
import { type TraceStatistics, traceStatistics } from '../../workloads/trace/statistics.ts';
import { checkTrace } from '../../workloads/trace/validate.ts';

const inputDescription = 'a trace (.htrace, .htb, compressed or not; - for stdin), or a built-in workload';

interface CheckArguments {
  file: string;
  limit: number;
  json: boolean;
}

const checkCommand: CommandModule<object, CheckArguments> = {
  command: 'check <file>',
  describe: 'whether a trace keeps all rules; every violation with its line; exit 1 if there is any',
  builder: (yargs: Argv) =>
    yargs
      .positional('file', {
        type: 'string',
        demandOption: true,
        describe: 'a trace; - for stdin',
        coerce: (path: string) => path || '-',
      })
      .option('limit', { type: 'number', default: 20, describe: 'violations and notes to print' })
      .option('json', { type: 'boolean', default: false, describe: 'as JSON' }) as unknown as Argv<CheckArguments>,
  handler: async ({ file, limit, json }) => {
    const { violations, violationCount, notes, noteCount, events } = await checkTrace(file, limit);
    if (violationCount > 0) process.exitCode = 1;
    if (json) {
      print(JSON.stringify({ file, ok: violationCount === 0, violationCount, violations, noteCount, notes }, null, 2));
      return;
    }
    for (const violation of violations) print(`${violationMessage(file, violation)}  [${violation.rule}]`);
    if (violationCount > violations.length) print(`… and ${count(violationCount - violations.length)} more`);
    for (const note of notes) print(`${file}:${note.line}: note: ${note.text}`);
    if (noteCount > notes.length) print(`… and ${count(noteCount - notes.length)} more notes`);
    const threads = events.begins.length + 1;
    const summary = `${count(events.length)} events, ${count(threads)} ${threads === 1 ? 'thread' : 'threads'}`;
    print(
      violationCount === 0
        ? `${file}: OK, ${summary}, peak ${bytes(events.requestedPeakBytes)} asked for`
        : `${file}: ${count(violationCount)} ${violationCount === 1 ? 'violation' : 'violations'} in ${summary}`,
    );
  },
};

interface InputArguments {
  in: string;
  lenient: boolean;
}

/** The input of the commands that read a trace. */
function inputOptions<T>(yargs: Argv<T>): Argv<T & InputArguments> {
  return yargs.positional('in', { type: 'string', demandOption: true, describe: inputDescription }).option('lenient', {
    type: 'boolean',
    default: false,
    describe: 'leave out events that break a rule',
  }) as unknown as Argv<T & InputArguments>;
}

async function load({ in: input, lenient }: InputArguments) {
  const { events } = await resolveWorkload(input, { lenient });
  if (events.skipped > 0) process.stderr.write(`${input}: ${count(events.skipped)} events left out\n`);
  return events;
}

const infoCommand: CommandModule<object, InputArguments & { json: boolean }> = {
  command: 'info <in>',
  describe: 'what is in a trace: events, threads, sizes, lifetimes, frees by other threads',
  builder: (yargs: Argv) =>
    inputOptions(yargs).option('json', { type: 'boolean', default: false, describe: 'as JSON' }),
  handler: async (argv) => {
    const statistics = traceStatistics(await load(argv));
    print(argv.json ? JSON.stringify(statistics, null, 2) : infoText(argv.in, statistics));
  },
};

const SHOWN_LABELS = 12;

function infoText(input: string, s: TraceStatistics): string {
  const kinds = Object.entries(s.eventCounts).sort(([, x], [, y]) => y - x);
  const labels = s.labels.slice(0, SHOWN_LABELS).join(', ');
  return [
    s.name || input,
    ...columns(
      [
        ['source', s.source || 'not said'],
        ['touch', s.touch],
        ['events', `${count(s.events)}: ${kinds.map(([kind, n]) => `${kind} ${count(n)}`).join(', ')}`],
        ['threads', `${count(s.threads)}, at most ${count(s.threadsPeak)} at once`],
        ['recorded time', duration(s.recordedNs)],
        ['allocations', `${count(s.allocations)} of ${bytes(s.allocatedBytes)} in all`],
        ['peak', `${bytes(s.requestedPeakBytes)} asked for, ${count(s.liveBlocksPeak)} blocks`],
        ['live at the end', `${bytes(s.liveBytesAtEnd)} in ${count(s.liveBlocksAtEnd)} blocks`],
        [
          'freed by another thread',
          `${count(s.crossThreadFrees)} of ${count(s.frees)} (${share(s.crossThreadFrees, s.frees)})`,
        ],
        ['labels', `${count(s.labels.length)}${labels && `: ${labels}`}${s.labels.length > SHOWN_LABELS ? ', …' : ''}`],
        ...(s.skipped > 0 ? [['left out', `${count(s.skipped)} events`]] : []),
      ],
      'l',
    ),
    '',
    'Sizes',
    ...columns(
      [
        ['up to', 'blocks', 'share', 'bytes', 'share'],
        ...s.sizes.map((row) => [
          bytes(row.upTo),
          count(row.blocks),
          share(row.blocks, s.allocations),
          bytes(row.bytes),
          share(row.bytes, s.allocatedBytes),
        ]),
      ],
      'r',
    ),
    '',
    'Lifetimes of freed blocks',
    ...columns(
      [
        ['events up to', 'blocks', 'share'],
        ...s.lifetimes.map((row) => [count(row.upToEvents), count(row.blocks), share(row.blocks, s.frees)]),
      ],
      'r',
    ),
  ].join('\n');
}

function share(part: number, whole: number): string {
  return whole === 0 ? '-' : percent(part / whole);
}

const convertCommand: CommandModule<object, InputArguments & { out: string }> = {
  command: 'convert <in> <out>',
  describe: 'to another form, by the name: .htrace, .htb (loads without parsing), each with .gz or .zst behind it',
  builder: (yargs: Argv) => outputPositional(inputOptions(yargs)),
  handler: async (argv) => writeTrace(argv.out, await load(argv)),
};

function outputPositional<T>(yargs: Argv<T>): Argv<T & { out: string }> {
  return yargs.positional('out', {
    type: 'string',
    demandOption: true,
    coerce: (path: string) => path || '-', // yargs hands a `-` over as an empty text
    describe: 'the file to write; - for text to stdout',
  }) as unknown as Argv<T & { out: string }>;
}

interface CutArguments extends InputArguments {
  out: string;
  from: number;
  to: number;
  threads: string | undefined;
  live: 'prefix' | 'drop';
}

const cutCommand: CommandModule<object, CutArguments> = {
  command: 'cut <in> <out>',
  describe: 'a part of a trace that is a trace itself',
  builder: (yargs: Argv) =>
    outputPositional(inputOptions(yargs))
      .option('from', { type: 'number', default: 0, describe: 'first event' })
      .option('to', {
        type: 'number',
        default: Infinity,
        defaultDescription: 'the end',
        describe: 'the event behind the last',
      })
      .option('threads', { type: 'string', describe: 'only the blocks of these threads: 0,3,7-9' })
      .option('live', {
        choices: ['prefix', 'drop'] as const,
        default: 'prefix' as const,
        describe: 'blocks that are live at --from: allocate them first, or leave out all that happens to them',
      }) as unknown as Argv<CutArguments>,
  handler: async (argv) => {
    const { from, to, live } = argv;
    if (!(Number.isInteger(from) && from >= 0))
      throw new UserError(`--from: found '${from}', expected an event number`);
    if (!(to >= from)) throw new UserError(`--to: found '${to}', expected an event number from ${from} on`);
    const threads = argv.threads === undefined ? undefined : threadSet(argv.threads);
    const part = cutTrace(await load(argv), { from, to, live, ...(threads && { threads }) });
    await writeTrace(argv.out, part);
  },
};

const THREAD_RANGE_MAX = 1e6;

function threadSet(text: string): Set<number> {
  const threads = new Set<number>();
  for (const range of text.split(',')) {
    const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(range);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (!(last >= first && last - first < THREAD_RANGE_MAX)) {
      throw new UserError(`--threads: found '${text}', expected thread numbers as 0,3,7-9`);
    }
    for (let thread = first; thread <= last; thread++) threads.add(thread);
  }
  return threads;
}

export const traceCommand: CommandModule<object, object> = {
  command: 'trace <command>',
  describe: 'work on traces: check, info, convert, cut, import, record',
  builder: (yargs: Argv) =>
    yargs
      .command(checkCommand)
      .command(infoCommand)
      .command(convertCommand)
      .command(cutCommand)
      .demandCommand(1, 'found no command, expected check, info, convert or cut')
      .strict(),
  handler: () => {},
};

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

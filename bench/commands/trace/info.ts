import type { Argv, CommandModule } from 'yargs';
import { bytes, columns, count, counted, duration, percent } from '../../../sim/contract/format.ts';
import { ASSUMED_WRITES } from '../../../workloads/trace/assumed-writes.ts';
import { IDLE_AT_EXIT, idleAtExit } from '../../../workloads/trace/idle-at-exit.ts';
import { type TraceStatistics, traceStatistics } from '../../../workloads/trace/statistics.ts';
import { answer } from '../../cli/answer.ts';
import { type AnswerArguments, answerOptions } from '../../cli/answer-options.ts';
import { escapeLine, escapeLineStart } from '../../report/escape.ts';
import { tablesCsv } from '../../report/tables-csv.ts';
import { type InputArguments, inputOptions, loadInput } from './input.ts';

export const infoCommand: CommandModule<object, InputArguments & AnswerArguments> = {
  command: 'info <in>',
  describe: 'what is in a trace: events, threads, sizes, lifetimes, frees by other threads',
  builder: (yargs: Argv) => answerOptions(inputOptions(yargs), { csv: 'the tables' }),
  handler: async (argv) => {
    const statistics = traceStatistics(await loadInput(argv));
    await answer(
      argv,
      statistics,
      () => `${infoText(argv.in, statistics)}\n`,
      () => infoCsv(statistics),
    );
  },
};

/** What the text shows, and every label. */
function infoCsv({ sizes, lifetimes, recorded, labels, ...facts }: TraceStatistics): string {
  const { command, process, environment, machine } = recorded;
  const known = {
    command,
    process: process ?? {},
    machine: Object.fromEntries(machine),
    environment: Object.fromEntries(environment),
  };
  return tablesCsv([
    { name: 'trace', rows: [['all', facts]] },
    { name: 'recorded', rows: [['all', known]] },
    { name: 'sizes', rows: sizes.map(({ upTo, ...figures }) => [upTo, figures]) },
    { name: 'lifetimes', rows: lifetimes.map(({ upToEvents, ...figures }) => [upToEvents, figures]) },
    { name: 'labels', rows: labels.map((label, i) => [i, { label }]) },
  ]);
}

const SHOWN_LABELS = 12;

/** Of events whose names in a trace say little. */
const KINDS: Readonly<Record<string, string>> = {
  m: 'malloc',
  c: 'calloc',
  r: 'realloc',
  a: 'memalign',
  f: 'free',
  em: 'emalloc',
  ec: 'ecalloc',
  er: 'erealloc',
  ef: 'efree',
  eb: 'request begins',
  ee: 'request ends',
  w: 'writes',
  tb: 'thread begins',
  te: 'thread exits',
  tc: 'pthread_create',
  tj: 'pthread_join',
  gc: 'gc_mem_caches',
  es: 'PHP shuts down',
  trim: 'malloc_trim',
  opt: 'mallopt',
  ctl: 'mallctl',
  '+': 'clock',
  '=': 'samples',
};

function infoText(input: string, s: TraceStatistics): string {
  const kinds = Object.entries(s.eventCounts).sort(([, x], [, y]) => y - x);
  const labels = s.labels.slice(0, SHOWN_LABELS).map(escapeLine).join(', ');
  return [
    escapeLineStart(s.name || input),
    ...columns(
      [
        ['source', escapeLine(s.source) || 'not said'],
        ['touch', s.touch],
        ['events', `${count(s.events)}: ${kinds.map(([kind, n]) => `${KINDS[kind] ?? kind} ${count(n)}`).join(', ')}`],
        ['threads', `${count(s.threads)}, at most ${count(s.threadsPeak)} at once`],
        ['recorded time', duration(s.recordedNs)],
        ['allocations', `${count(s.allocations)} of ${bytes(s.allocatedBytes)} in all`],
        ['peak', `${bytes(s.requestedPeakBytes)} asked for, ${counted(s.liveBlocksPeak, 'block')}`],
        ['live at the end', `${bytes(s.liveBytesAtEnd)} in ${counted(s.liveBlocksAtEnd, 'block')}`],
        [
          'freed by another thread',
          `${count(s.crossThreadFrees)} of ${count(s.frees)} (${share(s.crossThreadFrees, s.frees)})`,
        ],
        ...factRows(s),
        ['labels', `${count(s.labels.length)}${labels && `: ${labels}`}${s.labels.length > SHOWN_LABELS ? ', …' : ''}`],
        ...(s.skipped > 0 ? [['left out', counted(s.skipped, 'event')]] : []),
      ],
      'l',
    ),
    ...tableLines(
      'Sizes',
      ['up to', 'blocks', 'share', 'bytes', 'share'],
      s.sizes.map((row) => [
        bytes(row.upTo),
        count(row.blocks),
        share(row.blocks, s.allocations),
        bytes(row.bytes),
        share(row.bytes, s.allocatedBytes),
      ]),
    ),
    ...tableLines(
      'Lifetimes of freed blocks',
      ['events up to', 'blocks', 'share'],
      s.lifetimes.map((row) => [count(row.upToEvents), count(row.blocks), share(row.blocks, s.frees)]),
    ),
  ].join('\n');
}

const tableLines = (title: string, head: readonly string[], rows: readonly string[][]): string[] => [
  '',
  title,
  ...(rows.length === 0 ? ['  none'] : columns([[...head], ...rows], 'r')),
];

/** What version 2 of the format adds, as far as it is there. */
function factRows(s: TraceStatistics): string[][] {
  const { command, process, environment, machine } = s.recorded;
  const pairs = (list: readonly (readonly [string, string])[]) => list.map((pair) => pair.join('=')).join(' ');
  const rows = [
    ['command', command],
    ['process', process ? `${process.pid}, a child of ${process.parent}` : ''],
    ['machine', pairs(machine.filter(([key]) => key !== ASSUMED_WRITES && key !== IDLE_AT_EXIT))],
    ['environment', pairs(environment)],
    ['exit begins', s.exitEvent === null ? '' : `event ${count(s.exitEvent)}${idleText(s)}`],
    ['failed allocations', s.failedAllocations === 0 ? '' : count(s.failedAllocations)],
    ['blocks with known writes', s.knownWrites === 0 ? '' : count(s.knownWrites)],
    ['assumed writes', s.assumedWriteBytes === 0 ? '' : `${bytes(s.assumedWriteBytes)} of large blocks`],
    ['call sites', s.callSites === 0 ? '' : count(s.callSites)],
    ['samples of the kernel', s.observations === 0 ? '' : count(s.observations)],
  ];
  return rows.filter(([, value]) => value !== '');
}

/** How long before that the last free of a large block had come back. */
function idleText({ recorded }: TraceStatistics): string {
  const ns = idleAtExit({ recorded });
  return ns === Infinity ? '' : `, ${duration(ns)} behind the last free of a large block`;
}

function share(part: number, whole: number): string {
  return whole === 0 ? '-' : percent(part / whole);
}

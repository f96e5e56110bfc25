import { columns, counted } from '../../sim/contract/format.ts';
import { tablesCsv } from '../report/tables-csv.ts';
import { interruptedMark, type Palette } from '../report/text/palette.ts';
import type { Benchmark } from './benchmark.ts';
import { type Goal, markOf } from './goals.ts';

const fixed = (value: number | undefined, digits: number) => (value === undefined ? '-' : value.toFixed(digits));
const share = (value: number) => `${value < 0 ? '-' : '+'}${Math.abs(value * 100).toFixed(1)} %`;

export function benchmarkText(b: Benchmark, palette: Palette, judge: boolean): string {
  const header = ['trace', 'model', 'untouched', 'full', 'first', 'real', 'real full', 'ratio', 'ratio full'];
  const rows = b.rows.map((row) => [
    row.trace,
    row.allocator,
    fixed(row.model.none, 1),
    fixed(row.model.full, 1),
    fixed(row.model.first, 1),
    fixed(row.real?.none, 1),
    fixed(row.real?.full, 1),
    fixed(row.ratio?.none, 2),
    fixed(row.ratio?.full, 2),
    share(row.residency.full),
    share(row.residency.first),
    fixed(row.hostBytesPerLiveBlock, 1),
  ]);
  const ceiling = b.ceiling.map(({ trace, rate }) => [trace, 'empty', fixed(rate, 1)]);
  const lines = [
    ...(b.partial ? [interruptedMark(true, palette)] : []),
    judge
      ? `Warm, one core, ${counted(b.events, 'event')}, medians of ${b.rounds} rounds in turns; M events/s of processor time`
      : `${counted(b.events, 'event')}, hardly warm: shows that everything runs, not how fast; M events/s of processor time`,
    '',
    ...columns([[...header, 'RSS full', 'RSS first', 'host B/block'], ...ceiling, ...rows], 'llr'),
    '',
    ...columns(
      [
        ['32 threads', 'model', 'lockstep ns/event', 'virtual', 'ratio'],
        ...b.scheduling.map((row) => [
          row.workload,
          row.allocator,
          fixed(row.lockstepNs, 0),
          fixed(row.virtualNs, 0),
          fixed(row.ratio, 2),
        ]),
      ],
      'llr',
    ),
  ];
  if (b.loading) {
    lines.push(
      '',
      `Text parse ${fixed(b.loading.textMegabytesPerSecond, 0)} MB/s, binary load ${fixed(b.loading.binaryNsPerEvent, 2)} ns/event, ` +
        `cold run of ${counted(b.loading.coldEvents, 'event')} ${fixed(b.loading.coldSeconds, 2)} s`,
    );
  }
  if (b.noReal) lines.push('', `No real allocator beside: ${b.noReal}`);
  if (judge && !b.partial)
    lines.push(
      '',
      'Goals',
      ...columns([['', 'found', 'must', 'aim', ''], ...b.goals.map((goal) => goalCells(goal, palette))], 'lrrrl'),
    );
  return `${lines.join('\n')}\n`;
}

function goalCells(goal: Goal, palette: Palette): string[] {
  const mark = markOf(goal);
  const word = mark === 'missed' ? palette.red('✗ missed') : mark === 'must' ? '✓ must' : '✓✓ aim';
  const limit = goal.below ? '≤' : '≥';
  const { found, must, aim, unit } = goal;
  return [goal.name, `${fixed(found, found < 10 ? 2 : 1)} ${unit}`, `${limit} ${must}`, `${limit} ${aim}`, word];
}

/** The same tables; rates in millions of events a second. */
export function benchmarkCsv({ rows, ceiling, scheduling, loading, goals }: Benchmark): string {
  return tablesCsv([
    { name: 'replay', rows: ceiling.map(({ trace, rate }) => [`${trace}, empty`, { rate }]) },
    { name: 'replay', rows: rows.map(({ trace, allocator, ...figures }) => [`${trace}, ${allocator}`, figures]) },
    {
      name: 'virtual time',
      rows: scheduling.map(({ workload, allocator, ...rest }) => [`${workload}, ${allocator}`, rest]),
    },
    { name: 'loading', rows: loading ? [['all', loading]] : [] },
    { name: 'goals', rows: goals.map(({ name, ...figures }) => [name, figures]) },
  ]);
}

import { tablesCsv } from '../../../bench/report/tables-csv.ts';
import { interruptedMark, type Palette } from '../../../bench/report/text/palette.ts';
import { columns } from '../../../sim/contract/format.ts';
import { median } from '../../evidence/median.ts';
import { type CommandBenchmark, type CommandRow, isReached } from './rows.ts';

const fixed = (value: number): string => value.toFixed(value < 10 ? 2 : 0);

/** Each figure beside its goal; `judge` where they were measured to be judged. */
export function commandsText(
  { rounds, load, noReal, rows, partial }: CommandBenchmark,
  palette: Palette,
  judge: boolean,
): string {
  const lines = [
    ...(partial ? [interruptedMark(true, palette)] : []),
    judge
      ? `Commands in fresh processes, medians of ${rounds} (least to most), time on the wall`
      : 'Few events, one round: shows that everything runs, not how fast',
    `Load of the machine: ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} behind, on ${load.processors} processors`,
  ];
  for (const group of new Set(rows.map((row) => row.group))) {
    const own = rows.filter((row) => row.group === group);
    const table = own.map((row) => cells(row, palette, judge));
    lines.push('', ...columns([[group, 'found', 'range', 'goal', '', ''], ...table], 'lrrrll'));
  }
  if (noReal) lines.push('', `No real allocator beside: ${noReal}`);
  return `${lines.join('\n')}\n`;
}

function cells(row: CommandRow, palette: Palette, judge: boolean): string[] {
  const middle = median(row.found);
  const range = `${fixed(Math.min(...row.found))} to ${fixed(Math.max(...row.found))}`;
  const reached = judge ? isReached(row, middle) : undefined;
  const mark = reached === undefined ? '' : reached ? '✓' : palette.red('✗ missed');
  const goal = row.goal === undefined ? '' : `${row.below ? '≤' : '≥'} ${row.goal}`;
  return [row.name, `${fixed(middle)} ${row.unit}`, row.found.length > 1 ? range : '', goal, mark, row.about ?? ''];
}

/** The same, the rounds one by one. */
export function commandsCsv({ rows }: CommandBenchmark): string {
  return tablesCsv(
    [...new Set(rows.map((row) => row.group))].map((group) => ({
      name: group,
      rows: rows
        .filter((row) => row.group === group)
        .map(({ name, group: _, found, ...figures }) => [name, { median: median(found), found, ...figures }]),
    })),
  );
}

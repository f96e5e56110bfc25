import { columns } from '../../../sim/contract/format.ts';
import type { Comparison, ComparisonCell } from '../../metrics/comparison.ts';
import { metricNamed, metricText } from '../../metrics/index.ts';
import { escapeLine, escapeLineStart } from '../../report/escape.ts';
import { interruptedMark, type Palette, PLAIN } from '../../report/text/summary.ts';

/** A comparison for people: a row a metric, a column an allocator. */
export function comparisonText(c: Comparison, palette: Palette = PLAIN): string {
  const many = c.seeds.length > 1;
  const letters = c.columns.map((_, i) => String.fromCharCode(65 + (i % 26)).repeat(1 + Math.floor(i / 26)));
  const parameters = Object.entries(c.parameters).map(([name, value]) => `${name}=${value}`);
  const lines = [
    `${palette.bold(escapeLineStart(c.workload))}${parameters.length > 0 ? ` (${parameters.join(' ')})` : ''}, ${c.mode}, ${c.cpus} cpus, ${many ? `${c.seeds.length} seeds: median (least to greatest)` : `seed ${c.seeds[0]}`}${interruptedMark(c.partial, palette)}`,
    ...columns(
      c.columns.map((name, i) => [palette.bold(letters[i]!), escapeLine(name)]),
      'l',
    ),
    '',
  ];
  const cellTexts = (row: Comparison['rows'][number], cell: ComparisonCell | null, index: number): string[] => {
    if (!cell) return ['-', ''];
    const metric = metricNamed(row.metric);
    const value = metricText(metric, cell.median);
    const range =
      many && cell.min !== cell.max ? ` (${metricText(metric, cell.min)} to ${metricText(metric, cell.max)})` : '';
    const mark = cell.mark === 'best' ? ' +' : cell.mark === 'worst' ? ' -' : '  ';
    const marked = `${value}${range}${mark}`;
    const ratio = index === 0 ? '' : cell.ratio === null ? '' : `×${cell.ratio.toFixed(2)}`;
    return [
      cell.mark === 'best' ? palette.bold(marked) : cell.mark === 'worst' ? palette.red(marked) : marked,
      palette.dim(cell.differsFromFirst || index === 0 ? ratio : `${ratio ? `(${ratio})` : ''}`),
    ];
  };
  const table = [
    ['', ...letters.flatMap((letter) => [`${palette.bold(letter)}  `, ''])],
    ...c.rows.map((row) => [row.metric, ...row.cells.flatMap((cell, i) => cellTexts(row, cell, i))]),
  ];
  lines.push(...columns(table, 'lr'));
  lines.push(
    '',
    palette.dim('  + best   - worst   ×ratio to A; in brackets where the ranges of the seeds do not show a difference'),
  );
  return `${lines.join('\n')}\n`;
}

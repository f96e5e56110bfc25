import { columns } from '../../../sim/contract/format.ts';
import type { Comparison, ComparisonCell, ComparisonRow } from '../../metrics/comparison.ts';
import { metricNamed, metricText } from '../../metrics/index.ts';
import { escapeLine, escapeLineStart } from '../../report/escape.ts';
import { fold, visibleLength } from '../../report/text/fold.ts';
import { interruptedMark, type Palette, PLAIN } from '../../report/text/palette.ts';
import { answerSentences } from './answer-text.ts';

/** A comparison for people: a row a metric, a column an allocator; in blocks where they do not fit beside each other. */
export function comparisonText(c: Comparison, palette: Palette = PLAIN, width = 80): string {
  const many = c.seeds.length > 1;
  const letters = c.columns.map((_, i) => letterOf(i));
  const parameters = Object.entries(c.parameters).map(([name, value]) => `${name}=${value}`);
  const time = c.mode === 'lockstep' ? c.mode : `${c.mode}, pace ${c.pace}`;
  const seeds = many ? `${c.seeds.length} seeds: median (least to greatest)` : `seed ${c.seeds[0]}`;
  const lines = [
    ...fold(`${palette.bold(escapeLineStart(c.workload))}, ${time}, ${c.cpus} cpus, ${seeds}`, width, '  '),
    ...(c.partial ? [interruptedMark(true, palette)] : []),
    ...(c.timeReason === null ? [] : fold(`  (${c.timeReason})`, width, '  ')),
    ...(parameters.length > 0 ? fold(`  ${parameters.join(' ')}`, width, '  ') : []),
    ...c.columns.flatMap((name, i) => fold(`  ${palette.bold(letters[i]!)}  ${escapeLine(name)}`, width, '     ')),
    '',
    ...(c.cautions.length > 0 ? [...c.cautions.flatMap((text) => fold(text, width).map(palette.bold)), ''] : []),
    ...answerLines(c, letters, palette, width),
  ];
  for (const block of blocksOf(c, letters, palette, width)) lines.push(...block, '');
  for (const group of c.same) {
    const names = group.map((i) => letters[i]!);
    const isOne = group.every((i) => c.columns[i] === c.columns[group[0]!]);
    const why = isOne ? 'it is one allocator' : 'nothing in this workload used the difference';
    const text = `${names.slice(0, -1).join(', ')} and ${names.at(-1)} are the same in every figure: ${why}.`;
    lines.push(...fold(text, width));
  }
  if (c.mode === 'lockstep')
    lines.push(...fold('Time, latency and waiting for locks are unknown: file order has no time.', width));
  if (c.times !== null) lines.push(...fold(`Times: ${escapeLine(c.times)}.`, width).map(palette.dim));
  if (c.columns.length > 1) lines.push(...fold(LEGEND, width).map(palette.dim));
  return `${lines.join('\n')}\n`;
}

function answerLines(c: Comparison, letters: readonly string[], palette: Palette, width: number): string[] {
  const sentences = answerSentences(c, letters);
  return sentences.length > 0 ? [...sentences.flatMap((text) => fold(text, width).map(palette.bold)), ''] : [];
}

const LEGEND = '+ best   - worst   ×ratio to A; in brackets where the ranges of the seeds do not show a difference';

const letterOf = (i: number) => String.fromCharCode(65 + (i % 26)).repeat(1 + Math.floor(i / 26));

/** As many allocators beside each other as fit; the first is in each block, for the ratios. */
function blocksOf(c: Comparison, letters: readonly string[], palette: Palette, width: number): string[][] {
  const table = (indices: readonly number[]) =>
    columns(
      [
        ['', ...indices.flatMap((i) => [`${palette.bold(letters[i]!)}  `, ''])],
        ...c.rows.map((row) => [row.metric, ...indices.flatMap((i) => cellTexts(c, row, row.cells[i]!, i, palette))]),
      ],
      'lr',
    );
  const fits = (indices: readonly number[]) => table(indices).every((line) => visibleLength(line) <= width);
  const blocks: number[][] = [];
  for (let i = c.columns.length > 1 ? 1 : 0; i < c.columns.length; i++) {
    const last = blocks.at(-1);
    if (last && fits([...last, i])) last.push(i);
    else blocks.push(i === 0 ? [0] : fits([0, i]) ? [0, i] : [i]);
  }
  if (blocks[0] && !blocks[0].includes(0)) blocks.unshift([0]);
  return blocks.map(table);
}

function cellTexts(
  c: Comparison,
  row: ComparisonRow,
  cell: ComparisonCell | null,
  index: number,
  palette: Palette,
): string[] {
  if (!cell) return ['-', ''];
  const metric = metricNamed(row.metric);
  const value = metricText(metric, cell.median);
  const [least, greatest] = [metricText(metric, cell.min), metricText(metric, cell.max)];
  const range = c.seeds.length > 1 && least !== greatest ? ` (${least} to ${greatest})` : '';
  const mark = cell.mark === 'best' ? ' +' : cell.mark === 'worst' ? ' -' : '  ';
  const marked = `${value}${range}${mark}`;
  const ratio = index === 0 || cell.ratio === null ? '' : `×${cell.ratio.toFixed(2)}`;
  return [
    cell.mark === 'best' ? palette.bold(marked) : cell.mark === 'worst' ? palette.red(marked) : marked,
    palette.dim(cell.differsFromFirst || index === 0 || ratio === '' ? ratio : `(${ratio})`),
  ];
}

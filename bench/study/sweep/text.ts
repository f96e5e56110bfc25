import { csvText } from '../../../sim/contract/escape.ts';
import { columns, counted } from '../../../sim/contract/format.ts';
import { metricNamed, metricText } from '../../metrics/index.ts';
import { escapeLineStart } from '../../report/escape.ts';
import { fold, visibleLength } from '../../report/text/fold.ts';
import { interruptedMark, type Palette, PLAIN } from '../../report/text/palette.ts';
import { upToMomentText } from '../judged-moment.ts';
import type { SweepResult } from './sweep.ts';

const SHOWN = 40;

/** A sweep for people: best first, the points that nothing beats marked. */
export function sweepText(result: SweepResult, palette: Palette = PLAIN, width = 80): string {
  const many = result.seeds.length > 1;
  const shown = result.points.slice(0, SHOWN);
  const figures = (point: SweepResult['points'][number]) =>
    result.metrics.map((name) => {
      const figure = point.figures[name];
      if (!figure) return '-';
      const metric = metricNamed(name);
      const [least, greatest] = [metricText(metric, figure.min), metricText(metric, figure.max)];
      const range = many && least !== greatest ? ` (${least} to ${greatest})` : '';
      return metricText(metric, figure.median) + range;
    });
  const nameOf = (point: SweepResult['points'][number]) =>
    point.failed ? palette.red(point.allocator) : point.allocator;
  const mark = (point: SweepResult['points'][number]) => (point.front ? palette.bold('*') : '');
  const table = columns(
    [
      ['', 'allocator', 'cpus', ...result.metrics].map(palette.dim),
      ...shown.map((point) => [mark(point), nameOf(point), `${point.cpus}`, ...figures(point)]),
    ],
    'llr',
  );
  const seeds = many ? `${result.seeds.length} seeds: median (least to greatest)` : `seed ${result.seeds[0]}`;
  const lines = [
    ...fold(
      `${palette.bold(escapeLineStart(result.workload))}, ${result.mode}, ${counted(result.points.length, 'point')}, ${seeds}`,
      width,
      '  ',
    ),
    ...(result.partial ? [interruptedMark(true, palette)] : []),
    ...(table.every((line) => visibleLength(line) <= width)
      ? table
      : shown.flatMap((point) => blockLines(point, mark(point), nameOf(point), figures(point), result.metrics, width))),
  ];
  if (shown.length < result.points.length) {
    lines.push(palette.dim(`  ${shown.length} of ${result.points.length} points; all of them with --json or --csv`));
  }
  lines.push('', palette.dim('  * best trade-off: no other point beats it in every metric'));
  return `${lines.join('\n')}\n${upToMomentText(result.moment, width)}`;
}

/** A point whose row does not fit: its name, and below it each figure with the name of its metric. */
function blockLines(
  { cpus }: SweepResult['points'][number],
  mark: string,
  name: string,
  figures: readonly string[],
  metrics: readonly string[],
  width: number,
): string[] {
  const texts = metrics.map((metric, i) => `${metric} ${figures[i]!}`.replaceAll(' ', NO_BREAK));
  return [
    ...fold(`${mark || ' '} ${name}, ${cpus} cpus`, width, '  '),
    ...fold(`    ${texts.join(', ')}`, width, '    ').map((line) => line.replaceAll(NO_BREAK, ' ')),
  ];
}

/** Stands for the spaces inside a figure while a line is broken. */
const NO_BREAK = '\u0001';

/** One line a point and seed, for spreadsheets. */
export function sweepCsv(result: SweepResult): string {
  return csvText(
    ['allocator', 'cpus', 'seed', 'front', 'failed', ...result.metrics],
    result.points.flatMap((point) =>
      result.seeds.map((seed, i) => [
        point.allocator,
        point.cpus,
        seed,
        point.front,
        point.failed,
        ...result.metrics.map((name) => point.figures[name]?.values[i] ?? null),
      ]),
    ),
  );
}

import { columns } from '../../../sim/contract/format.ts';
import { metricNamed, metricText } from '../../metrics/index.ts';
import { csvField, escapeLineStart } from '../../report/escape.ts';
import { interruptedMark, type Palette, PLAIN } from '../../report/text/summary.ts';
import type { SweepResult } from './sweep.ts';

const SHOWN = 40;

/** A sweep for people: best first, the points that nothing beats marked. */
export function sweepText(result: SweepResult, palette: Palette = PLAIN): string {
  const many = result.seeds.length > 1;
  const shown = result.points.slice(0, SHOWN);
  const rows = shown.map((point) => [
    point.front ? palette.bold('*') : '',
    point.failed ? palette.red(point.allocator) : point.allocator,
    `${point.cpus}`,
    ...result.metrics.map((name) => {
      const figure = point.figures[name];
      if (!figure) return '-';
      const metric = metricNamed(name);
      const range =
        many && figure.max > figure.min
          ? ` (${metricText(metric, figure.min)} to ${metricText(metric, figure.max)})`
          : '';
      return metricText(metric, figure.median) + range;
    }),
  ]);
  const lines = [
    `${palette.bold(escapeLineStart(result.workload))}, ${result.mode}, ${result.points.length} points, ${many ? `${result.seeds.length} seeds: median (least to greatest)` : `seed ${result.seeds[0]}`}${interruptedMark(result.partial, palette)}`,
    ...columns([['', 'allocator', 'cpus', ...result.metrics].map(palette.dim), ...rows], 'llr'),
  ];
  if (shown.length < result.points.length) {
    lines.push(palette.dim(`  ${shown.length} of ${result.points.length} points; all of them with --json or --csv`));
  }
  lines.push('', palette.dim('  * no other point is as good in every metric and better in one'));
  return `${lines.join('\n')}\n`;
}

/** One line a point and seed, for spreadsheets. */
export function sweepCsv(result: SweepResult): string {
  const lines = [['allocator', 'cpus', 'seed', 'front', 'failed', ...result.metrics].join(',')];
  for (const point of result.points) {
    for (const [i, seed] of result.seeds.entries()) {
      const values = result.metrics.map((name) => `${point.figures[name]?.values[i] ?? ''}`);
      lines.push([csvField(point.allocator), point.cpus, seed, point.front, point.failed, ...values].join(','));
    }
  }
  return `${lines.join('\n')}\n`;
}

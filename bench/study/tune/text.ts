import { columns, percent } from '../../../sim/contract/format.ts';
import { metricNamed, metricText } from '../../metrics/index.ts';
import { escapeLineStart } from '../../report/escape.ts';
import { interruptedMark, type Palette, PLAIN } from '../../report/text/summary.ts';
import type { TuneResult } from './tune.ts';

export function tuneText(result: TuneResult, palette: Palette = PLAIN): string {
  const metric = metricNamed(result.objective);
  const change = result.from.value === 0 ? '' : `  (${percent(result.best.value / result.from.value - 1)})`;
  const lines = [
    `${palette.bold(escapeLineStart(result.workload))}: ${result.objective} ${metricText(metric, result.from.value)} → ${palette.bold(metricText(metric, result.best.value))}${change}${interruptedMark(result.partial, palette)}`,
    `  ${palette.bold(result.best.allocator)}`,
    '',
    ...columns(
      [
        ['runs', result.objective, 'allocator'].map(palette.dim),
        ...result.steps.map((s) => [`${s.runs}`, metricText(metric, s.value), s.allocator]),
      ],
      'rrl',
    ),
  ];
  if (result.kept.length > 0) {
    lines.push(
      '',
      ...columns(
        result.kept.map((k) => [
          k.metric,
          metricText(metricNamed(k.metric), k.from),
          '→',
          metricText(metricNamed(k.metric), k.best),
        ]),
        'lrlr',
      ),
    );
  }
  lines.push(
    '',
    palette.dim(
      result.settled
        ? `  ${result.runs} runs: no single option makes it better any more`
        : result.partial
          ? `  ${result.runs} runs: the search was interrupted`
          : `  ${result.runs} runs: the budget ended before the search did (--budget)`,
    ),
  );
  return `${lines.join('\n')}\n`;
}

import { bytes, columns, count, duration } from '../../../sim/contract/format.ts';
import { escapeLineStart } from '../../report/escape.ts';
import { interruptedMark, type Palette, PLAIN } from '../../report/text/summary.ts';
import type { PlanResult } from './plan.ts';

export function planText(result: PlanResult, palette: Palette = PLAIN): string {
  const wanted = result.processes !== null;
  const rows = result.rows.map((r) => [
    r.allocator,
    bytes(r.meanBytes),
    bytes(r.deviationBytes),
    bytes(r.peakBytes),
    count(r.fitsAtPeak),
    count(r.fitsIndependent),
    ...(wanted ? [bytes(r.needsAtPeakBytes!), bytes(r.needsIndependentBytes!)] : []),
    r.virtualNs === null ? '-' : duration(r.virtualNs),
  ]);
  const needs = wanted ? [`${count(result.processes!)} at peak need`, 'independent'] : [];
  const lines = [
    `${palette.bold(escapeLineStart(result.workload))} in ${palette.bold(bytes(result.memory))}, ${result.mode}${result.extra > 0 ? `, ${bytes(result.extra)} a process beside its heap` : ''}${interruptedMark(result.partial, palette)}`,
    ...columns(
      [
        ['allocator', 'mean', 'deviation', 'peak', 'fit at peak', 'fit independent', ...needs, 'a run'].map(
          palette.dim,
        ),
        ...rows,
      ],
      'lr',
    ),
    '',
    palette.dim('  at peak: every process reaches its peak at the same moment'),
    palette.dim(
      `  independent: they do not wait for each other; the memory is exceeded with a probability of ${result.risk} at a moment`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

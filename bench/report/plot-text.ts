import { bytes } from '../../sim/contract/format.ts';
import { axisOf, residentAt } from './axis.ts';
import type { ReportRun } from './report-run.ts';
import { terminalPlot } from './terminal-plot.ts';

/** Resident bytes of every run, and what was requested, in so many columns with all labels. */
export function plotText(runs: readonly ReportRun[], columns: number, colours: boolean): string {
  const [first] = runs;
  const axis = axisOf(first!.result);
  const lines = runs.map(({ result }) => ({
    label: runs.length > 1 ? result.run.allocator : 'resident',
    values: residentAt(result, axis.values),
  }));
  lines.push({ label: 'requested', values: first!.result.samples.map((s) => s.requestedBytes) });
  return terminalPlot(axis.values, lines, {
    columns: Math.max(30, columns),
    height: 16,
    yText: bytes,
    xText: (value) => `${axis.label === 'events' ? 'event ' : ''}${axis.text(value)}`,
    colours,
  });
}

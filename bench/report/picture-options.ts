import type { Argv } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { bytes } from '../../sim/contract/format.ts';
import { writeFolder, writeWhole } from '../../workloads/files/line-sink.ts';
import { axisOf, residentAt } from './axis.ts';
import { buildPage, buildPageData, type ReportRun } from './build-page.ts';
import { svgFigures } from './figures.ts';
import { histogramsOf } from './histograms.ts';
import { terminalPlot } from './terminal-plot.ts';

/** Pictures of one run or of several. */
export interface PictureArguments {
  report: string | undefined;
  svg: string | undefined;
  plot: boolean;
}

export function pictureOptions<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .option('report', { type: 'string', describe: 'one HTML page with every figure to FILE; needs no network' })
    .option('svg', { type: 'string', describe: 'the figures as SVG files into DIR' })
    .option('plot', { type: 'boolean', default: false, describe: 'draw the curves in the terminal' }) as Argv<T>;
}

/** Whether the run has to be recorded for the pictures that were asked for. */
export function wantsRecording(argv: PictureArguments): boolean {
  for (const option of ['report', 'svg'] as const) {
    if (argv[option] === '') throw new UserError(`--${option}: found no name, expected --${option} NAME`);
  }
  return argv.report !== undefined || argv.svg !== undefined || argv.plot;
}

/** Writes what was asked for; the plot comes back as text. */
export function drawPictures(argv: PictureArguments, runs: readonly ReportRun[], events: EventBuffer): string {
  const histograms = argv.report || argv.svg ? histogramsOf(events) : null;
  if (argv.report) writeWhole(argv.report, buildPage(buildPageData(runs, { histograms })));
  if (argv.svg) {
    writeFolder(argv.svg, svgFigures(runs, histograms));
  }
  return argv.plot ? plotText(runs, Math.min(100, (process.stdout.columns ?? 100) - 14), process.stdout.isTTY) : '';
}

/** Resident bytes of every run, and what was requested. */
export function plotText(runs: readonly ReportRun[], width: number, colours: boolean): string {
  const [first] = runs;
  const axis = axisOf(first!.result);
  const lines = runs.map(({ result }) => ({
    label: runs.length > 1 ? result.run.allocator : 'resident',
    values: residentAt(result, axis.values),
  }));
  lines.push({ label: 'requested', values: first!.result.samples.map((s) => s.requestedBytes) });
  return terminalPlot(axis.values, lines, {
    width: Math.max(20, width),
    height: 16,
    yText: bytes,
    xText: (value) => `${axis.label === 'events' ? 'event ' : ''}${axis.text(value)}`,
    colours,
  });
}

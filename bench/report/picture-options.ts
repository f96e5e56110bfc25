import type { Argv } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { writeFolder, writeWhole } from '../../workloads/files/line-sink.ts';
import { buildPageData } from './build-page.ts';
import { svgFigures, svgPicture } from './figures.ts';
import { histogramsOf } from './histograms.ts';
import { buildPage } from './page-document.ts';
import { plotText } from './plot-text.ts';
import type { ReportRun } from './report-run.ts';

/** Pictures of one run or of several. */
export interface PictureArguments {
  report: string | undefined;
  svg: string | undefined;
  plot: boolean;
}

export function pictureOptions<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .option('report', { type: 'string', describe: 'one HTML page with every figure to FILE; needs no network' })
    .option('svg', { type: 'string', describe: 'the one picture to FILE.svg, or every figure as SVG files into DIR' })
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
  if (argv.svg?.endsWith('.svg')) writeWhole(argv.svg, svgPicture(runs));
  else if (argv.svg) {
    writeFolder(argv.svg, svgFigures(runs, histograms));
  }
  return argv.plot ? plotText(runs, Math.min(100, process.stdout.columns ?? 80), process.stdout.isTTY) : '';
}

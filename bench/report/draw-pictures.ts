import type { EventBuffer } from '../../sim/contract/event.ts';
import { writeFolder, writeWhole } from '../../workloads/files/line-sink.ts';
import { buildPageData } from './build-page.ts';
import { svgFigures, svgPicture } from './figures.ts';
import { histogramsOf } from './histograms.ts';
import { buildPage } from './page-document.ts';
import type { PictureArguments } from './picture-options.ts';
import { plotText } from './plot-text.ts';
import type { ReportRun } from './report-run.ts';

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

import type { EventBuffer } from '../../sim/contract/event.ts';
import { writeFolder, writeWhole } from '../../workloads/files/line-sink.ts';
import { buildPageData } from './build-page.ts';
import { svgFigures, svgPicture } from './figures.ts';
import { histogramsOf } from './histograms.ts';
import { buildPage } from './page-document.ts';
import type { PictureArguments } from './picture-options.ts';
import { plotText } from './plot-text.ts';
import type { ReportRun } from './report-run.ts';

/** A wider plot tells no more. */
const WIDTH_MAX = 100;

/** Writes what was asked for; the plot comes back as text. Undefined where the signal came before all of it was there. */
export async function drawPictures(
  argv: PictureArguments,
  runs: readonly ReportRun[],
  events: EventBuffer,
  signal: AbortSignal,
  columns: number,
): Promise<string | undefined> {
  const isOver = async () => {
    await new Promise((resolve) => setImmediate(resolve)); // a signal that has come is heard
    return signal.aborted;
  };
  const histograms = argv.report || argv.svg ? histogramsOf(events) : null;
  if (await isOver()) return undefined;
  if (argv.report) {
    const page = buildPageData(runs, { histograms });
    if (await isOver()) return undefined;
    writeWhole(argv.report, buildPage(page));
    if (await isOver()) return undefined;
  }
  if (argv.svg?.endsWith('.svg')) writeWhole(argv.svg, svgPicture(runs));
  else if (argv.svg) writeFolder(argv.svg, svgFigures(runs, histograms));
  if (await isOver()) return undefined;
  return argv.plot ? plotText(runs, Math.min(WIDTH_MAX, columns), process.stdout.isTTY) : '';
}

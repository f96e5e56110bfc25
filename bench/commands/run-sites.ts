import { loadModel } from '../../allocators/load.ts';
import { terminalPalette } from '../cli/palette.ts';
import type { SiteArguments } from '../cli/site-options.ts';
import { writeSites } from '../cli/write-sites.ts';
import type { ReportRun } from '../report/report-run.ts';
import { diffStacks, type StackBytes } from '../report/sites/stacks.ts';
import type { RunOptions } from '../run/run-options.ts';
import { bytesBySite } from '../study/explain/by-site.ts';
import { momentOf } from '../study/explain/moment-in-run.ts';
import { diffText, siteLines } from '../study/explain/site-text.ts';

/** Writes what was asked for by call site; comes back with the text. In file order, whatever the run's own time was. */
export async function sitesOf(
  argv: SiteArguments,
  options: RunOptions,
  done: ReportRun,
  before: readonly StackBytes[] | undefined,
): Promise<string> {
  await loadModel(options.spec);
  const moment = momentOf(options, undefined);
  const stacks = done.sites ?? bytesBySite(options, moment.end) ?? [];
  writeSites(argv, options.workload, stacks);
  const palette = await terminalPalette();
  const lines = [...siteLines(stacks, palette), palette.dim(`  ${moment.about}, in file order`)];
  return `${lines.join('\n')}\n${before ? diffText(diffStacks(before, stacks), palette) : ''}`;
}

import { breathing } from '../../workloads/breathing.ts';
import { terminalPalette } from '../cli/palette.ts';
import type { SiteArguments } from '../cli/site-options.ts';
import { writeSites } from '../cli/write-sites.ts';
import type { ReportRun } from '../report/report-run.ts';
import { changesSince } from '../report/sites/moved.ts';
import type { StackBytes } from '../report/sites/stacks.ts';
import type { RunOptions } from '../run/run-options.ts';
import { bySiteSteps } from '../study/explain/heap/by-site.ts';
import { diffText, siteLines } from '../study/explain/heap/site-text.ts';
import { loadForMoment, momentSteps } from '../study/explain/moment/moment-in-run.ts';

/** Writes what was asked for by call site; comes back with the text. In file order, whatever the run's own time was. */
export async function sitesOf(
  argv: SiteArguments,
  options: RunOptions,
  done: ReportRun,
  before: readonly StackBytes[] | undefined,
  signal: AbortSignal,
): Promise<string> {
  await loadForMoment(options);
  const moment = await breathing(momentSteps(options, undefined), signal);
  const stacks = done.sites ?? (await breathing(bySiteSteps(options, moment.end), signal)) ?? [];
  writeSites(argv, options.workload, stacks, moment.about);
  const palette = await terminalPalette();
  const lines = [...siteLines(stacks, palette), palette.dim(`  ${moment.about}, in file order`)];
  return `${lines.join('\n')}\n${before ? diffText(changesSince(before, stacks), palette) : ''}`;
}

import { writeWhole } from '../../workloads/files/line-sink.ts';
import { buildPageData } from '../report/build-page.ts';
import { histogramsOf } from '../report/histograms.ts';
import { buildPage } from '../report/page-document.ts';
import type { RunOptions } from '../run/run-options.ts';
import type { Explanation } from '../study/explain/explanation.ts';
import { recordRun } from '../study/record.ts';

/** One page; false where the signal came before all of it was there. */
export async function writeReport(
  to: string,
  options: RunOptions,
  { moment, verdict: { headline, sentences, answer: answers, advice, remedies } }: Explanation,
  signal: AbortSignal,
): Promise<boolean> {
  if (signal.aborted) return false;
  const run = await recordRun({ ...options, mode: 'lockstep', signal });
  if (run.result.partial) return false;
  const lines = [...(advice?.paste ? [advice.paste.shell] : []), ...remedies.map((r) => `${r.place}: ${r.text}`)];
  const judged = moment.kind === 'end' ? [] : [`Judged ${moment.about}.`];
  const verdict = [headline, ...judged, ...answers, ...lines.map((line) => `To paste: ${line}`)];
  const why = sentences.filter((sentence) => !answers.includes(sentence));
  const page = buildPageData([{ ...run, verdict, why }], {
    histograms: histogramsOf(options.events),
  });
  writeWhole(to, buildPage(page));
  return true;
}

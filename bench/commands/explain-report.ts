import { bytes } from '../../sim/contract/format.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import { writeWhole } from '../../workloads/files/line-sink.ts';
import { WHERE_JUDGED } from '../metrics/end-words.ts';
import { buildPageData } from '../report/build-page.ts';
import { histogramsOf } from '../report/histograms.ts';
import { buildPage } from '../report/page-document.ts';
import type { RunOptions } from '../run/run-options.ts';
import type { Explanation } from '../study/explain/explanation.ts';
import { AT_END } from '../study/explain/going-down/reason-text.ts';
import { recordRun } from '../study/record.ts';

const WORTH_A_SENTENCE = 0.02;

/** Pictures go by pages. */
const withinUnits = (size: Bytes): string =>
  `${bytes(size)} of what is pinned are whole pages within slabs or chunks that hold live blocks: in the pictures they are under In slabs or chunks.`;

/** One page; false where the signal came before all of it was there. */
export async function writeReport(
  to: string,
  options: RunOptions,
  { event, moment, sample, verdict: { headline, sentences, place, answer: answers, pastes, remedies } }: Explanation,
  signal: AbortSignal,
): Promise<boolean> {
  if (signal.aborted) return false;
  const run = await recordRun({ ...options, mode: 'lockstep', signal }, 'pages', {
    event,
    about: event < options.events.length ? WHERE_JUDGED : 'at the end',
  });
  if (run.result.partial) return false;
  const lines = [
    ...pastes.map(({ lead, shell }) => `To paste${lead ? `, f${lead.slice(1)}` : ''}: ${shell}`),
    ...remedies.map((r) => `To paste: ${r.place}: ${r.text}`),
  ];
  const judged = moment.about === AT_END ? [] : [`Judged ${moment.about}.`];
  const told = [...place.slice(0, 1), ...judged, ...answers];
  const verdict = [headline, ...told, ...lines];
  const why = sentences.filter((sentence) => !told.includes(sentence));
  const { rssBytes, breakdown } = run.result.summary;
  const verdictTellsEnd = rssBytes === sample.rssBytes;
  const within = sample.breakdown.pinned - breakdown.pinned;
  if (verdictTellsEnd && within > rssBytes * WORTH_A_SENTENCE) verdict.push(withinUnits(within));
  const page = buildPageData([{ ...run, verdict, why }], {
    histograms: histogramsOf(options.events),
  });
  writeWhole(to, buildPage(page));
  return true;
}

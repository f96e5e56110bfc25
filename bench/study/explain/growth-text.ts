import { bytes, percent } from '../../../sim/contract/format.ts';
import { shortFrame } from '../../report/sites/frames.ts';
import { byLine, sumOf } from '../../report/sites/lines.ts';
import type { Facts, VerdictKind } from './explanation.ts';

/** Whether the program holds more and more, and where that was allocated. */
export function growthSentences({ growth, sample, sites }: Facts, kind: VerdictKind): string[] {
  if (sample.rssBytes === 0) return [];
  const floors = growth.floors.map((f) => bytes(f)).join(', ');
  if (kind === 'leak') return [`Least sum of live blocks in each quarter of the run: ${floors}.`];
  if (!growth.rises) return [];
  const lines = byLine(sites ?? []);
  const most = lines.reduce((x, y) => (y.held > x.held ? y : x), lines[0]!);
  const { held } = sumOf(lines);
  const who = held > 0 ? `; ${percent(most.held / held)} of it was allocated at ${shortFrame(most.line)}` : '';
  return [`What the program itself holds grows too: its least sum rises from quarter to quarter (${floors})${who}.`];
}

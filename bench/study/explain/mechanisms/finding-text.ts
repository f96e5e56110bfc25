import { bytes as bytesText } from '../../../../sim/contract/format.ts';
import { enoughBytes, sparesWorst } from '../advice/advice.ts';
import type { Facts } from '../explanation.ts';
import { isUnknownWithout } from '../recorded/recording-text.ts';
import { isWide, savedBytes, worstBytes } from '../settings/orders.ts';
import { settingName } from '../settings/setting.ts';
import type { WhatIf } from '../settings/what-if.ts';
import type { Finding } from './mechanism.ts';

/** What a finding says, with what the runs of its settings bear out and what they contradict. */
export function findingSentences(finding: Finding, facts: Facts, whatIf: readonly WhatIf[]): readonly string[] {
  const { sentences, ifItHelps, settings, bytes, lowers } = finding;
  const enough = enoughBytes(facts);
  const runOf = (name: string) => whatIf.find((w) => w.setting === name && !w.failed);
  const helps = (w: WhatIf) => Math.max(savedBytes(facts, w), facts.sample.rssBytes - w.rssBytes) >= enough;
  const run = ifItHelps && runOf(settingName(ifItHelps.setting));
  const told = [...sentences, ...(ifItHelps && (!run || helps(run)) ? [ifItHelps.sentence] : [])];
  const runs = settings.flatMap((setting) => runOf(settingName(setting)) ?? []);
  const isRefuted = bytes >= enough && runs.length > 0 && !lowers && !runs.some(helps);
  if (!isRefuted || told.length === 0 || isUnknownWithout(facts, finding.mechanism)) return told;
  const facing = finding.ifRefuted ?? told;
  const hardly = `hardly less would be resident with ${runs.map((w) => w.setting).join('; ')} (run).`;
  const { orders } = facts;
  if (!orders || !isWide(orders)) return [...facing, `That alone does not keep it: ${hardly}`];
  const spares = runs.find((w) => sparesWorst(facts, w));
  return [
    ...facing,
    `In the order of the trace that alone does not keep it: ${hardly}`,
    ...(spares
      ? [
          `In other orders it does: they leave up to ${bytesText(orders.mostBytes)}, with ${spares.setting} no more than ${bytesText(worstBytes(spares))}.`,
        ]
      : []),
  ];
}

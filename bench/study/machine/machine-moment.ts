import type { Script } from '../../../machine/script/parse.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import { suggestion } from '../../../sim/contract/suggestion.ts';

/** A moment of a script, as `--at` names it. */
export type MachineMoment = { readonly step: number } | { readonly label: string } | 'end';

/** `end`, a sample's label, or `N` or `#N`: after command N, counted from 1. */
export function machineMoment(script: Script, at: string): MachineMoment {
  const commands = script.commands.filter(({ words }) => words[0] !== 'end');
  const labels = commands.filter(({ words }) => /^m?sample$/.test(words[0]!)).map(({ words }) => words[1]!);
  if (labels.includes(at)) return { label: at };
  if (at === 'end') return 'end';
  const step = /^#?(\d+)$/.exec(at);
  if (step) {
    const number = Number(step[1]);
    if (number >= 1 && number <= commands.length) return { step: number };
    throw new UserError(`--at: found '${at}', expected a step from #1 to #${commands.length}`);
  }
  throw new UserError(`--at: no sample '${at}'${suggestion(at, [...labels, 'end', 'the number of a step'])}`);
}

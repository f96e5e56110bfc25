import { OP_CALLOC, OP_MALLOC, OP_MEMALIGN, OP_REALLOC } from '../../../../sim/contract/event.ts';
import { hasOperation } from '../../../../sim/contract/operation-set.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import type { RunOptions } from '../../../run/run-options.ts';
import { type Allowed, isBackAndForth, WORTH_IT } from '../advice/advice.ts';
import type { Facts } from '../explanation.ts';
import type { Finding } from '../mechanisms/mechanism.ts';
import { defaultsOf, USUAL } from '../mechanisms/usual.ts';
import { combined, type Setting, settingName } from './setting.ts';
import { type Trial, trialOf, type WhatIf } from './what-if.ts';

/** So many of the best single settings are tried two at a time. */
const COMBINED = 3;
/** One setting that takes this share of what is free is not combined with others. */
const ENOUGH = 0.8;

/** The usual settings: they are tried whatever is found. */
export const usualTrials = (options: RunOptions, end: number): Trial[] =>
  distinct([...USUAL, ...defaultsOf(options.spec)].map((setting) => usedTrial(options, end, setting, 'usual')));

/** What malloc is set to is nothing to a program of which PHP's heap serves all that it asks for, with memory of the kernel's. */
function usedTrial(options: RunOptions, end: number, setting: Setting, mechanism: string): Trial | undefined {
  const { spec, events } = options;
  const isBelow = spec.below !== undefined && spec.model.name !== setting.allocator;
  const isUsed = !isBelow || spec.version.startsWith('5') || MALLOCS.some((op) => hasOperation(events, op));
  return isUsed ? trialOf(options, end, setting, mechanism) : undefined;
}

const MALLOCS = [OP_MALLOC, OP_CALLOC, OP_REALLOC, OP_MEMALIGN];

/** What the findings propose, then the usual settings; each once. */
export function firstTrials(options: RunOptions, end: number, findings: readonly Finding[]): Trial[] {
  const wanted = findings.flatMap(({ mechanism, settings }) => settings.map((setting) => ({ setting, mechanism })));
  return distinct([
    ...wanted.map(({ setting, mechanism }) => usedTrial(options, end, setting, mechanism)),
    ...usualTrials(options, end),
  ]);
}

/** What goes further than a setting that has been run, where that one stays clear of moving memory back and forth. */
export function furtherTrials(
  options: RunOptions & Allowed,
  facts: Facts,
  findings: readonly Finding[],
  whatIf: readonly WhatIf[],
): Trial[] {
  const wanted = findings.flatMap(({ mechanism, further }) => {
    const than = further && whatIf.find(({ setting }) => setting === settingName(further.than));
    if (!further || (than && isBackAndForth(facts, than, options))) return [];
    return further.settings.map((setting) => usedTrial(options, facts.event, setting, mechanism));
  });
  return distinct(wanted);
}

/** The best single settings that set different options, two at a time, where none of them does enough. */
export function pairsOf(
  options: RunOptions,
  facts: Facts,
  trials: readonly Trial[],
  whatIf: readonly WhatIf[],
): Trial[] {
  const { sample } = facts;
  const { requested, slack } = sample.breakdown;
  const free = sample.rssBytes - requested - slack;
  const saved = (i: number) => sample.rssBytes - whatIf[i]!.rssBytes;
  const order = trials
    .map((_, i) => i)
    .filter((i) => !whatIf[i]!.failed && saved(i) > 0 && whatIf[i]!.paste !== null)
    .sort((i, j) => saved(j) - saved(i));
  if (order.length < 2 || saved(order[0]!) >= ENOUGH * free) return [];
  const best = bestOfEach(
    order.map((i) => trials[i]!.setting),
    order.map((i) => whatIf[i]!),
    sample.rssBytes * WORTH_IT,
  );
  const pairs: Setting[] = [];
  for (let i = 0; i < best.length; i++) {
    for (let j = i + 1; j < best.length; j++) {
      const [x, y] = [best[i]!, best[j]!];
      if (x.allocator === y.allocator && !meet(x, y)) pairs.push(combined(x, y));
    }
  }
  const tried = new Set(trials.map(keyOf));
  return distinct(pairs.map((setting) => trialOf(options, facts.event, setting, 'both'))).filter(
    (trial) => !tried.has(keyOf(trial)),
  );
}

/** Each of them alone keeps both thresholds from rising (do_set_mmap_threshold and its like): two at a time do what one does. */
const THRESHOLDS = ['mmap_threshold', 'trim_threshold', 'top_pad'];
const setsThreshold = ({ options }: Setting): boolean => THRESHOLDS.some((name) => name in options);

const meet = (x: Setting, y: Setting): boolean =>
  Object.keys(x.options).some((name) => name in y.options) || (setsThreshold(x) && setsThreshold(y));

/**
 * The first ones, one of those that set the same options: the cheapest that comes near the best of them. Three decay times say nothing of two
 * mechanisms at once.
 */
function bestOfEach(settings: readonly Setting[], figures: readonly WhatIf[], near: Bytes): Setting[] {
  const best: number[] = [];
  const left = new Set(settings.keys());
  for (const first of left) {
    if (best.length === COMBINED) break;
    const alike = [...left].filter((i) => meet(settings[i]!, settings[first]!));
    const close = alike.filter((i) => figures[i]!.rssBytes - figures[first]!.rssBytes <= near);
    const price = (i: number) => figures[i]!.faults + figures[i]!.syscalls;
    const chosen = close.reduce((cheapest, i) => (price(i) < price(cheapest) ? i : cheapest));
    best.push(chosen);
    for (const i of left) if (alike.includes(i) || meet(settings[i]!, settings[chosen]!)) left.delete(i);
  }
  return best.map((i) => settings[i]!);
}

const keyOf = ({ task }: Trial): string => `${task.allocator} ${task.kernel?.thp ?? ''}`;

function distinct(trials: readonly (Trial | undefined)[]): Trial[] {
  const byKey = new Map<string, Trial>();
  for (const trial of trials) if (trial && !byKey.has(keyOf(trial))) byKey.set(keyOf(trial), trial);
  return [...byKey.values()];
}

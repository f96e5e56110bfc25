import type { Allowed } from './advice/advice.ts';
import { knownFacts, UNWEIGHED, type Weighed, whatIfsOf } from './advice/weigh.ts';
import { EXPLANATION_SCHEMA, type Explanation } from './explanation.ts';
import type { Observed, ObserveOptions } from './observed.ts';
import type { SharedRuns } from './settings/shared-runs.ts';
import { firstTrials, furtherTrials, pairsOf } from './settings/trials.ts';
import type { Trial } from './settings/what-if.ts';
import { judge } from './verdict.ts';

export interface ExplainOptions extends ObserveOptions, Allowed {
  /** Run other settings too and compare. On unless false. */
  readonly whatIf?: boolean;
}

/** Yields all that is to have been run when it goes on, more each time; returns the last list. */
export function* alternatives(
  options: ExplainOptions,
  observed: Observed,
  shared: SharedRuns,
): Generator<readonly Trial[], readonly Trial[]> {
  const { facts, findings } = observed;
  if (options.whatIf === false || facts.sample.rssBytes === 0) return [];
  const first = firstTrials(options, facts.event, findings);
  yield first;
  const further = furtherTrials(options, facts, findings, whatIfsOf(options, observed, shared, first));
  const single = [...first, ...further];
  if (further.length > 0) yield single;
  const all = [...single, ...pairsOf(options, facts, single, whatIfsOf(options, observed, shared, single))];
  yield all;
  return all;
}

export function conclude(
  options: ExplainOptions,
  observed: Observed,
  shared: SharedRuns,
  trials: readonly Trial[],
  partial = false,
  weighed: Weighed = UNWEIGHED,
): Explanation {
  const { facts, findings } = observed;
  const whatIf = whatIfsOf(options, observed, shared, trials, weighed);
  const known = knownFacts(options, facts, weighed.asItIs);
  const verdict = judge(known, findings, whatIf, partial, options);
  return { schema: EXPLANATION_SCHEMA, ...known, whatIf, partial, verdict };
}

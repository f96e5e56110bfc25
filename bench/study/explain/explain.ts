import { formatAllocator } from '../../../allocators/spec.ts';
import { Interrupted, UserError } from '../../../sim/contract/assert.ts';
import type { RunResult } from '../../run/result.ts';
import { BatchInterrupted } from '../parallel/finished.ts';
import { hasThreads } from '../parallel/lanes.ts';
import { createRunner, type RunAllOptions } from '../parallel/run-all.ts';
import { retire, startThread, threadFile } from '../parallel/thread.ts';
import type { Allowed } from './advice.ts';
import { EXPLANATION_SCHEMA, type Explanation } from './explanation.ts';
import { isKnownFromEvents, momentOf } from './moment.ts';
import { type Observed, type ObserveOptions, observe } from './observe.ts';
import type { ObserveOutcome, ObserveTask } from './observe-worker.ts';
import { createSharedRuns, type SharedRuns } from './shared-runs.ts';
import { runTimed, timedAsItIs } from './timed.ts';
import { firstTrials, pairsOf, usualTrials } from './trials.ts';
import { judge } from './verdict.ts';
import { UNWEIGHED, type Weighed, weigh, whatIfsOf } from './weigh.ts';
import { runTrial, type Trial } from './what-if.ts';

export interface ExplainOptions extends ObserveOptions, Allowed {
  /** Run other settings too and compare. On unless false. */
  readonly whatIf?: boolean;
}

/** Beside the trials: the run that is looked at; mostly two that are timed. */
const OTHER_RUNS = 3;

/**
 * Replays the workload in file order up to a point and says where the resident bytes are, what keeps them, what the
 * allocator would give back, and which setting would change it. Predictions are measured on the machine itself and
 * undone; alternatives are run.
 */
export function explain(options: ExplainOptions): Explanation {
  const observed = observe(options);
  const shared = createSharedRuns(options);
  const steps = alternatives(options, observed, shared);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) return conclude(options, observed, shared, step.value);
    for (const trial of shared.missing(step.value)) shared.keep(trial, runTrial(options, trial));
  }
}

/**
 * The same on all processors: the usual settings are run while the machine is looked at. Where the signal comes after that look, the
 * explanation rests on the settings that had been run, and is marked partial; before, Interrupted is thrown.
 */
export async function explainInParallel(options: ExplainOptions, parallel: RunAllOptions = {}): Promise<Explanation> {
  const shared = createSharedRuns(options);
  let expected = OTHER_RUNS;
  let seen = 0;
  const onDone = () => parallel.onDone?.(++seen, Math.max(seen, expected));
  const runner = createRunner({ ...parallel, onDone });
  const retired: Promise<void>[] = [];

  async function runMissing(trials: readonly Trial[]): Promise<void> {
    const missing = shared.missing(trials);
    if (missing.length === 0) return;
    expected += missing.length;
    const keep = (runs: readonly ({ readonly result: RunResult } | undefined)[]) =>
      runs.forEach((run, i) => void (run && shared.keep(missing[i]!, run.result)));
    try {
      keep(await runner.run(missing.map((trial) => trial.task)));
    } catch (error) {
      if (error instanceof BatchInterrupted) keep(error.finished);
      throw error;
    }
  }

  try {
    const trials = earlyTrials(options);
    const early = runMissing(trials);
    // The processors have time for it while the machine is looked at.
    const asItIs =
      trials.length > 0 ? early.then(() => runTimed([timedAsItIs(options, endOf(options))], runner)) : undefined;
    asItIs?.catch(() => undefined);
    const [{ value: observed, reason }, { reason: failure }] = (await Promise.allSettled([
      observeBeside(options, parallel, retired).finally(onDone),
      early,
    ])) as [{ readonly value?: Observed; readonly reason?: unknown }, { readonly reason?: unknown }];
    if (!observed) throw parallel.signal?.aborted ? new Interrupted('interrupted') : reason;
    if (failure !== undefined && !(failure instanceof BatchInterrupted)) throw failure;
    const steps = alternatives(options, observed, shared);
    for (let step = steps.next(); ; step = steps.next()) {
      try {
        if (step.done) {
          const weighed = await weigh(options, observed, shared, step.value, runner, (await asItIs)?.[0]);
          return conclude(options, observed, shared, step.value, false, weighed);
        }
        await runMissing(step.value);
      } catch (error) {
        if (!(error instanceof BatchInterrupted)) throw error;
        return conclude(options, observed, shared, step.value, true);
      }
    }
  } finally {
    await Promise.all([runner.close(), ...retired]);
  }
}

/** What is run whatever is found; nothing where the moment itself takes a run to find. */
function earlyTrials(options: ExplainOptions): Trial[] {
  if (options.whatIf === false || !isKnownFromEvents(options.events, options.at)) return [];
  return usualTrials(options, endOf(options));
}

const endOf = (options: ExplainOptions): number => momentOf(options, options.at).end;

const OBSERVER = threadFile('explain/observe-worker');

/** In a thread of its own, so that this one goes on handing out runs and hears signals. */
async function observeBeside(
  options: ExplainOptions,
  { workers, signal }: RunAllOptions,
  retired: Promise<void>[],
): Promise<Observed> {
  if ((workers ?? 2) <= 1 || !hasThreads()) return observe(options);
  const { spec, ...plain } = options;
  const thread = startThread<ObserveTask, ObserveOutcome>(OBSERVER);
  try {
    const outcome = await thread.run({ ...plain, allocator: formatAllocator(spec) }, signal ? { signal } : {});
    if ('userError' in outcome) throw new UserError(outcome.userError);
    return outcome.observed;
  } finally {
    retired.push(retire(thread));
  }
}

/** Yields all that is to have been run when it goes on, more each time; returns the last list. */
function* alternatives(
  options: ExplainOptions,
  { facts, findings }: Observed,
  shared: SharedRuns,
): Generator<readonly Trial[], readonly Trial[]> {
  if (options.whatIf === false || facts.sample.rssBytes === 0) return [];
  const first = firstTrials(options, facts.event, findings);
  yield first;
  const all = [...first, ...pairsOf(options, facts, first, whatIfsOf(options, shared, first))];
  yield all;
  return all;
}

function conclude(
  options: ExplainOptions,
  { facts, findings }: Observed,
  shared: SharedRuns,
  trials: readonly Trial[],
  partial = false,
  weighed: Weighed = UNWEIGHED,
): Explanation {
  const whatIf = whatIfsOf(options, shared, trials, weighed);
  const known = { ...facts, times: weighed.asItIs };
  const verdict = judge(known, findings, whatIf, partial, options);
  return { schema: EXPLANATION_SCHEMA, ...known, whatIf, partial, verdict };
}

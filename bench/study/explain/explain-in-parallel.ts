import { availableParallelism } from 'node:os';
import { formatAllocator } from '../../../allocators/spec.ts';
import { Interrupted } from '../../../sim/contract/assert.ts';
import { BatchInterrupted } from '../parallel/finished.ts';
import { createRunner, type RunAllOptions, type Runner } from '../parallel/run-all.ts';
import { advisedTrials, weigh } from './advice/weigh.ts';
import { createAskedRuns } from './asked-runs.ts';
import { alternatives, conclude, type ExplainOptions } from './conclude.ts';
import type { Explanation } from './explanation.ts';
import { type Moment, momentFromEvents } from './moment/moment.ts';
import { createSharedRuns, type SharedRuns } from './settings/shared-runs.ts';
import { createTimings, heard } from './settings/timed.ts';
import { usualTrials } from './settings/trials.ts';
import type { Trial } from './settings/what-if.ts';

/** Beside the trials: the run that is looked at; mostly two that are timed. */
const OTHER_RUNS = 3;

/**
 * Explains as explain() does, on all processors: the usual settings are run while the machine is looked at. Where the signal comes after that look, the
 * explanation rests on the settings that had been run, and is marked partial; before, Interrupted is thrown.
 */
export async function explainInParallel(options: ExplainOptions, parallel: RunAllOptions = {}): Promise<Explanation> {
  let expected = OTHER_RUNS;
  let seen = 0;
  const onDone = () => parallel.onDone?.(++seen, Math.max(seen, expected));
  const runner = createRunner({ ...parallel, onDone });
  try {
    return await explainWith(runner, options, parallel, (trials) => void (expected += trials));
  } finally {
    await runner.close();
  }
}

async function explainWith(
  runner: Runner,
  options: ExplainOptions,
  { signal, workers = availableParallelism() }: RunAllOptions,
  onBegun: (trials: number) => void,
): Promise<Explanation> {
  const shared = createSharedRuns(options);
  const { begin, left } = createTrialRuns(runner, shared, onBegun);
  const { spec, events, ...plain } = options;
  const known = momentForEarly(options);
  const observe = { ...plain, allocator: formatAllocator(spec), ...(known && { known }) };
  const looking = heard(runner.run([{ observe, events }]));
  let onRun = () => {};
  const early = begin(known ? usualTrials(options, known.end) : [], () => onRun());
  const looked = (await Promise.allSettled([looking]))[0];
  if (looked.status === 'rejected') throw signal?.aborted ? new Interrupted('interrupted') : looked.reason;
  const observed = looked.value[0]!;
  const asked = createAskedRuns(runner, options, observed);
  const timings = createTimings(options, observed.facts.event, runner);
  const steps = alternatives(options, observed, shared);
  for (let step = steps.next(); ; step = steps.next()) {
    const trials = step.value;
    try {
      if (step.done) {
        asked.begin();
        const weighed = await weigh(options, observed, shared, trials, timings);
        return conclude(options, await asked.told(), shared, trials, false, weighed);
      }
      // What is advised will be timed, and held against the run as it is: that comes first where both are made in one machine, whatever is advised then. A
      // processor that finds no trial left begins with the best so far, which mostly stays the best.
      onRun = () => {
        const advised = advisedTrials(options, observed, shared, trials);
        if (advised.some(timings.isOfOneShape)) timings.begin(null);
        if (left() < workers) for (const trial of advised) timings.begin(trial);
      };
      const later = begin(trials, () => onRun());
      asked.begin();
      onRun();
      await Promise.all([early, later]);
    } catch (error) {
      if (!(error instanceof BatchInterrupted)) throw error;
      return conclude(options, asked.soFar(), shared, trials, true);
    }
  }
}

/** Trials that are on their way. */
interface TrialRuns {
  /** Those of which nobody has begun; `onRun` after each. */
  begin(trials: readonly Trial[], onRun?: () => void): Promise<void>;
  /** So many have not come to their end. */
  left(): number;
}

function createTrialRuns(runner: Runner, shared: SharedRuns, onBegun: (trials: number) => void): TrialRuns {
  let left = 0;
  return {
    left: () => left,
    begin(trials, onRun) {
      const claimed = shared.claim(trials);
      left += claimed.length;
      onBegun(claimed.length);
      const all = claimed.map(async (trial) => {
        const [run] = await runner.run([trial.task]);
        shared.keep(trial, run!.result);
        left--;
        onRun?.();
      });
      return heard(Promise.all(all).then(() => {}));
    },
  };
}

/** Where what is run whatever is found can begin; undefined where the moment itself takes a run to find. */
function momentForEarly(options: ExplainOptions): Moment | undefined {
  return options.whatIf === false ? undefined : momentFromEvents(options.events, options.at);
}

import '../../../allocators/all.ts';
import { LockstepRun } from '../../run/modes/lockstep.ts';
import type { RunResult } from '../../run/result.ts';
import type { RunOptions } from '../../run/run-options.ts';
import { eventsOf } from '../parallel/task-events.ts';
import { alternatives, conclude, type ExplainOptions } from './conclude.ts';
import type { Explanation } from './explanation.ts';
import { observe } from './observe.ts';
import { applySetting } from './settings/setting.ts';
import { createSharedRuns } from './settings/shared-runs.ts';
import type { Trial } from './settings/what-if.ts';

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
    for (const trial of shared.claim(step.value)) shared.keep(trial, runTrial(options, trial));
  }
}

/** Runs one here. */
function runTrial(options: RunOptions, { task, setting }: Trial): RunResult {
  const spec = applySetting(options.spec, setting, options.cpus)!;
  const events = eventsOf(task);
  const run = new LockstepRun({
    ...options,
    events,
    spec,
    lastSampleOnly: true,
    ...(task.kernel && { kernel: task.kernel }),
  });
  run.advance(events.length);
  run.sample('(end)', run.row);
  return run.result();
}

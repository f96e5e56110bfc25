import '../../../allocators/all.ts';
import type { AllocatorSpec } from '../../../allocators/spec.ts';
import type { Sample } from '../../../sim/metrics/sample.ts';
import { LockstepRun } from '../../run/modes/lockstep.ts';
import type { RunResult } from '../../run/result.ts';
import type { RunOptions } from '../../run/run-options.ts';
import type { RunTask } from '../parallel/run-task.ts';
import { eventsOf } from '../parallel/task-events.ts';
import { alternatives, conclude, type ExplainOptions } from './conclude.ts';
import type { Explanation } from './explanation.ts';
import type { Finding } from './mechanisms/mechanism.ts';
import { tasksOfOthers, withOthers } from './mechanisms/other-runs.ts';
import { observe } from './observe.ts';
import type { Observed } from './observed.ts';
import { applySetting } from './settings/setting.ts';
import { createSharedRuns } from './settings/shared-runs.ts';
import type { Trial } from './settings/what-if.ts';

/**
 * Replays the workload in file order up to a point and says where the resident bytes are, what keeps them, what the
 * allocator would give back, and which setting would change it. Predictions are measured on the machine itself and
 * undone; alternatives are run.
 */
export function explain(options: ExplainOptions): Explanation {
  const looked = observe(options);
  const observed = { ...looked, findings: looked.findings.map((finding) => withOthersRun(options, looked, finding)) };
  const shared = createSharedRuns(options);
  const steps = alternatives(options, observed, shared);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) return conclude(options, observed, shared, step.value);
    for (const trial of shared.claim(step.value)) shared.keep(trial, runTrial(options, trial));
  }
}

/** What other runs tell of the finding, run here. */
function withOthersRun(options: RunOptions, { facts }: Observed, finding: Finding): Finding {
  if (!finding.others) return finding;
  const ends: Sample[] = [];
  for (const task of tasksOfOthers(options, facts.event, finding.others))
    ends.push(runHere(options, options.spec, task).samples.at(-1)!);
  return withOthers(finding, facts, ends);
}

function runTrial(options: RunOptions, { task, setting }: Trial): RunResult {
  return runHere(options, applySetting(options.spec, setting, options.cpus)!, task);
}

function runHere(options: RunOptions, spec: AllocatorSpec, task: RunTask): RunResult {
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

import { PAGE_BYTES } from '../../../sim/contract/units.ts';
import { ownLine } from '../../report/sites/frames.ts';
import { collectAreas } from '../../run/areas.ts';
import { LockstepRun } from '../../run/modes/lockstep.ts';
import { recordedProcess } from '../../run/recorded-process.ts';
import type { RunResult } from '../../run/result.ts';
import type { RunOptions } from '../../run/run-options.ts';
import { createRunner, type RunAllOptions } from '../parallel/run-all.ts';
import { hasCallSites, siteBytes, stackOfRow } from './by-site.ts';
import { createExperiment } from './experiment.ts';
import { EXPLANATION_SCHEMA, type Explanation, type Facts } from './explanation.ts';
import { growthOf } from './growth.ts';
import { liveBlocks } from './live-blocks.ts';
import { findMechanisms } from './mechanisms/index.ts';
import type { Finding } from './mechanisms/mechanism.ts';
import { USUAL } from './mechanisms/usual.ts';
import { type Moment, momentOf } from './moment.ts';
import { findPinning, heldPages } from './pinning.ts';
import { collectRanges, keptPages, reportAreas, sumOfAreas } from './ranges.ts';
import { predictReturns } from './returns.ts';
import { combined, type Setting } from './setting.ts';
import { timed } from './timed.ts';
import { runWatchingTunables } from './tunable-changes.ts';
import { judge } from './verdict.ts';
import { runTrial, type Trial, trialOf, type WhatIf, whatIfOf } from './what-if.ts';

export interface ExplainOptions extends RunOptions {
  /** A sample's label, `#N` for event N, `peak`, `exit`, `end`; see momentOf. */
  readonly at?: string;
  /** How many groups of pinning blocks to list. */
  readonly pinningGroups?: number;
  /** Run other settings too and compare. On unless false. */
  readonly whatIf?: boolean;
}

const PINNING_GROUPS = 10;
/** So many of the best single settings are tried two at a time. */
const COMBINED = 3;
/** One setting that takes this share of what is free is not combined with others. */
const ENOUGH = 0.8;

interface Observed {
  readonly facts: Facts;
  readonly findings: readonly Finding[];
}

/**
 * Replays the workload in file order up to a point and says where the resident bytes are, what keeps them, what the
 * allocator would give back, and which setting would change it. Predictions are measured on the machine itself and
 * undone; alternatives are run.
 */
export function explain(options: ExplainOptions): Explanation {
  const steps = explainInSteps(options);
  for (let step = steps.next(); ; ) {
    if (step.done) return step.value;
    step = steps.next(step.value.map((trial) => runTrial(options, trial)));
  }
}

/** The same with the alternatives run side by side. */
export async function explainInParallel(options: ExplainOptions, parallel: RunAllOptions = {}): Promise<Explanation> {
  const runner = createRunner(parallel);
  try {
    const steps = explainInSteps(options);
    for (let step = steps.next(); ; ) {
      if (step.done) return await timed(options, step.value, runner);
      const runs = await runner.run(step.value.map((trial) => trial.task));
      step = steps.next(runs.map((run) => run.result));
    }
  } finally {
    await runner.close();
  }
}

/** Yields what is to be run, and is given the results in the same order. */
function* explainInSteps(options: ExplainOptions): Generator<readonly Trial[], Explanation, RunResult[]> {
  const moment = momentOf(options, options.at);
  const { facts, findings } = observe(options, moment);
  const whatIf: WhatIf[] = [];
  if (options.whatIf !== false && facts.sample.rssBytes > 0) {
    const trials = firstTrials(options, facts.event, findings);
    const results = yield trials;
    whatIf.push(...trials.map((trial, i) => whatIfOf(trial, results[i]!, options.spec)));
    const pairs = pairsOf(options, facts, trials, whatIf);
    if (pairs.length > 0) {
      const paired = yield pairs;
      whatIf.push(...pairs.map((trial, i) => whatIfOf(trial, paired[i]!, options.spec)));
    }
  }
  return { schema: EXPLANATION_SCHEMA, ...facts, whatIf, verdict: judge(facts, findings, whatIf) };
}

function observe(options: ExplainOptions, moment: Moment): Observed {
  const run = new LockstepRun({ ...options, mode: 'lockstep', lastSampleOnly: true });
  const tunableChanges = runWatchingTunables(run, options.events, moment.end);

  const { events, pinningGroups = PINNING_GROUPS } = options;
  const { assembled } = run;
  const rssPeakBytes = assembled.machine.kernel.residency.residentPeakPages() * PAGE_BYTES;
  const experiment = createExperiment(assembled.machine.memory);
  // Reading statistics may write some: jemalloc keeps tables for it. All that follows stands where the run does.
  experiment(() => run.sample(options.at ?? '(end)', run.row));
  const sample = run.samples.at(-1)!;
  const { blocks, threads } = liveBlocks(run, events);
  const ranges = collectRanges(assembled, blocks);
  const kept = keptPages(assembled, ranges);
  const areas = collectAreas(assembled);
  const reports = reportAreas(assembled, areas, ranges, blocks, kept);
  const found: Facts = {
    run: run.describe(),
    event: run.row,
    moment: { kind: moment.kind, about: moment.about },
    rssPeakBytes,
    abort: run.abort,
    sample: { ...sample, breakdown: sumOfAreas(reports) },
    areas: reports,
    returns: predictReturns(assembled, areas, threads, experiment),
    pinning: findPinning(assembled, areas, ranges, blocks, kept, threads, experiment, pinningGroups).map((group) =>
      hasCallSites(events) ? { ...group, line: ownLine(stackOfRow(events, group.blocks[0]!.event)) } : group,
    ),
    heldPages: heldPages(assembled, ranges, blocks, kept),
    tunables: assembled.allocator.tunables?.() ?? null,
    tunableChanges,
    growth: growthOf(events, run.row),
    process: recordedProcess(events, run.samples)?.samples.at(-1) ?? null,
    sites: null,
  };
  const { breakdown } = found.sample;
  const sites = siteBytes(options, run.row, { assembled, areas, ranges, blocks, breakdown }) ?? null;
  const facts = { ...found, sites };
  const situation = { facts, assembled, experiment, blocks, options, events, end: run.row, rssPeakBytes };
  return { facts, findings: findMechanisms(situation) };
}

/** What the findings propose, then the usual settings; each once. */
function firstTrials(options: ExplainOptions, end: number, findings: readonly Finding[]): Trial[] {
  const wanted = findings.flatMap(({ mechanism, settings }) => settings.map((setting) => ({ setting, mechanism })));
  return distinct([
    ...wanted.map(({ setting, mechanism }) => trialOf(options, end, setting, mechanism)),
    ...USUAL.map((setting) => trialOf(options, end, setting, 'usual')),
  ]);
}

/** The best single settings two at a time, where none of them does enough. */
function pairsOf(options: ExplainOptions, facts: Facts, trials: readonly Trial[], whatIf: readonly WhatIf[]): Trial[] {
  const { sample } = facts;
  const { requested, slack } = sample.breakdown;
  const free = sample.rssBytes - requested - slack;
  const saved = (i: number) => sample.rssBytes - whatIf[i]!.rssBytes;
  const order = trials
    .map((_, i) => i)
    .filter((i) => !whatIf[i]!.failed && saved(i) > 0 && whatIf[i]!.paste !== null)
    .sort((i, j) => saved(j) - saved(i));
  if (order.length < 2 || saved(order[0]!) >= ENOUGH * free) return [];
  const best = order.slice(0, COMBINED).map((i) => trials[i]!.setting);
  const pairs: Setting[] = [];
  for (let i = 0; i < best.length; i++) {
    for (let j = i + 1; j < best.length; j++) {
      const [x, y] = [best[i]!, best[j]!];
      const meet = Object.keys(x.options).some((name) => name in y.options);
      if (x.allocator === y.allocator && !meet) pairs.push(combined(x, y));
    }
  }
  const tried = new Set(trials.map(keyOf));
  return distinct(pairs.map((setting) => trialOf(options, facts.event, setting, 'both'))).filter(
    (trial) => !tried.has(keyOf(trial)),
  );
}

const keyOf = ({ task }: Trial): string => `${task.allocator} ${task.kernel?.thp ?? ''}`;

function distinct(trials: readonly (Trial | undefined)[]): Trial[] {
  const byKey = new Map<string, Trial>();
  for (const trial of trials) if (trial && !byKey.has(keyOf(trial))) byKey.set(keyOf(trial), trial);
  return [...byKey.values()];
}

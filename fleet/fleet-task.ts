import { machineDigest } from '../machine/views/digest.ts';
import { type ViewText, viewOf } from '../machine/views/view-text.ts';
import { Interrupted } from '../sim/contract/assert.ts';
import type { FleetEvent } from './follower.ts';
import type { FleetSample } from './machine/sample.ts';
import { type PlanAnswer, type PlanQuestion, planScenario } from './plan-run.ts';
import { type FleetFigures, figuresOf } from './report/figures.ts';
import { type SettingResult, settingResult } from './report/setting-result.ts';
import { type Verdict, verdictOf } from './report/verdict.ts';
import { type FleetOptions, runFleet } from './run-fleet.ts';
import { parseScenario, type Scenario } from './scenario/scenario.ts';

/** What is looked at in the machine when its run is over. */
export interface FleetLook {
  /** Names of views. */
  readonly views: readonly string[];
  /** The moment, as it was asked for. */
  readonly at: string;
  readonly stopAtUs?: number;
  /** The digest of every step. */
  readonly steps?: boolean;
}

/** A run of a scenario with one of its changes as plain data, so that it can be made anywhere. */
export interface FleetTask {
  readonly text: string;
  /** Where the text is from, for messages and for paths in it. */
  readonly from: string;
  /** Of the change. */
  readonly name: string;
  readonly change: Readonly<Record<string, unknown>>;
  /** What is wanted beside the row of the change. */
  readonly asks: {
    readonly whole?: boolean;
    /** Times to plan for, ascending; the last one is the scenario's. Nothing else is asked beside it. */
    readonly plan?: { readonly horizons: PlanQuestion['horizons']; readonly risk: number };
    readonly look?: FleetLook;
  };
}

/** Everything that is known of a run. */
export interface WholeFleet {
  readonly verdict: Verdict;
  readonly figures: FleetFigures;
  readonly events: readonly FleetEvent[];
  readonly samples: readonly FleetSample[];
}

/** Plain data. */
export interface FleetOutcome {
  readonly partial: boolean;
  readonly setting: SettingResult | null;
  readonly whole: WholeFleet | null;
  readonly plan: PlanAnswer | null;
  readonly views: readonly ViewText[];
  readonly steps: string | null;
}

/** Outcomes in the order of the tasks; nothing where a run did not come to its end. */
export type FleetExecutor = (
  tasks: readonly FleetTask[],
) => Promise<{ readonly runs: readonly (FleetOutcome | undefined)[]; readonly partial: boolean }>;

/** The scenario that it runs. */
export const scenarioOfTask = ({ text, from, change }: FleetTask): Scenario => parseScenario(text, from, change);

async function runFleetTask(task: FleetTask, options: FleetOptions): Promise<FleetOutcome> {
  const { name, change, asks } = task;
  const scenario = scenarioOfTask(task);
  const { whole, plan, look } = asks;
  if (plan) {
    const answer = await planScenario(scenario, { ...plan, setting: name }, options);
    return { partial: false, setting: null, whole: null, plan: answer, views: [], steps: null };
  }
  const stopAtUs = look?.stopAtUs;
  const run = await runFleet(scenario, { ...options, ...(stopAtUs !== undefined && { stopAtUs }) });
  const figures = figuresOf(run);
  return {
    partial: run.partial,
    setting: settingResult(name, change, figures, scenario),
    whole: whole
      ? { verdict: verdictOf(figures, scenario, run.partial), figures, events: run.events, samples: run.samples }
      : null,
    plan: null,
    views: look ? look.views.map((view) => viewOf(run.machine.run, view, look.at)) : [],
    steps: look?.steps ? machineDigest(run.machine.run) : null,
  };
}

/**
 * One run, here. Throws Interrupted where the signal ends it before its time, unless everything that is known of it is wanted:
 * that is told as far as it came.
 */
export async function runFleetTaskHere(task: FleetTask, options: FleetOptions = {}): Promise<FleetOutcome> {
  const { signal } = options;
  if (signal?.aborted) throw new Interrupted('interrupted');
  const outcome = await runFleetTask(task, options);
  if (outcome.partial && signal?.aborted && !task.asks.whole) throw new Interrupted('interrupted');
  return outcome;
}

/** One after another; the signal leaves those that had finished. */
export async function runHere(tasks: readonly FleetTask[], options: FleetOptions = {}): ReturnType<FleetExecutor> {
  const { onProgress } = options;
  const runs: FleetOutcome[] = [];
  for (const [i, task] of tasks.entries()) {
    const progress = (share: number) => onProgress?.((i + share) / tasks.length);
    try {
      runs.push(await runFleetTaskHere(task, { ...options, onProgress: progress }));
    } catch (error) {
      if (!(error instanceof Interrupted) || runs.length === 0) throw error;
      return { runs, partial: true };
    }
  }
  return { runs, partial: false };
}

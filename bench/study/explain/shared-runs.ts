import type { RunResult } from '../../run/result.ts';
import type { RunOptions } from '../../run/run-options.ts';
import { startingState, type Trial } from './what-if.ts';

/** Trials that start in the same state are one run, whatever their settings are called. */
export interface SharedRuns {
  /** Those that are not run yet, one for each state. */
  missing(trials: readonly Trial[]): Trial[];
  keep(trial: Trial, result: RunResult): void;
  /** undefined where it has not been run. */
  of(trial: Trial): RunResult | undefined;
}

export function createSharedRuns(options: RunOptions): SharedRuns {
  const results = new Map<string, RunResult>();
  const stateOf = (trial: Trial): string => startingState(options, trial);
  return {
    missing(trials) {
      const byState = new Map<string, Trial>();
      for (const trial of trials) {
        const state = stateOf(trial);
        if (!results.has(state) && !byState.has(state)) byState.set(state, trial);
      }
      return [...byState.values()];
    },
    keep: (trial, result) => void results.set(stateOf(trial), result),
    of: (trial) => results.get(stateOf(trial)),
  };
}

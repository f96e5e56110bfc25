import type { RunResult } from '../../../run/result.ts';
import type { RunOptions } from '../../../run/run-options.ts';
import { startingState, type Trial } from './what-if.ts';

/** Trials that start in the same state are one run, whatever their settings are called. */
export interface SharedRuns {
  /** Those that nobody runs yet, one for each state; they are the caller's to run now. */
  claim(trials: readonly Trial[]): Trial[];
  keep(trial: Trial, result: RunResult): void;
  /** undefined where it has not been run. */
  of(trial: Trial): RunResult | undefined;
}

export function createSharedRuns(options: RunOptions): SharedRuns {
  const results = new Map<string, RunResult>();
  const claimed = new Set<string>();
  const stateOf = (trial: Trial): string => startingState(options, trial);
  return {
    claim: (trials) =>
      trials.filter((trial) => {
        const state = stateOf(trial);
        if (claimed.has(state)) return false;
        claimed.add(state);
        return true;
      }),
    keep: (trial, result) => void results.set(stateOf(trial), result),
    of: (trial) => results.get(stateOf(trial)),
  };
}

import { UserError } from '../../sim/contract/assert.ts';
import { count, counted } from '../../sim/contract/format.ts';

/** Refuses what is no number from 1. */
export function positive(option: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new UserError(`--${option}: found '${value}', expected a number from 1`);
  }
}

/** Each is a row, and has its place in memory before the first one runs. */
const RUNS_MAX = 1_000_000;

/** Refuses more runs than one command makes. */
export function checkRuns(runs: number): void {
  if (runs > RUNS_MAX) throw new UserError(`found ${counted(runs, 'run')}, expected at most ${count(RUNS_MAX)}`);
}

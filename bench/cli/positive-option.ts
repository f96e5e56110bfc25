import { UserError } from '../../sim/contract/assert.ts';

/** Refuses what is no number from 1. */
export function positive(option: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new UserError(`--${option}: found '${value}', expected a number from 1`);
  }
}

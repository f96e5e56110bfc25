import { UserError } from '../../sim/contract/assert.ts';

/** A word that a view does not know. */
export const wrongOption = (view: string, found: string, expected: string): UserError =>
  new UserError(`view ${view}: found '${found}', expected ${expected}`);

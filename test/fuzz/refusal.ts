import { messageLine } from '../../bench/report/escape.ts';
import { UserError } from '../../sim/contract/assert.ts';

const LONGEST = 2000;

/** Runs `work`; undefined where it refuses the input as it should, in one line. Everything else is thrown on. */
export async function orRefused<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const line = messageLine(error.message);
    if (line === '' || line.length > LONGEST) {
      throw new Error(`a refusal of ${line.length} characters: ${line.slice(0, 200)}`);
    }
    return undefined;
  }
}

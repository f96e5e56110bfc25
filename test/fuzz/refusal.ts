import { UserError } from '../../sim/contract/assert.ts';

const LONGEST = 4000;

/** Runs `work`; undefined where it refuses the input as it should, in one line. Everything else is thrown on. */
export async function orRefused<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (error.message === '' || error.message.length > LONGEST) {
      throw new Error(`a refusal of ${error.message.length} characters: ${error.message.slice(0, 200)}`);
    }
    return undefined;
  }
}

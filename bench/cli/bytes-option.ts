import { UserError } from '../../sim/contract/assert.ts';
import { sizeBytes } from '../../sim/contract/quantities.ts';
import type { Bytes } from '../../sim/contract/units.ts';

/** `64M`, `1GiB`, `4096`: as files of scenarios have them. Throws UserError. */
export function bytesOption(option: string, text: string): Bytes {
  const value = sizeBytes(text);
  if (value === undefined || !Number.isSafeInteger(value)) {
    throw new UserError(`--${option}: found '${text}', expected a number of bytes (K, M, G, T)`);
  }
  return value;
}

import { UserError } from '../../sim/contract/assert.ts';
import type { Bytes } from '../../sim/contract/units.ts';

const POWERS = ' KMGT';

/** `64M`, `1GiB`, `4096`: the letters are powers of 1024. Throws UserError. */
export function bytesOption(option: string, text: string): Bytes {
  const [, digits, unit = ''] = /^(\d+|0x[0-9a-f]+)([KMGT]?)(?:i?B)?$/i.exec(text) ?? [];
  const value = Number(digits) * 1024 ** POWERS.indexOf(unit.toUpperCase() || ' ');
  if (!Number.isSafeInteger(value)) {
    throw new UserError(`--${option}: found '${text}', expected a number of bytes (K, M, G, T)`);
  }
  return value;
}

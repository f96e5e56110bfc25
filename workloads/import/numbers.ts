import { UserError } from '../../sim/contract/assert.ts';
import { NUMBER_MAX } from '../../sim/contract/event.ts';
import { quotedLine } from './lines.ts';

/**
 * The numbers of other tools' logs, all by this way. What is larger than NUMBER_MAX, or negative as a signed number of 64
 * bits, is a size that cannot be had, and becomes NUMBER_MAX; addresses and the rest must be exact.
 */

const DECIMAL = /^-?\d+$/;
const HEXADECIMAL = /^(?:0x)?[0-9a-f]+$/i;
/** Longer ones are no numbers of 64 bits. */
const DIGITS_MAX = 21;

export interface NumberForm {
  readonly place: string;
  /** As it is called in messages: `size`, `address`. */
  readonly what: string;
  /** 16: hexadecimal digits, with 0x or without. 10: decimal, or hexadecimal with 0x. */
  readonly radix: 10 | 16;
}

/** An address, a thread, a time, an index: 0 to NUMBER_MAX. */
export function exactNumber(text: string, form: NumberForm): number {
  const value = parsed(text, form);
  if (value < 0 || value > NUMBER_MAX) throw refusal(text, form, `a number from 0 to ${NUMBER_MAX}`);
  return value;
}

/** A size or a count of bytes, in which -1 and its like are very large. */
export function sizeNumber(text: string, form: NumberForm): number {
  const value = parsed(text, form);
  return value < 0 || value > NUMBER_MAX ? NUMBER_MAX : value;
}

function parsed(text: string, form: NumberForm): number {
  const isHex = form.radix === 16 || /^0x/i.test(text);
  if (text.length > DIGITS_MAX || !(isHex ? HEXADECIMAL : DECIMAL).test(text)) throw refusal(text, form, 'a number');
  return isHex ? Number(`0x${text.replace(/^0x/i, '')}`) : Number(text);
}

function refusal(text: string, { place, what }: NumberForm, expected: string): UserError {
  return new UserError(`${place}: found ${what} ${quotedLine(text)}, expected ${expected}`);
}

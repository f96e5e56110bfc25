import {
  OP_CALLOC,
  OP_CLOCK,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FREE,
  OP_MALLOC,
  OP_MEMALIGN,
  OP_REALLOC,
  OP_WRITE,
} from '../../../sim/contract/event.ts';
import type { EventBatch } from '../compiler/batch.ts';

const LF = 10;
const SPACE = 32;
const ZERO = 48;
/** Nine digits fit in an int32 whatever they are; longer numbers take the general path. */
const FAST_DIGITS = 9;

/**
 * Fills the batch with lines of numbers from bytes[from, to), which ends behind a line end, so that no loop over digits
 * can run past it. Stops in front of a line that is anything else, or behind `most` of them; returns where. It calls
 * nothing, and spells a number out each time: a function, or a loop over the fields, costs a third more.
 */
export function fillBatch(batch: EventBatch, bytes: Uint8Array, from: number, to: number, most: number): number {
  const { op, fields, lineStart } = batch;
  let count = 0;
  let start = from;
  while (start < to && count < most) {
    let p = start;
    let kind = OP_OF_LETTER[bytes[p]!]!;
    if (kind === E_PREFIX) kind = OP_OF_E_LETTER[bytes[++p]!]!;
    if (kind === NOT_NUMERIC || bytes[++p] !== SPACE) break;
    const base = 4 * count;
    // Unsigned, a byte below '0' is a large number as well.
    let first = p;
    let digit = bytes[++p]! - ZERO;
    if (digit >>> 0 > 9) break;
    let value = digit;
    while ((digit = bytes[++p]! - ZERO) >>> 0 <= 9) value = (Math.imul(value, 10) + digit) | 0;
    if (p - first > FAST_DIGITS + 1) break;
    fields[base] = value;
    if (kind !== OP_CLOCK) {
      if (bytes[p] !== SPACE) break;
      first = p;
      digit = bytes[++p]! - ZERO;
      if (digit >>> 0 > 9) break;
      value = digit;
      while ((digit = bytes[++p]! - ZERO) >>> 0 <= 9) value = (Math.imul(value, 10) + digit) | 0;
      if (p - first > FAST_DIGITS + 1) break;
      fields[base + 1] = value;
      const fieldCount = FIELD_COUNT[kind]!;
      if (fieldCount > 2) {
        if (bytes[p] !== SPACE) break;
        first = p;
        digit = bytes[++p]! - ZERO;
        if (digit >>> 0 > 9) break;
        value = digit;
        while ((digit = bytes[++p]! - ZERO) >>> 0 <= 9) value = (Math.imul(value, 10) + digit) | 0;
        if (p - first > FAST_DIGITS + 1) break;
        fields[base + 2] = value;
        if (fieldCount > 3) {
          if (bytes[p] !== SPACE) break;
          first = p;
          digit = bytes[++p]! - ZERO;
          if (digit >>> 0 > 9) break;
          value = digit;
          while ((digit = bytes[++p]! - ZERO) >>> 0 <= 9) value = (Math.imul(value, 10) + digit) | 0;
          if (p - first > FAST_DIGITS + 1) break;
          fields[base + 3] = value;
        }
      }
    }
    if (bytes[p] !== LF) break;
    op[count] = kind;
    lineStart[count] = start;
    count++;
    start = p + 1;
  }
  batch.count = count;
  return start;
}

/** For the loop over lines: the operation that a first letter stands for, and how many numbers follow it. */
const NOT_NUMERIC = 255;
const E_PREFIX = 254;
const OP_OF_LETTER = letterTable([
  ['m', OP_MALLOC],
  ['f', OP_FREE],
  ['r', OP_REALLOC],
  ['c', OP_CALLOC],
  ['a', OP_MEMALIGN],
  ['w', OP_WRITE],
  ['+', OP_CLOCK],
  ['e', E_PREFIX],
]);
const OP_OF_E_LETTER = letterTable([
  ['m', OP_EMALLOC],
  ['f', OP_EFREE],
  ['r', OP_EREALLOC],
  ['c', OP_ECALLOC],
]);
const FIELD_COUNT = new Uint8Array(32);
FIELD_COUNT[OP_CLOCK] = 1;
for (const op of [OP_FREE, OP_EFREE]) FIELD_COUNT[op] = 2;
for (const op of [OP_MALLOC, OP_REALLOC, OP_EMALLOC, OP_EREALLOC]) FIELD_COUNT[op] = 3;
for (const op of [OP_CALLOC, OP_MEMALIGN, OP_WRITE, OP_ECALLOC]) FIELD_COUNT[op] = 4;

function letterTable(entries: readonly (readonly [string, number])[]): Uint8Array {
  const table = new Uint8Array(256).fill(NOT_NUMERIC);
  for (const [letter, op] of entries) table[letter.charCodeAt(0)] = op;
  return table;
}

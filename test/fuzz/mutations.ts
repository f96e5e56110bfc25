import fc from 'fast-check';

/** One change of some bytes; places are shares of the length, so that they stay in range whatever came before. */
export interface Edit {
  readonly kind: 'set' | 'flip' | 'insert' | 'delete' | 'repeat' | 'swap' | 'number';
  /** 0 to 1. */
  readonly at: number;
  readonly length: number;
  readonly value: number;
}

const NUMBERS = [
  '0', '-1', '1', '255', '256', '65536', '2147483647', '2147483648', '4294967295', '4294967296', '9007199254740991',
  '9007199254740992', '18446744073709551615', '99999999999999999999999', '0x10', '1e9', '', ' ', '\u2028', '\r', '\0',
]; // biome-ignore format: a list

export const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('set', 'flip', 'insert', 'delete', 'repeat', 'swap', 'number'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 40 }),
  value: fc.nat(255),
});

const edits = fc.array(edit, { minLength: 1, maxLength: 8 });

export function applyEdit(bytes: Uint8Array, { kind, at, length, value }: Edit): Uint8Array {
  const from = Math.min(bytes.length, Math.floor(at * bytes.length));
  const to = Math.min(bytes.length, from + length);
  const [before, middle, after] = [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)];
  switch (kind) {
    case 'set':
      return Buffer.concat([before, Uint8Array.of(value), bytes.subarray(from + 1)]);
    case 'flip':
      return Buffer.concat([before, middle.map((byte, i) => (i === 0 ? byte ^ (1 << (value & 7)) : byte)), after]);
    case 'insert':
      return Buffer.concat([before, new Uint8Array(length).fill(value), bytes.subarray(from)]);
    case 'delete':
      return Buffer.concat([before, after]);
    case 'repeat':
      return Buffer.concat([before, ...Array.from({ length: 1 + (value & 7) }, () => middle), after]);
    case 'swap':
      return Buffer.concat([before, after.subarray(0, length), middle, after.subarray(length)]);
    case 'number': {
      // In place of the digits around here, if there are any.
      let start = from;
      let end = from;
      const isDigit = (i: number) => bytes[i]! >= 48 && bytes[i]! <= 57;
      while (start > 0 && isDigit(start - 1)) start--;
      while (end < bytes.length && isDigit(end)) end++;
      const number = Buffer.from(NUMBERS[value % NUMBERS.length]!);
      return Buffer.concat([bytes.subarray(0, start), number, bytes.subarray(end)]);
    }
  }
}

/** One of the inputs with a few changes. */
export function mutated(corpus: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc.tuple(fc.constantFrom(...corpus), edits).map(([bytes, changes]) => changes.reduce(applyEdit, bytes));
}

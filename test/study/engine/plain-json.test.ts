import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalPlain, decodePlain, encodePlain } from '../../../bench/study/parallel/plain-json.ts';

const key = fc.oneof(fc.string(), fc.constantFrom('$number', '$$number', 'number'));
const data = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.double().map((n) => (Object.is(n, -0) ? 0 : n)),
    fc.integer(),
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value')),
    fc.array(fc.tuple(key, tie('value'))).map((entries) => Object.fromEntries(entries)),
  ),
})).value;

test('plain data come back as they were, what JSON has no text for too', () => {
  fc.assert(fc.property(data, (value) => void expect(decodePlain(encodePlain(value))).toEqual(value)));
  expect(decodePlain(encodePlain({ a: Infinity, b: [-Infinity, Number.NaN] }))).toEqual({
    a: Infinity,
    b: [-Infinity, Number.NaN],
  });
});

test('the canonical text does not depend on the order of the keys', () => {
  const reversed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(reversed);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([name, item]) => [name, reversed(item)]),
    );
  };
  fc.assert(fc.property(data, (value) => void expect(canonicalPlain(reversed(value))).toBe(canonicalPlain(value))));
});

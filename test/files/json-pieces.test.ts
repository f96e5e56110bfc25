import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonText } from '../../sim/contract/escape.ts';
import { jsonPieces } from '../../sim/contract/json-pieces.ts';

const long = (entry: fc.Arbitrary<unknown>) => fc.array(entry, { minLength: 99, maxLength: 103 });

test('pieces of JSON are those of the whole text', () => {
  const leaf = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant(undefined), fc.constant('##[group]\u001b\n  x'));
  const samples = fc.record({ samples: long(leaf), label: fc.string(), none: fc.constant(undefined) });
  const values = fc.oneof(leaf, samples, fc.record({ runs: fc.array(fc.array(samples, { maxLength: 2 })), leaf }));
  fc.assert(
    fc.property(values, fc.constantFrom(1, 2), (value, indent) => {
      if (value === undefined) return;
      expect([...jsonPieces(value, indent)].join('')).toBe(jsonText(value, indent));
    }),
    { numRuns: 300 },
  );
  expect([...jsonPieces({ samples: Array.from({ length: 300 }, (_, i) => ({ i })) }, 1)].length).toBeGreaterThan(300);
});

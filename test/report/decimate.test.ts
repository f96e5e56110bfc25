import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decimate } from '../../bench/report/decimate.ts';

describe('decimate', () => {
  test('keeps the extremes of every column, of the whole and of every stretch', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1e6 }), { minLength: 1, maxLength: 400 }),
        fc.integer({ min: 1, max: 40 }),
        (values, buckets) => {
          const x = values.map((_, i) => i * 3);
          const other = values.map((v, i) => (v * 7919 + i) % 1009);
          const rows = decimate(x, [values, other], buckets);
          expect(rows[0]).toBe(0);
          expect(rows.at(-1)).toBe(values.length - 1);
          expect(rows).toEqual([...new Set(rows)].sort((i, j) => i - j));
          for (const column of [values, other]) {
            expect(Math.max(...rows.map((i) => column[i]!))).toBe(Math.max(...column));
            expect(Math.min(...rows.map((i) => column[i]!))).toBe(Math.min(...column));
          }
          expect(rows.length).toBeLessThanOrEqual(Math.max(buckets * 2, (buckets + 1) * 6));
        },
      ),
    );
  });

  test('one sample among a million that is higher than all others stays', () => {
    const values = new Float64Array(1_000_000).fill(5);
    values[765_432] = 6;
    const x = Float64Array.from(values, (_, i) => i);
    const rows = decimate(x, [values], 1000);
    expect(rows).toContain(765_432);
    expect(rows.length).toBeLessThan(4100);
  });
});

import { expect, test } from 'vitest';
import { bytes, columns, count, duration, percent } from '../../sim/contract/format.ts';

test('numbers have units and at least three digits', () => {
  expect([0, 960, 1024, 12288, 1604321, 2 ** 40].map(bytes)).toEqual([
    '0 B',
    '960 B',
    '1.00 KiB',
    '12.0 KiB',
    '1.53 MiB',
    '1.00 TiB',
  ]);
  expect(bytes(-2048)).toBe('-2.00 KiB');
  expect([0, 999, 1000, 1234567].map(count)).toEqual(['0', '999', '1,000', '1,234,567']);
  expect([7, 1500, 2500000, 3.2e12].map(duration)).toEqual(['7 ns', '1.50 µs', '2.50 ms', '3200 s']);
  expect(percent(0.1234)).toBe('12.3 %');
});

test('columns align by what is seen, not by escape sequences', () => {
  const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
  expect(
    columns(
      [
        ['a', '1'],
        [red('long'), '22'],
      ],
      'lr',
    ),
  ).toEqual(['  a      1', `  ${red('long')}  22`]);
});

import { expect, test } from 'vitest';
import { bytesOption } from '../../bench/cli/bytes-option.ts';

test('amounts as reports write them, and with a letter alone, are powers of 1024', () => {
  const given = ['0', '4096', '64k', '64K', '1M', '1MiB', '1.5G', '2GB', '1gib', '1T', '100B'];
  expect(given.map((text) => bytesOption('memory', text))).toEqual([
    0,
    4096,
    65536,
    65536,
    2 ** 20,
    2 ** 20,
    1.5 * 2 ** 30,
    2 ** 31,
    2 ** 30,
    2 ** 40,
    100,
  ]);
});

test.each(['', '-1', 'G', '1P', '1Gi', '9999999T'])('%j is refused', (text) => {
  expect(() => bytesOption('memory', text)).toThrow(
    `--memory: found '${text}', expected a number of bytes (K, M, G, T)`,
  );
});

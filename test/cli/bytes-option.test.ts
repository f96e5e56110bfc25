import { expect, test } from 'vitest';
import { bytesOption } from '../../bench/cli/bytes-option.ts';

test('amounts as reports write them, and with a letter alone, are powers of 1024', () => {
  const given = ['0', '4096', '0x10', '64k', '64K', '1M', '1MiB', '2GB', '1gib', '1T', '100B'];
  expect(given.map((text) => bytesOption('memory', text))).toEqual([
    0,
    4096,
    16,
    65536,
    65536,
    2 ** 20,
    2 ** 20,
    2 ** 31,
    2 ** 30,
    2 ** 40,
    100,
  ]);
});

test.each(['', '-1', '1.5G', 'G', '1P', '1 G', '1Gi', '9999999T'])('%j is refused', (text) => {
  expect(() => bytesOption('memory', text)).toThrow(
    `--memory: found '${text}', expected a number of bytes (K, M, G, T)`,
  );
});

import { expect, test } from 'vitest';
import { leftText } from '../../bench/cli/progress.ts';

test('the time left is told at the rate so far, where there is one', () => {
  expect(leftText(0, 100, 1500)).toBe('');
  expect(leftText(25, 100, 2000)).toBe(', 6 s left');
  expect(leftText(100, 100, 2000)).toBe('');
});

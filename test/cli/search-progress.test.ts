import { expect, test } from 'vitest';
import { searchText } from '../../bench/cli/run-progress.ts';

test('a search tells how long it takes once a few runs and seconds tell the rate', () => {
  expect(searchText(4, 200, 60_000)).toBeUndefined();
  expect(searchText(20, 200, 4_000)).toBeUndefined();
  expect(searchText(200, 200, 60_000)).toBeUndefined();
  expect(searchText(5, 200, 10_000)).toBe(
    '5 runs in 10 s: about 6 min 30 s more for the 200 of the budget, less where the search ends before',
  );
});

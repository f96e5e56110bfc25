import { expect, test } from 'vitest';
import { exitWithRequestBlocks } from '../../bench/run/modes/heap-ends.ts';
import { eventsOf } from '../helpers/bump-run.ts';

const rowOf = (...lines: string[]) => exitWithRequestBlocks(eventsOf(lines));

test('a thread that exits with blocks of its request is found, and none that has freed them', () => {
  expect(rowOf('em 3 19 100', 'te 3', 'em 3 5 1', 'ef 3 19')).toBe(1);
  expect(rowOf('em 3 19 100', 'ef 3 19', 'te 3')).toBe(-1);
  expect(rowOf('em 3 19 100', 'ee 3', 'te 3')).toBe(-1);
  expect(rowOf('em 3 19 100', 'em 2 7 1', 'ef 3 19', 'te 3', 'ef 2 7')).toBe(-1);
  expect(rowOf('m 3 19 100', 'em 2 7 1', 'te 3', 'f 2 19', 'ef 2 7')).toBe(-1);
});

import { expect, test } from 'vitest';
import { endWithBlocks } from '../../bench/run/modes/heap-ends.ts';
import { eventsOf } from '../helpers/bump-run.ts';

const rowOf = (...lines: string[]) => endWithBlocks(eventsOf(lines), false);
const rowOfAll = (...lines: string[]) => endWithBlocks(eventsOf(lines), true);

test('a thread that exits with blocks of its request is found, and none that has freed them', () => {
  expect(rowOf('em 3 19 100', 'te 3', 'em 3 5 1', 'ef 3 19')).toBe(1);
  expect(rowOf('em 3 19 100', 'ef 3 19', 'te 3')).toBe(-1);
  expect(rowOf('em 3 19 100', 'ee 3', 'te 3')).toBe(-1);
  expect(rowOf('em 3 19 100', 'em 2 7 1', 'ef 3 19', 'te 3', 'ef 2 7')).toBe(-1);
  expect(rowOf('m 3 19 100', 'em 2 7 1', 'te 3', 'f 2 19', 'ef 2 7')).toBe(-1);
});

test('where the heap has malloc’s blocks too, so does the end of a request', () => {
  expect(rowOf('m 0 6 100', 'm 1 1 1', 'ee 0', 'f 0 6')).toBe(-1);
  expect(rowOfAll('m 0 6 100', 'm 1 1 1', 'ee 0', 'f 0 6')).toBe(2);
  expect(rowOfAll('m 0 6 100', 'm 1 1 1', 'f 0 6', 'ee 0')).toBe(-1);
  expect(rowOfAll('m 1 6 100', 'm 0 1 1', 'em 1 7 5', 'ef 1 7', 'te 1', 'f 0 6')).toBe(4);
});

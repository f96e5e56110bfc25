import { expect, test } from 'vitest';
import { goingDown } from '../../../bench/study/explain/going-down/going-down.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

const RECORDED = 'recorded with LD_PRELOAD, linux x64';
const held = Array.from({ length: 40 }, (_, i) => `m 0 ${i + 1} 1000`);
const freed = held.map((_, i) => `f 0 ${i + 1}`);

const down = (lines: readonly string[], exits = true, source = RECORDED) =>
  goingDown({ ...eventsOf([...lines, '= end']), source, exitRow: exits ? lines.length : -1 });

test.each([
  ['exit', 'exit', held, true, 40],
  ['the end of a recording that a signal ended', 'end of the trace', held, false, 41],
  ['frees with which a recording ends', 'frees', [...held, ...freed], false, 40],
  ['an interpreter', 'interpreter', [...held, '= Py_FinalizeEx', ...freed], true, 40],
  ['a script', 'script', [...held, '= script 1 done', ...freed], true, 40],
  ['a request', 'request', ['eb 0', 'em 0 1 100', 'ee 0'], false, 2],
] as const)('%s is a sign', (_, by, lines, exits, row) => {
  expect(down(lines, exits)).toMatchObject({ row, exit: { row, sign: { by } }, ends: undefined });
});

test('one answer for frees of locals, ends of threads and the exit behind each other', () => {
  const lines = ['m 1 99 8', ...held, ...freed, 'te 1', '+ 5000'];
  expect(down(lines)).toMatchObject({
    row: 41,
    exit: { row: lines.length, sign: { by: 'exit' } },
    ends: { row: 81, threadEnds: 1 },
    frees: { row: 41, end: 81, frees: 40 },
    areLocals: true,
  });
});

test('where the time behind the frees leaves it open, the events do not tell', () => {
  expect(down([...held, ...freed, '+ 90000'])).toMatchObject({ row: 81, frees: { row: 40 }, areLocals: undefined });
  expect(down([...held, 'f 0 1', '+ 90000'])).toMatchObject({ row: 42, frees: undefined, areLocals: false });
});

import { expect, test } from 'vitest';
import { leastSeconds } from '../../bench/benchmark/commands/compare.ts';
import { type CommandBenchmark, type CommandRow, isReached } from '../../bench/benchmark/commands/rows.ts';
import { commandsText } from '../../bench/benchmark/commands/text.ts';
import { ratioRow } from '../../bench/benchmark/commands/workers.ts';
import { PLAIN } from '../../bench/report/text/palette.ts';

const row = (found: number[], goal: number | undefined, below: boolean): CommandRow => ({
  group: 'whole commands',
  name: `goal ${goal}`,
  found,
  unit: 's',
  goal,
  below,
});

test('a goal is reached at its limit; without one nothing is said', () => {
  expect(isReached(row([1], 1, true), 1)).toBe(true);
  expect(isReached(row([1], 1, false), 0.99)).toBe(false);
  expect(isReached(row([1], undefined, true), 5)).toBeUndefined();
});

test('the table has medians beside goals, and marks only what was measured to be judged', () => {
  const benchmark: CommandBenchmark = {
    rounds: 3,
    load: { before: 0.5, after: 2, processors: 2 },
    noReal: 'no compiler',
    rows: [row([3, 1, 2], 2, true), row([30, 10, 20], 25, false), row([1, 1, 1], undefined, true)],
    partial: false,
  };
  expect(commandsText(benchmark, PLAIN, true)).toMatchInlineSnapshot(`
    "Commands in fresh processes, medians of 3 (least to most), time on the wall
    Load of the machine: 0.5 before, 2.0 behind, on 2 processors

      whole commands   found         range  goal
      goal 2          2.00 s  1.00 to 3.00   ≤ 2  ✓
      goal 25           20 s      10 to 30  ≥ 25  ✗ missed
      goal undefined  1.00 s  1.00 to 1.00

    No real allocator beside: no compiler
    "
  `);
  expect(commandsText(benchmark, PLAIN, false)).not.toContain('missed');
});

test('the least that a comparison can take: loops and one load shared out, and no loop on two processors', () => {
  const run = (replay: number, load: number) => ({ engine: { replayNs: replay * 1e9, loadNs: load * 1e9 } });
  expect(leastSeconds([run(1, 0.5), run(2, 0.3), run(1, 0.4)], 2)).toBeCloseTo(2.15);
  expect(leastSeconds([run(1, 0.5), run(9, 0.5), run(1, 0.5)], 2)).toBe(9);
  expect(leastSeconds([run(1, 0.5), run(2, 0.5)], 1)).toBe(3.5);
});

test('two against one: the ratio of each round, with its seconds beside it and no goal of its own', () => {
  const row = ratioRow('two : one', [
    [3, 2],
    [2, 2],
  ]);
  expect(row.found).toEqual([1.5, 1]);
  expect(row.about).toBe('3.00 2.00 : 2.00 2.00 s');
  expect(isReached(row, 1.25)).toBeUndefined();
});

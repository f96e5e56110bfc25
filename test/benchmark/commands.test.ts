import { expect, test } from 'vitest';
import { type CommandBenchmark, type CommandRow, isReached } from '../../bench/benchmark/commands/rows.ts';
import { commandsText } from '../../bench/benchmark/commands/text.ts';
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

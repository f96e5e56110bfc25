import { expect, test } from 'vitest';
import { programTime } from '../../../bench/study/explain/recorded/program-time.ts';

const look = (row: number, cpuNs: number, recorderNs: number) => ({
  row,
  values: [['VmRSS', 4096] as const, ['cpuNs', cpuNs] as const, ['recorderNs', recorderNs] as const],
});

test('the first look behind the moment tells, or the last one before, less the recorder, by the events before the moment', () => {
  const observations = [look(100, 500, 100), { row: 150, values: [['VmRSS', 4096] as const] }, look(200, 1300, 300)];
  expect(programTime({ observations }, 100)).toBe(400);
  expect(programTime({ observations }, 50)).toBe(200);
  expect(programTime({ observations }, 101)).toBe(505);
  // The exit itself lies right behind the last look.
  expect(programTime({ observations }, 201)).toBeCloseTo(1005);
  expect(programTime({ observations: [look(0, 500, 600)] }, 0)).toBe(0);
  expect(programTime({ observations: [] }, 0)).toBeNull();
});

import { expect, test } from 'vitest';
import { recordedPeak } from '../../bench/run/recorded-process.ts';
import type { Observation } from '../../sim/contract/event.ts';

const look = (VmHWM: number, files: number, stack = 1): Observation => ({
  row: 0,
  values: Object.entries({ VmRSS: 1, blocks: 1, VmHWM, files, stack }),
});

test('what lay beside the heap at its peak is what did so around the peak, not at the end', () => {
  // Libraries are unmapped before the last look.
  expect(recordedPeak([look(40, 10), look(65, 18), look(65, 12)])).toBe(46);
  expect(recordedPeak([look(40, 20), look(65, 18), look(65, 12)])).toBe(44);
  expect(recordedPeak([look(65, 12)])).toBe(52);
  expect(recordedPeak([])).toBeNull();
});

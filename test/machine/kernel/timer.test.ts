import { expect, test } from 'vitest';
import { timerExpiresUs } from '../../../machine/kernel/timer.ts';

// Levels of the wheel: to 62 jiffies of 4 ms exact, then in steps of 8, 64, 512, … of them; always the end of the step.
test.each([
  { nowUs: 0, ms: 10, expires: 4 },
  { nowUs: 3999, ms: 10, expires: 4 },
  { nowUs: 4000, ms: 248, expires: 64 },
  { nowUs: 0, ms: 252, expires: 64 },
  { nowUs: 0, ms: 500, expires: 128 },
  { nowUs: 512_000, ms: 500, expires: 256 },
  { nowUs: 0, ms: 10_000, expires: 2560 },
  { nowUs: 0, ms: 60_000, expires: 15_360 },
])('$ms ms from $nowUs us end with jiffy $expires', ({ nowUs, ms, expires }) => {
  expect(timerExpiresUs(nowUs, ms)).toBe(expires * 4000);
});

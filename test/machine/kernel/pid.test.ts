import { expect, test } from 'vitest';
import { PidNamespace } from '../../../machine/kernel/pid.ts';

test('numbers go up, and come round to 300', () => {
  const pids = new PidNamespace(86);
  pids.max = 310;
  const taken = Array.from({ length: 224 }, () => pids.alloc());
  expect(taken[0]).toBe(86);
  expect(taken.at(-1)).toBe(309);
  expect(pids.isFull).toBe(true);
  // One that the kernel keeps for itself does not come round; one from 300 on does.
  pids.free(200);
  expect(pids.alloc()).toBeUndefined();
  pids.free(301);
  expect(pids.alloc()).toBe(301);
  expect(pids.alloc()).toBeUndefined();
});

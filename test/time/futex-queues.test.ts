import { expect, test } from 'vitest';
import { createFutexQueues } from '../../sim/time/futex-queues.ts';

test('a queue comes out in the order in which it was gone into, one at a time', () => {
  const queues = createFutexQueues(4, 2);
  queues.sleep(1, 0, 3, 100);
  queues.sleep(2, 0, 3, 200);
  queues.sleep(0, 1, 3, 300);
  expect([...queues.since]).toEqual([300, 100, 200, 0]);
  expect(queues.runs(3)).toEqual([0, 1]);
  expect(queues.runs(3)).toEqual([]); // each of them once
  expect(queues.take(0)).toBe(1);
  expect(queues.wokenFor[1]).toBe(1); // the lock, + 1
  expect(queues.take(0)).toBe(2);
  expect(queues.take(0)).toBe(-1);
  expect(queues.take(1)).toBe(0);
});

test('who has to sleep again goes to the end, and was not woken for anything', () => {
  const queues = createFutexQueues(3, 1);
  queues.sleep(0, 0, 2, 0);
  queues.sleep(1, 0, 2, 0);
  expect(queues.take(0)).toBe(0);
  queues.sleep(0, 0, 1, 50);
  expect(queues.wokenFor[0]).toBe(0);
  expect(queues.runs(1)).toEqual([0]);
  expect([queues.take(0), queues.take(0), queues.take(0)]).toEqual([1, 0, -1]);
});

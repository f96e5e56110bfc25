import { expect, it } from 'vitest';
import { createBeginning } from '../../sim/contract/beginning.ts';
import { createSegmentLog, DOWN_READ, KERNEL, KIND_BITS, REPEAT, UP_READ } from '../../sim/time/segments.ts';

it('faults that are alike are one entry, and their time is still to be played', () => {
  const log = createSegmentLog(1, createBeginning());
  log.append(0, DOWN_READ, 0);
  log.append(0, KERNEL, 250);
  log.append(0, UP_READ, 0);
  log.append(0, REPEAT | (3 << KIND_BITS), 0);
  expect(log.tail[0]).toBe(4);
  expect(log.pendingNs(0)).toBe(4 * 250);
});

import { type EventBuffer, OP_CLOCK, OP_MASK } from '../contract/event.ts';
import type { Ns } from '../contract/units.ts';

/**
 * When each event happened in the recorded run: the sum of the clock events before it. Only those are kept, so a look
 * takes a binary search; a thread that goes through its events in order finds the next place near the last one.
 */
export function createRecordedTime(events: EventBuffer): (row: number) => Ns {
  const { length, head, a, b } = events;
  let count = 0;
  for (let row = 0; row < length; row++) if ((head[row]! & OP_MASK) === OP_CLOCK) count++;
  const rows = new Int32Array(count);
  const sums = new Float64Array(count);
  let sum = 0;
  for (let row = 0, i = 0; row < length; row++) {
    if ((head[row]! & OP_MASK) !== OP_CLOCK) continue;
    sum += b[row]! * 2 ** 32 + a[row]!;
    rows[i] = row;
    sums[i++] = sum;
  }
  return (row) => {
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (rows[middle]! < row) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : sums[low - 1]!;
  };
}

import type { EventBuffer } from '../../../sim/contract/event.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import { requestedAfter } from './requested-after.ts';

/** How the program's own demand moved: a leak shows as a floor that keeps rising. */
export interface Growth {
  /** Least requested bytes within each quarter of the events. */
  readonly floors: readonly [Bytes, Bytes, Bytes, Bytes];
  /** Whether each quarter's floor is higher than the one before, the last by at least a tenth. */
  readonly rises: boolean;
}

export function growthOf(events: EventBuffer, end: number): Growth {
  const floors: [Bytes, Bytes, Bytes, Bytes] = [Infinity, Infinity, Infinity, Infinity];
  const quarter = Math.max(1, Math.ceil(end / 4));
  requestedAfter(events, end, (row, _slot, _sizes, sum) => {
    const q = Math.floor(row / quarter) as 0 | 1 | 2 | 3;
    if (sum < floors[q]) floors[q] = sum;
  });
  for (let q = 1; q < 4; q++) if (floors[q] === Infinity) floors[q] = floors[q - 1]!;
  const [first, second, third, fourth] = floors;
  return { floors, rises: first < second && second < third && fourth >= third * 1.1 && fourth > 0 };
}

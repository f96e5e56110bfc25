import { type EventBuffer, OP_FREE, OP_MASK, OP_OPT, OP_REALLOC } from '../../../sim/contract/event.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import { visitObjects } from '../../run/object-events.ts';

/** How the program's own demand moved: a leak shows as a floor that keeps rising. */
export interface Growth {
  /** Least requested bytes within each quarter of the events. */
  readonly floors: readonly [Bytes, Bytes, Bytes, Bytes];
  /** Whether each quarter's floor is higher than the one before, the last by at least a tenth. */
  readonly rises: boolean;
}

/** What the events alone tell of rows [0, end), as if no allocation failed. */
export interface Demand {
  readonly growth: Growth;
  /** Frees and reallocs of blocks of LARGE_BYTES and more that malloc's family serves, in order. */
  readonly largeFrees: LargeFrees;
  /** Rows with mallopt(). */
  readonly optionRows: readonly number[];
}

export interface LargeFrees {
  readonly rows: readonly number[];
  /** Requested sizes of the blocks, by the same index. */
  readonly sizes: readonly Bytes[];
}

/** From here on a block leaves whole pages. */
export const LARGE_BYTES = 16 * 1024;

export function demandOf(events: EventBuffer, end: number): Demand {
  const { head, objectSlots } = events;
  const requested = new Float64Array(objectSlots);
  const floors = new Float64Array(4).fill(Infinity);
  const quarter = Math.max(1, Math.ceil(end / 4));
  const largeFrees = { rows: [] as number[], sizes: [] as number[] };
  const optionRows: number[] = [];
  let sum = 0;
  const set = (slot: number, size: Bytes) => {
    sum += size - requested[slot]!;
    requested[slot] = size;
  };
  visitObjects(events, end, {
    row(row, slot) {
      const q = Math.floor(row / quarter);
      if (sum < floors[q]!) floors[q] = sum;
      const op = head[row]! & OP_MASK;
      if (op === OP_FREE || op === OP_REALLOC) {
        if (requested[slot]! < LARGE_BYTES) return;
        largeFrees.rows.push(row);
        largeFrees.sizes.push(requested[slot]!);
      } else if (op === OP_OPT) {
        optionRows.push(row);
      }
    },
    sized: (_row, slot, size) => set(slot, size),
    freed: (_row, slot) => set(slot, 0),
  });
  return { growth: growthOf(floors), largeFrees, optionRows };
}

function growthOf(floors: Float64Array): Growth {
  for (let q = 1; q < 4; q++) if (floors[q] === Infinity) floors[q] = floors[q - 1]!;
  const [first, second, third, fourth] = floors as unknown as [Bytes, Bytes, Bytes, Bytes];
  return {
    floors: [first, second, third, fourth],
    rises: first < second && second < third && fourth >= third * 1.1 && fourth > 0,
  };
}

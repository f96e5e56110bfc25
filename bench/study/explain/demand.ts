import {
  type EventBuffer,
  OP_CLOCK,
  OP_EFREE,
  OP_EREALLOC,
  OP_FREE,
  OP_MASK,
  OP_OPT,
  OP_REALLOC,
  OP_REQUEST_END,
} from '../../../sim/contract/event.ts';
import type { Bytes, Ns } from '../../../sim/contract/units.ts';
import { visitObjects } from '../../run/object-events.ts';
import { nsOf } from './going-down/pauses.ts';

/** How the program's own demand moved: a leak shows as a floor that keeps rising. */
export interface Growth {
  /** Least requested bytes within each quarter of the events of its life, the end of that with the last. */
  readonly floors: readonly [Bytes, Bytes, Bytes, Bytes];
  /**
   * Whether each quarter's floor is higher than the one before, the last by at least a tenth, and the last eighth's not below that of the
   * eighth before: what falls at the end is no leak. Of the events and, where the trace has times, of the time: what is loaded at first and then kept
   * is many events and little time.
   */
  readonly rises: boolean;
}

/** What the events alone tell of rows [0, end), as if no allocation failed. */
export interface Demand {
  readonly growth: Growth;
  /** Frees and reallocs of blocks of LARGE_BYTES and more that malloc serves, in order; a row that frees several is there for each. */
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

/** Who else than malloc's family may hand blocks to malloc: requests, where no layer above it serves them. */
const MALLOCS: ReadonlySet<number> = new Set([OP_FREE, OP_REALLOC]);
const ALL: ReadonlySet<number> = new Set([...MALLOCS, OP_EFREE, OP_EREALLOC, OP_REQUEST_END]);

/** `hasLayer`: requests have an allocator of their own. `lives`: the row up to which it may grow; behind that it goes down. */
export function demandOf(events: EventBuffer, end: number, hasLayer: boolean, lives = end): Demand {
  const { head, objectSlots } = events;
  const requested = new Float64Array(objectSlots);
  const wholeNs = timeUntil(events, lives);
  const inEvents = eighthsOf(lives);
  const inTime = eighthsOf(wholeNs);
  const largeFrees = { rows: [] as number[], sizes: [] as number[] };
  const optionRows: number[] = [];
  const frees = hasLayer ? MALLOCS : ALL;
  let sum = 0;
  let ns = 0;
  const set = (slot: number, size: Bytes) => {
    sum += size - requested[slot]!;
    requested[slot] = size;
  };
  const endLife = () => {
    inEvents.holds(sum, lives, lives);
    inTime.holds(sum, wholeNs, wholeNs);
  };
  const leave = (row: number, slot: number) => {
    if (requested[slot]! < LARGE_BYTES || !frees.has(head[row]! & OP_MASK)) return;
    largeFrees.rows.push(row);
    largeFrees.sizes.push(requested[slot]!);
  };
  visitObjects(events, end, {
    row(row) {
      if (row < lives) inEvents.holds(sum, row, row);
      else if (row === lives) endLife();
      if ((head[row]! & OP_MASK) === OP_OPT) optionRows.push(row);
    },
    sized(row, slot, size) {
      leave(row, slot);
      set(slot, size);
    },
    freed(row, slot) {
      leave(row, slot);
      set(slot, 0);
    },
    advanced(step) {
      if (ns < wholeNs) inTime.holds(sum, ns, ns + step);
      ns += step;
    },
  });
  if (lives === end) endLife();
  const growth = growthOf(inEvents.floors, lives);
  const rises = growth.rises && (wholeNs === 0 || growthOf(inTime.floors, lives).rises);
  return { growth: { ...growth, rises }, largeFrees, optionRows };
}

const EIGHTHS = 8;

/** The least that is held in each eighth of a length, of events or of time. */
function eighthsOf(length: number): {
  readonly floors: Float64Array;
  holds(sum: Bytes, from: number, to: number): void;
} {
  const floors = new Float64Array(EIGHTHS).fill(Infinity);
  const eighth = Math.max(1, Math.ceil(length / EIGHTHS));
  const at = (place: number) => Math.min(EIGHTHS - 1, Math.floor(place / eighth));
  return {
    floors,
    holds(sum, from, to) {
      for (let e = at(from), last = at(to); e <= last; e++) if (sum < floors[e]!) floors[e] = sum;
    },
  };
}

/** The recorded time of rows [0, end). */
export function timeUntil(events: EventBuffer, end: number): Ns {
  const { head } = events;
  let ns = 0;
  for (let row = 0; row < end; row++) if ((head[row]! & OP_MASK) === OP_CLOCK) ns += nsOf(events, row);
  return ns;
}

/** Of a shorter run nothing can be said. */
const EVENTS_AN_EIGHTH = 16;

function growthOf(eighths: Float64Array, events: number): Growth {
  for (let e = 1; e < EIGHTHS; e++) if (eighths[e] === Infinity) eighths[e] = eighths[e - 1]!;
  const quarter = (q: number): Bytes => Math.min(eighths[2 * q]!, eighths[2 * q + 1]!);
  const floors = [quarter(0), quarter(1), quarter(2), quarter(3)] as const;
  const [first, second, third, fourth] = floors;
  const isLong = events >= EIGHTHS * EVENTS_AN_EIGHTH;
  const lasts = eighths[EIGHTHS - 1]! >= eighths[EIGHTHS - 2]!;
  return {
    floors,
    rises: isLong && first < second && second < third && fourth >= third * 1.1 && fourth > 0 && lasts,
  };
}

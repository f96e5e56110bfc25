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
} from '../../../../sim/contract/event.ts';
import { hasOperation } from '../../../../sim/contract/operation-set.ts';
import { type Bytes, type Ns, PAGE_BYTES } from '../../../../sim/contract/units.ts';
import { inPieces } from '../../../../sim/replay/row-pieces.ts';
import { visitObjects } from '../../../run/object-events.ts';
import { nsOf } from '../going-down/pauses.ts';
import { EIGHTHS, eighthsOf, type Floors, isRising, quartersOf } from '../growth/floors.ts';
import { type Freed, type GrowingPart, watchParts } from '../growth/growing-parts.ts';

/** How the program's own demand moved: a leak shows as a floor that keeps rising. */
export interface Growth {
  /** Least requested bytes within each quarter of the events of its life: of the first, in which all begins with nothing, within its second half; the end with the last. */
  readonly floors: Floors;
  /**
   * Whether each quarter's floor is higher than the one before, the last by at least a tenth, and the last eighth's not below that of the
   * eighth before: what falls at the end is no leak. Of the events and, where the trace has times, of the time: what is loaded at first and then kept
   * is many events and little time.
   */
  readonly rises: boolean;
  /** Of what is bounded and what is not, the latter: the largest first. */
  readonly parts: readonly GrowingPart[];
  /** What the program freed behind the first quarter of its events: one that frees next to nothing may be building what it needs. */
  readonly freed: Freed;
  /** What lives of blocks that realloc made larger. */
  readonly reallocBytes: Bytes;
}

/** What the events alone tell of rows [0, end), as if no allocation failed. */
export interface Demand {
  readonly growth: Growth;
  /** Frees and reallocs of blocks of LARGE_BYTES and more that malloc serves, in order; a row that frees several is there for each. */
  readonly largeFrees: LargeFrees;
  /** Bytes of all that malloc's blocks of so many bytes freed, by the power of two that they reach. */
  readonly freedByPower: Float64Array;
  /** Rows with mallopt(). */
  readonly optionRows: readonly number[];
}

export interface LargeFrees {
  readonly rows: readonly number[];
  /** Requested sizes of the blocks, by the same index. */
  readonly sizes: readonly Bytes[];
}

const LARGE_BYTES = 16 * 1024;

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
  const parts = watchParts(events, lives, wholeNs);
  const largeFrees = { rows: [] as number[], sizes: [] as number[] };
  const freedByPower = new Float64Array(54);
  const optionRows: number[] = [];
  const frees = hasLayer ? MALLOCS : ALL;
  let sum = 0;
  let ns = 0;
  const set = (row: number, slot: number, size: Bytes) => {
    if (row < lives) parts.set(row, ns, slot, requested[slot]!, size);
    sum += size - requested[slot]!;
    requested[slot] = size;
  };
  const endLife = () => {
    inEvents.holds(sum, lives, lives);
    inTime.holds(sum, wholeNs, wholeNs);
  };
  const leave = (row: number, slot: number) => {
    const size = requested[slot]!;
    if (size < PAGE_BYTES || !frees.has(head[row]! & OP_MASK)) return;
    freedByPower[Math.floor(Math.log2(size))]! += size;
    if (size < LARGE_BYTES) return;
    largeFrees.rows.push(row);
    largeFrees.sizes.push(size);
  };
  visitObjects(events, end, {
    row(row) {
      if (row < lives) inEvents.holds(sum, row, row);
      else if (row === lives) endLife();
      if ((head[row]! & OP_MASK) === OP_OPT) optionRows.push(row);
    },
    sized(row, slot, size) {
      leave(row, slot);
      set(row, slot, size);
    },
    freed(row, slot) {
      leave(row, slot);
      set(row, slot, 0);
    },
    advanced(step) {
      if (ns < wholeNs) inTime.holds(sum, ns, ns + step);
      ns += step;
    },
  });
  if (lives === end) endLife();
  const rises = isRising(inEvents.floors) && (wholeNs === 0 || isRising(inTime.floors));
  const isLong = lives >= LEAST_EVENTS;
  const growth = {
    floors: quartersOf(inEvents.floors),
    rises: isLong && rises,
    parts: isLong ? parts.growing() : [],
    freed: parts.freed,
    reallocBytes: parts.reallocBytes(),
  };
  return { growth, largeFrees, freedByPower, optionRows };
}

/** The recorded time of rows [0, end). */
export function timeUntil(events: EventBuffer, end: number): Ns {
  if (!hasOperation(events, OP_CLOCK)) return 0;
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const [mask, clock] = [OP_MASK, OP_CLOCK];
  const { head } = events;
  let ns = 0;
  const add = (from: number, to: number) => {
    for (let row = from; row < to; row++) if ((head[row]! & mask) === clock) ns += nsOf(events, row);
  };
  inPieces(end, add);
  return ns;
}

/** Of a shorter run nothing can be said. */
const LEAST_EVENTS = 16 * EIGHTHS;

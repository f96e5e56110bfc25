import {
  OP_BITS,
  OP_CALLOC,
  OP_CLOCK,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FREE,
  OP_MALLOC,
  OP_REALLOC,
  OP_WRITE,
  type Rows,
  type TraceSummary,
} from '../../sim/contract/event.ts';
import { U32_MAX } from './compiler.ts';

/** By object slot. */
export const DEAD = 0;
export const OF_MALLOC = 1;
export const OF_EMALLOC = 2;
const NO_OBJECT = 3; // slot 0
/** No states: other common operations. */
const PASSES = 16;
const RESIZES = 17;
const COUNTS = 18;
const WRITES = 19;
const EMALLOCS = 20;
const EFREES = 21;
const ERESIZES = 22;
const UNCOMMON = 255;

export const CLOCK_LIMIT = 2 ** 53;
/** Indices into `totals`: in an array, since a captured variable would box each new value. */
export const CLOCK_NS = 0;
export const SEES_REQUESTS = 1;

/** What is known of the objects of a trace at a row; by object slot where nothing else is said. */
export interface RowObjects {
  readonly states: Uint8Array;
  /** Of live objects; U32_MAX stands for more too. */
  readonly sizes: Uint32Array;
  /** Of e-blocks: the number of their thread's list. Empty where the trace has none. */
  readonly owners: Int32Array;
  /** Of e-blocks: the row of their allocation. */
  readonly born: Int32Array;
  /** By slot of a thread that is alive, its list; where there are e-blocks. */
  readonly listOf: Int32Array;
  /** E-blocks on each list. */
  readonly requestBlocks: number[];
  readonly totals: Float64Array;
}

export function createRowObjects({ objectSlots, threadSlots, hasRequestEvents }: TraceSummary): RowObjects {
  const states = new Uint8Array(objectSlots);
  states[0] = NO_OBJECT;
  const requested = hasRequestEvents ? objectSlots : 0;
  return {
    states,
    sizes: new Uint32Array(objectSlots),
    owners: new Int32Array(requested),
    born: new Int32Array(requested),
    listOf: new Int32Array(threadSlots),
    requestBlocks: [],
    totals: new Float64Array(2),
  };
}

/** The check of the rows that nearly all are, with everything that it needs in registers. */
export function createCommonRows(rows: Rows, threadSlots: number, objects: RowObjects) {
  const { head, slot, a, b, mask } = rows;
  const { states, sizes, owners, born, listOf, requestBlocks, totals } = objects;
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const LARGEST = U32_MAX;
  const opBits = OP_BITS;
  /**
   * By head (thread and operation), of rows without a mark by threads that are alive: what a malloc or free finds in `states` of its object, or
   * which other operation it is. One entry more than there can be: an array of 64 bytes would lie in the heap, where arrays move.
   */
  const expected = new Uint8Array((threadSlots + 1) << OP_BITS).fill(UNCOMMON);

  function setAlive(t: number, isAlive: boolean): void {
    expected.fill(UNCOMMON, t << opBits, (t + 1) << opBits);
    if (!isAlive) return;
    const set = (op: number, value: number) => (expected[(t << opBits) | op] = value);
    set(OP_MALLOC, DEAD);
    set(OP_FREE, OF_MALLOC);
    set(OP_CALLOC, COUNTS);
    set(OP_REALLOC, RESIZES);
    set(OP_WRITE, WRITES);
    set(OP_CLOCK, PASSES);
    if (owners.length === 0) return;
    set(OP_EMALLOC, EMALLOCS);
    set(OP_EFREE, EFREES);
    set(OP_EREALLOC, ERESIZES);
  }

  /**
   * Rows from `from` on, up to `to` or the first that is uncommon or may break a rule; returns it. No thread begins in there. What
   * malloc and free do is computed, without a branch between them: which comes next is as good as random, and so is the thread. What lies
   * outside of a table is undefined, and no state.
   */
  function lookAtCommon(from: number, to: number): number {
    let row = from;
    let now = totals[CLOCK_NS]!;
    let requests = false;
    for (; row < to; row++) {
      const state = expected[head[row & mask]!];
      const s = slot[row & mask]!;
      const size = a[row & mask]!;
      if (size === LARGEST || state === undefined) break;
      if (states[s] === state) {
        states[s] = 1 - state; // DEAD is 0, OF_MALLOC is 1
        sizes[s] = size; // of a block that is no more, it is never looked at
      } else if (state === EMALLOCS) {
        if (states[s] !== DEAD) break;
        const list = listOf[head[row & mask]! >>> opBits]!;
        states[s] = OF_EMALLOC;
        sizes[s] = size;
        owners[s] = list;
        born[s] = row;
        requestBlocks[list]!++;
        requests = true;
      } else if (state === EFREES) {
        if (states[s] !== OF_EMALLOC) break;
        states[s] = DEAD;
        requestBlocks[owners[s]!]!--;
        requests = true;
      } else if (state === PASSES) {
        const next = now + b[row & mask]! * 2 ** 32 + size;
        if (s !== 0 || next >= CLOCK_LIMIT) break;
        now = next;
      } else if (state === RESIZES || state === ERESIZES) {
        const kind = state === RESIZES ? OF_MALLOC : OF_EMALLOC;
        if (states[s] !== kind || sizes[s] !== b[row & mask] || b[row & mask] === LARGEST || size === 0) break;
        sizes[s] = size;
        if (kind === OF_EMALLOC) requests = true;
      } else if (state === COUNTS) {
        const bytes = size * b[row & mask]!;
        if (states[s] !== DEAD || bytes >= LARGEST) break;
        states[s] = OF_MALLOC;
        sizes[s] = bytes;
      } else if (state === WRITES) {
        if (states[s] !== OF_MALLOC || sizes[s] === LARGEST || size + b[row & mask]! > sizes[s]!) break;
      } else {
        break;
      }
    }
    totals[CLOCK_NS] = now;
    if (requests) totals[SEES_REQUESTS] = 1;
    return row;
  }

  return { setAlive, lookAtCommon };
}

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
  type TraceSummary,
} from '../../sim/contract/event.ts';
import * as layout from './rows/layout.ts';
import { openWebAssembly } from './web-assembly.ts';

export { DEAD, OF_EMALLOC, OF_MALLOC, PIECE_ROWS } from './rows/layout.ts';

/** Indices into `totals`. */
export const CLOCK_NS = 0;
export const SEES_REQUESTS = 1;

/** The columns of PIECE_ROWS rows, and what is known of the objects of a trace at a row; by object slot where nothing else is said. */
export interface RowTables {
  readonly head: Int32Array;
  readonly slot: Int32Array;
  readonly a: Uint32Array;
  readonly b: Uint32Array;
  /** What an object is (rows/layout.ts). */
  readonly states: Uint8Array;
  /** Of live objects; 2^32 - 1 stands for more too. */
  readonly sizes: Uint32Array;
  /** Of e-blocks: the number of their thread's list. Empty where the trace has none. */
  readonly owners: Int32Array;
  /** Of e-blocks: the row of their allocation. */
  readonly born: Int32Array;
  /** By slot of a thread that is alive, its list; where there are e-blocks. */
  readonly listOf: Int32Array;
  /** By list, its e-blocks. */
  readonly requestBlocks: Int32Array;
  readonly totals: Float64Array;
}

/** Room for PIECE_ROWS numbers as they stand in a file. */
export interface Stored {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  /** Brings the first `count` of them into the beginning of a column; what is behind them there is not kept. */
  widen(type: 'u8' | 'u16' | 'u32', column: Uint32Array, count: number): void;
}

export interface CommonRows extends RowTables {
  readonly stored: Stored;
  setAlive(t: number, isAlive: boolean): void;
  /** Looks at the rows from `from` on, up to `to` or the first that is uncommon or may break a rule; returns it. All are in the columns, and no thread begins in there. */
  lookAtCommon(from: number, to: number): number;
  /** Nothing is known of any row: they come once more, into the same columns. */
  forget(): void;
}

interface Exports {
  lookAtCommon(from: number, to: number, first: number): number;
  widenBytes(target: number, count: number): void;
  widenPairs(target: number, count: number): void;
}

/** Fewer are looked at one by one before code for them is compiled. */
const MANY_ROWS = 1 << 16;

/**
 * Room for the columns and tables of a trace. The rows that nearly all are, are looked at by WebAssembly (rows/assembly.ts); where there is none, and of a
 * short trace, none is common: `createChecker` looks at each.
 */
export function openCommonRows(summary: TraceSummary, hasMany = summary.length >= MANY_ROWS): CommonRows {
  const { places, bytes } = placesOf(summary);
  const opened = hasMany ? openWebAssembly<Exports>('rows', bytes) : undefined;
  const buffer = opened?.buffer ?? new ArrayBuffer(bytes);
  const tables = tablesIn(buffer, places);
  const begin = () => {
    tables.states[0] = layout.NO_OBJECT;
    tellPlaces(buffer, places);
  };
  begin();
  return {
    ...tables,
    stored: storedIn(buffer, layout.STORED, opened?.exports),
    setAlive: createSetAlive(new Uint8Array(buffer, places.expected.at, places.expected.count), tables),
    lookAtCommon: createLookAtCommon(opened?.exports),
    forget() {
      new Uint8Array(buffer).fill(0);
      begin();
    },
  };
}

type Table = 'expected' | 'states' | 'sizes' | 'owners' | 'born' | 'listOf' | 'requestBlocks';
type Places = Readonly<Record<Table, { readonly at: number; readonly count: number }>>;

/** Where the tables lie that are as long as the trace asks for, and where the last one ends. */
function placesOf({ objectSlots, threadSlots, hasRequestEvents, begins }: TraceSummary) {
  let bytes = layout.TABLES;
  const place = (count: number, width: number) => {
    const at = bytes;
    bytes += Math.ceil((count * width) / 8) * 8;
    return { at, count };
  };
  const requested = hasRequestEvents ? objectSlots : 0;
  const places: Places = {
    expected: place(threadSlots * 2 ** OP_BITS, 1),
    states: place(objectSlots, 1),
    sizes: place(objectSlots, 4),
    owners: place(requested, 4),
    born: place(requested, 4),
    listOf: place(threadSlots, 4),
    // A thread that begins may need a list; the first one has begun.
    requestBlocks: place(begins.length + 1, 4),
  };
  return { places, bytes };
}

function tablesIn(buffer: ArrayBuffer, places: Places): RowTables {
  const signed = ({ at, count }: { at: number; count: number }) => new Int32Array(buffer, at, count);
  const column = (at: number) => ({ at, count: layout.PIECE_ROWS });
  const unsigned = ({ at, count }: { at: number; count: number }) => new Uint32Array(buffer, at, count);
  return {
    head: signed(column(layout.HEAD)),
    slot: signed(column(layout.SLOT)),
    a: unsigned(column(layout.A)),
    b: unsigned(column(layout.B)),
    states: new Uint8Array(buffer, places.states.at, places.states.count),
    sizes: unsigned(places.sizes),
    owners: signed(places.owners),
    born: signed(places.born),
    listOf: signed(places.listOf),
    requestBlocks: signed(places.requestBlocks),
    totals: new Float64Array(buffer, layout.TOTALS, 2),
  };
}

/** Outside of what WebAssembly sees. */
export const openStored = (): Stored => storedIn(new ArrayBuffer(4 * layout.PIECE_ROWS), 0, undefined);

function storedIn(buffer: ArrayBuffer, place: number, exports: Exports | undefined): Stored {
  const u8 = new Uint8Array(buffer, place, layout.PIECE_ROWS);
  const u16 = new Uint16Array(buffer, place, layout.PIECE_ROWS);
  const u32 = new Uint32Array(buffer, place, layout.PIECE_ROWS);
  const views = { u8, u16, u32 };
  return {
    ...views,
    widen(type, column, count) {
      if (!exports || column.buffer !== buffer || type === 'u32') column.set(views[type].subarray(0, count));
      else if (type === 'u8') exports.widenBytes(column.byteOffset, count);
      else exports.widenPairs(column.byteOffset, count);
    },
  };
}

/**
 * By head (thread and operation), of rows without a mark by threads that are alive: what a malloc or free finds in `states` of its object, or which other
 * operation it is, plus one; 0 of all others.
 */
function createSetAlive(expected: Uint8Array, { owners }: RowTables): CommonRows['setAlive'] {
  return (t, isAlive) => {
    expected.fill(0, t << OP_BITS, (t + 1) << OP_BITS);
    if (!isAlive) return;
    const set = (op: number, value: number) => (expected[(t << OP_BITS) | op] = value + 1);
    set(OP_MALLOC, layout.DEAD);
    set(OP_FREE, layout.OF_MALLOC);
    set(OP_CALLOC, layout.COUNTS);
    set(OP_REALLOC, layout.RESIZES);
    set(OP_WRITE, layout.WRITES);
    set(OP_CLOCK, layout.PASSES);
    if (owners.length === 0) return;
    set(OP_EMALLOC, layout.EMALLOCS);
    set(OP_EFREE, layout.EFREES);
    set(OP_EREALLOC, layout.ERESIZES);
  };
}

/** Where WebAssembly finds the tables. */
function tellPlaces(buffer: ArrayBuffer, places: Places): void {
  const words = new Uint32Array(buffer, 0, layout.TOTALS >> 2);
  words[layout.EXPECTED >> 2] = places.expected.at;
  words[layout.HEADS >> 2] = places.expected.count;
  words[layout.STATES >> 2] = places.states.at;
  words[layout.OBJECTS >> 2] = places.states.count;
  words[layout.SIZES >> 2] = places.sizes.at;
  words[layout.OWNERS >> 2] = places.owners.at;
  words[layout.BORN >> 2] = places.born.at;
  words[layout.LIST_OF >> 2] = places.listOf.at;
  words[layout.REQUEST_BLOCKS >> 2] = places.requestBlocks.at;
}

function createLookAtCommon(exports: Exports | undefined): CommonRows['lookAtCommon'] {
  if (exports === undefined) return (from) => from;
  return (from, to) => {
    const place = from & (layout.PIECE_ROWS - 1);
    const first = from - place;
    return first + exports.lookAtCommon(place, to - first, first);
  };
}

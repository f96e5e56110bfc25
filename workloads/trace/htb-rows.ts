import { fstatSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { UserError } from '../../sim/contract/assert.ts';
import { type EventBuffer, type Marks, OP_MASK, type Rows, type TraceSummary } from '../../sim/contract/event.ts';
import { HTB_MAGIC, PREAMBLE_BYTES, readPreamble, summaryOf, widenHeads } from './binary.ts';
import { sharedInt32, sharedUint32 } from './columns.ts';
import { type CommonRows, openCommonRows, openStored, PIECE_ROWS, type Stored } from './common-rows.ts';
import { createChecker } from './consistency/checker.ts';
import { createObservationCheck, rowSiteProblem, siteTreeProblem } from './consistency/side-tables.ts';
import { checkedHeader, type HtbHeader, ROW_COLUMNS, type StoredColumn, WIDTH_OF_TYPE } from './htb-header.ts';

/** What a file turned out to be, while it was read, that cannot be used. */
export class Damage extends Error {}

/** Values of a sparse column that are read at a time. */
const SPARSE_VALUES = 1 << 12;
/** A file in binary form whose header has been read. */
export interface HtbFile {
  readonly fd: number;
  readonly header: HtbHeader;
  readonly version: 1 | 2;
  /** Where each column begins in the file. */
  readonly offsets: ReadonlyMap<string, number>;
}

/** Undefined for any other file, and for one in which something is wrong so far. */
export function headerOf(fd: number): HtbFile | undefined {
  try {
    const { size } = fstatSync(fd);
    const preamble = new Uint8Array(PREAMBLE_BYTES);
    if (readSync(fd, preamble, 0, PREAMBLE_BYTES, 0) < PREAMBLE_BYTES) return undefined;
    if (HTB_MAGIC.some((byte, i) => preamble[i] !== byte)) return undefined;
    const refuse = (found: string, expected: string) => new UserError(`found ${found}, expected ${expected}`);
    const { version, headerBytes, headerCrc } = readPreamble(preamble, refuse);
    if (PREAMBLE_BYTES + headerBytes > size) return undefined;
    const text = new Uint8Array(headerBytes);
    if (readSync(fd, text, 0, headerBytes, PREAMBLE_BYTES) < headerBytes || crc32(text) !== headerCrc) return undefined;
    const header = checkedHeader(text, version, refuse);
    const offsets = new Map<string, number>();
    let offset = PREAMBLE_BYTES + headerBytes;
    for (const { name, type, length } of header.columns) {
      offsets.set(name, offset);
      offset += length * WIDTH_OF_TYPE[type];
    }
    return offset === size ? { fd, header, version, offsets } : undefined;
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** The column `column` of the file, from its beginning. */
function openColumn({ fd, header, version, offsets }: HtbFile, column: StoredColumn, stored: Stored): StoredValues {
  // With one thread slot the heads of version 1 are those of today; any other value is a thread or a mark that there is not.
  const isOld = version === 1 && header.threadSlots > 1 && column.name === 'head';
  return openValues(fd, column, offsets.get(column.name)!, isOld, stored);
}

/** All but the rows. The operations of rows with a mark are filled in as the rows come. Throws Damage. */
export function readSummary(file: HtbFile): TraceSummary {
  const { header } = file;
  const stored = openStored();
  const columns = new Map<string, Uint32Array>(ROW_COLUMNS.map((name) => [name, new Uint32Array(0)]));
  for (const column of header.columns) {
    if (isOfRows(column.name)) continue;
    const values = sharedUint32(column.length);
    openColumn(file, column, stored).next(values, column.length);
    columns.set(column.name, values);
  }
  const read = summaryOf(header, columns);
  if (siteTreeProblem(read) !== undefined) throw new Damage();
  return read;
}

/** Columns for all rows of a file. */
export type AllRows = Pick<EventBuffer, 'head' | 'slot' | 'a' | 'b' | 'sites'>;

export function columnsOfAll({ header }: HtbFile): AllRows {
  const { rows } = header;
  const sites = hasSites(header) ? sharedInt32(rows) : undefined;
  const [a, b] = [sharedUint32(rows), sharedUint32(rows)];
  return { head: sharedInt32(rows), slot: sharedInt32(rows), a, b, sites };
}

const hasSites = ({ columns }: HtbHeader): boolean => columns.some(({ name }) => name === 'sites');

/**
 * The rows, which are read and looked at a piece at a time, in the same columns; `bring` throws Damage. `all` gets a copy of each: shared memory is
 * written a number at a time, so they are not brought into it as they come. `tables`: of which nothing is known.
 */
export function openRows(
  file: HtbFile,
  summary: TraceSummary,
  all?: AllRows,
  tables: CommonRows = openCommonRows(summary),
): Rows {
  const { header } = file;
  const columns = { head: tables.head, slot: tables.slot, a: tables.a, b: tables.b, mask: PIECE_ROWS - 1 };
  const { head } = columns;
  const sites = hasSites(header) ? new Int32Array(PIECE_ROWS) : undefined;
  const open = (name: string) =>
    openColumn(file, header.columns.find((column) => column.name === name)!, tables.stored);
  const isSparse = (name: string) => header.columns.some((column) => column.name === `${name}.rows`);
  const fills = ROW_COLUMNS.map((name): Fill => {
    const target = unsigned(columns[name]);
    const into = all && unsigned(all[name]);
    return isSparse(name)
      ? fillSparse(open(`${name}.rows`), open(name), target, header.rows, into)
      : fillDense(open(name), target, into);
  });
  if (sites) fills.push(fillDense(open('sites'), unsigned(sites), all?.sites && unsigned(all.sites)));
  let end = 0;
  const checker = createChecker(summary, tables);
  const checkObservations = createObservationCheck(summary.observations, { ...columns, bring: () => end });
  const nameMarked = createMarkedOperations(summary.marks, head, columns.mask);

  function problemTo(from: number, to: number): string | undefined {
    return (
      checker.check(to) ??
      (sites && rowSiteProblem(sites, head, to - from, from, summary.siteParent.length)) ??
      checkObservations(to) ??
      (to === header.rows ? checker.finish() : undefined)
    );
  }

  function bring(row: number): number {
    if (row < end) return end;
    const from = end;
    end = Math.min(header.rows, from + PIECE_ROWS);
    for (const fill of fills) fill(from, end);
    if (problemTo(from, end) !== undefined) throw new Damage();
    nameMarked(end);
    return end;
  }
  return { ...columns, bring };
}

const unsigned = (values: Int32Array | Uint32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

const isOfRows = (name: string): boolean =>
  name === 'sites' || ROW_COLUMNS.some((column) => name === column || name === `${column}.rows`);

/** Fills in the operations of the marks up to a row, whose heads are in the columns. */
function createMarkedOperations({ rows: marked, ops }: Marks, head: Int32Array, mask: number): (to: number) => void {
  let next = 0;
  return (to) => {
    for (; next < marked.length && marked[next]! < to; next++) ops[next] = head[marked[next]! & mask]! & OP_MASK;
  };
}

/** Values of a column as they stand in the file, in order. */
interface StoredValues {
  readonly length: number;
  /** The next `count` values into the beginning of `target`. */
  next(target: Uint32Array, count: number): void;
}

/** `isOld`: the values are heads of version 1. `stored`: where they come first. */
function openValues(
  fd: number,
  { type, length, crc32: wanted }: StoredColumn,
  offset: number,
  isOld: boolean,
  stored: Stored,
): StoredValues {
  const width = WIDTH_OF_TYPE[type];
  let at = 0;
  let crc = 0;

  /** Into the beginning of `into`. */
  function read(into: Uint8Array | Uint16Array | Uint32Array, count: number): void {
    const bytes = new Uint8Array(into.buffer, into.byteOffset, count * width);
    if (readSync(fd, bytes, 0, bytes.length, offset + at * width) < bytes.length) throw new Damage();
    crc = crc32(bytes, crc);
  }

  function part(target: Uint32Array, count: number): void {
    const isAsStored = type === 'u32' && !isOld && target.buffer instanceof ArrayBuffer;
    read(isAsStored ? target : stored[type], count);
    if (isOld) widenHeads(stored[type].subarray(0, count), target);
    else if (!isAsStored) stored.widen(type, target, count);
    at += count;
  }

  return {
    length,
    next(target, count) {
      for (let done = 0; done < count; ) {
        const some = Math.min(count - done, PIECE_ROWS);
        part(done === 0 ? target : target.subarray(done), some);
        done += some;
      }
      if (length > 0 && at === length && crc !== wanted) throw new Damage();
    },
  };
}

type Fill = (from: number, to: number) => void;

function fillDense(values: StoredValues, target: Uint32Array, all: Uint32Array | undefined): Fill {
  return (from, to) => {
    values.next(target, to - from);
    all?.set(target.subarray(0, to - from), from);
  };
}

/** The rows of a sparse column ascend. A column of all rows is zero from the beginning, and most of its pages are never touched. */
function fillSparse(
  rows: StoredValues,
  values: StoredValues,
  target: Uint32Array,
  length: number,
  all: Uint32Array | undefined,
): Fill {
  const rowsHere = new Uint32Array(SPARSE_VALUES);
  const valuesHere = new Uint32Array(SPARSE_VALUES);
  let left = rows.length;
  let count = 0;
  let i = 0;
  let before = -1;
  let isZero = true;

  function more(): boolean {
    if (i < count) return true;
    count = Math.min(left, SPARSE_VALUES);
    left -= count;
    i = 0;
    rows.next(rowsHere, count);
    values.next(valuesHere, count);
    return count > 0;
  }

  return (from, to) => {
    if (!isZero) target.fill(0);
    isZero = true;
    for (; more() && rowsHere[i]! < to; i++) {
      const row = rowsHere[i]!;
      if (row <= before) throw new Damage();
      before = row;
      target[row - from] = valuesHere[i]!;
      if (all) all[row] = valuesHere[i]!;
      isZero = false;
    }
    if (to === length && more()) throw new Damage(); // a row that there is not
  };
}

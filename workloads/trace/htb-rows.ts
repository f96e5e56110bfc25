import { fstatSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { UserError } from '../../sim/contract/assert.ts';
import {
  ALL_ROWS,
  type EventBuffer,
  type Marks,
  OP_MASK,
  type Rows,
  type TraceSummary,
} from '../../sim/contract/event.ts';
import { HTB_MAGIC, PREAMBLE_BYTES, readPreamble, summaryOf, widenHeads } from './binary.ts';
import { sharedInt32, sharedUint32 } from './columns.ts';
import { createChecker, createObservationCheck, rowSiteProblem, siteTreeProblem } from './consistency.ts';
import { checkedHeader, type HtbHeader, ROW_COLUMNS, type StoredColumn, WIDTH_OF_TYPE } from './htb-header.ts';

/** What a file turned out to be, while it was read, that cannot be used. */
export class Damage extends Error {}

/** Rows that are in the columns at a time: half a megabyte, which stays in a second cache between file, check and replay. */
const PIECE_ROWS = 1 << 15;
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
function openColumn({ fd, header, version, offsets }: HtbFile, column: StoredColumn): Stored {
  // With one thread slot the heads of version 1 are those of today; any other value is a thread or a mark that there is not.
  const widens = version === 1 && header.threadSlots > 1 && column.name === 'head';
  return createStored(fd, column, offsets.get(column.name)!, widens);
}

/** All but the rows. The operations of rows with a mark are filled in as the rows come. Throws Damage. */
export function readSummary(file: HtbFile): TraceSummary {
  const { header } = file;
  const columns = new Map<string, Uint32Array>(ROW_COLUMNS.map((name) => [name, new Uint32Array(0)]));
  for (const column of header.columns) {
    if (isOfRows(column.name)) continue;
    const values = sharedUint32(column.length);
    openColumn(file, column).next(values, column.length);
    columns.set(column.name, values);
  }
  const read = summaryOf(header, columns);
  if (siteTreeProblem(read) !== undefined) throw new Damage();
  return read;
}

/** Columns that the rows of a file are read into. */
export interface RowColumns extends Pick<EventBuffer, 'head' | 'slot' | 'a' | 'b' | 'sites'> {
  /** As of Rows: that of the columns' length, or ALL_ROWS. */
  readonly mask: number;
}

/**
 * For pieces that are executed one after the other, by the thread that reads them: what is not shared is filled in half the time, since
 * shared memory is written a number at a time.
 */
export function columnsOfPieces({ header }: HtbFile): RowColumns {
  const signed = () => new Int32Array(PIECE_ROWS);
  const sites = hasSites(header) ? signed() : undefined;
  const [a, b] = [new Uint32Array(PIECE_ROWS), new Uint32Array(PIECE_ROWS)];
  return { head: signed(), slot: signed(), a, b, sites, mask: PIECE_ROWS - 1 };
}

/** For all rows. */
export function columnsOfAll({ header }: HtbFile): RowColumns {
  const { rows } = header;
  const sites = hasSites(header) ? sharedInt32(rows) : undefined;
  const [a, b] = [sharedUint32(rows), sharedUint32(rows)];
  return { head: sharedInt32(rows), slot: sharedInt32(rows), a, b, sites, mask: ALL_ROWS };
}

const hasSites = ({ columns }: HtbHeader): boolean => columns.some(({ name }) => name === 'sites');

/** The rows, which are read into the columns and looked at a piece at a time. `bring` throws Damage. */
export function openRows(file: HtbFile, summary: TraceSummary, { sites, ...columns }: RowColumns): Rows {
  const { header } = file;
  const { head, mask } = columns;
  const columnOf = (name: string) => header.columns.find((column) => column.name === name);
  const fills = ROW_COLUMNS.map((name) => {
    const values = openColumn(file, columnOf(name)!);
    const rows = columnOf(`${name}.rows`);
    const into = unsigned(columns[name]);
    return rows ? fillSparse(openColumn(file, rows), values, into, mask, header.rows) : fillDense(values, into, mask);
  });
  if (sites) fills.push(fillDense(openColumn(file, columnOf('sites')!), unsigned(sites), mask));
  let end = 0;
  const checker = createChecker(summary, { ...columns, bring: () => end });
  const checkObservations = createObservationCheck(summary.observations, { ...columns, bring: () => end });
  const nameMarked = createMarkedOperations(summary.marks, head, mask);

  function problemOfSites(from: number, to: number): string | undefined {
    if (!sites) return undefined;
    const at = from & mask;
    return rowSiteProblem(sites.subarray(at), head.subarray(at), to - from, from, summary.siteParent.length);
  }

  function problemTo(from: number, to: number): string | undefined {
    return (
      checker.check(to) ??
      problemOfSites(from, to) ??
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
interface Stored {
  readonly length: number;
  /** The next `count` values into the beginning of `target`. */
  next(target: Uint32Array, count: number): void;
}

/** `widens`: the values are heads of version 1. */
function createStored(fd: number, column: StoredColumn, offset: number, widens: boolean): Stored {
  const { type, length } = column;
  const width = WIDTH_OF_TYPE[type];
  const bytes = new Uint8Array(Math.min(length, PIECE_ROWS) * width);
  const views = {
    u8: () => bytes,
    u16: () => new Uint16Array(bytes.buffer),
    u32: () => new Uint32Array(bytes.buffer),
  } as const;
  const values = views[type]();
  let at = 0;
  let crc = 0;

  function part(target: Uint32Array, count: number): void {
    const wanted = count * width;
    if (readSync(fd, bytes, 0, wanted, offset + at * width) < wanted) throw new Damage();
    crc = crc32(bytes.subarray(0, wanted), crc);
    const from = values.subarray(0, count);
    if (widens) widenHeads(from, target);
    else target.set(from);
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
      if (length > 0 && at === length && crc !== column.crc32) throw new Damage();
    },
  };
}

type Fill = (from: number, to: number) => void;

function fillDense(stored: Stored, target: Uint32Array, mask: number): Fill {
  if (mask !== ALL_ROWS) return (from, to) => stored.next(target, to - from);
  return (from, to) => stored.next(target.subarray(from, to), to - from);
}

/** The rows of a sparse column ascend. Columns of all rows are zero from the beginning, and most of their pages are never touched. */
function fillSparse(rows: Stored, values: Stored, target: Uint32Array, mask: number, length: number): Fill {
  const rowsHere = new Uint32Array(SPARSE_VALUES);
  const valuesHere = new Uint32Array(SPARSE_VALUES);
  let left = rows.length;
  let count = 0;
  let i = 0;
  let before = -1;

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
    if (mask !== ALL_ROWS) target.fill(0, 0, to - from);
    for (; more() && rowsHere[i]! < to; i++) {
      const row = rowsHere[i]!;
      if (row <= before) throw new Damage();
      before = row;
      target[row & mask] = valuesHere[i]!;
    }
    if (to === length && more()) throw new Damage(); // a row that there is not
  };
}

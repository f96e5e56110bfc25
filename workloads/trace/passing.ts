import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { UserError } from '../../sim/contract/assert.ts';
import {
  type Marks,
  OP_CLOCK,
  OP_MASK,
  type PassingTrace,
  type Rows,
  type TraceSummary,
} from '../../sim/contract/event.ts';
import { createHtbInput, HTB_MAGIC, PREAMBLE_BYTES, readPreamble, summaryOf, widenHeads } from './binary.ts';
import { sharedUint32 } from './columns.ts';
import { createChecker, createObservationCheck, rowSiteProblem, siteTreeProblem } from './consistency.ts';
import { checkedHeader, type HtbHeader, ROW_COLUMNS, type StoredColumn, WIDTH_OF_TYPE } from './htb-header.ts';

/** In which a trace is to run: in file order, each thread in its own, or what the trace is for. */
export type PassingOrder = 'file' | 'program' | 'own';

/** Rows that are in the columns at a time: half a megabyte, which stays in a second cache between file, check and replay. */
const PIECE_ROWS = 1 << 15;
/** Values of a sparse column that are read at a time. */
const SPARSE_VALUES = 1 << 12;
const READ_BYTES = 1 << 20;
const SCANNED_BYTES = 1 << 16;

/** A text trace turned out, while it was executed, to be one that has to be read as a whole. */
export class NeedsWholeTrace extends Error {}

/** What a file turned out to be, while it was read, that cannot be used. */
class Damage extends Error {}

/**
 * A trace in binary form, plain, that is read while it is executed; undefined for any other file, and for one in which something is
 * wrong from the beginning: `readTrace` tells, or reads it. Without times, unless it runs in file order; with one thread, where it may
 * run in no other than the program's. Call sites are looked at, and not kept.
 */
export function openPassingTrace(path: string, order: PassingOrder): PassingTrace | undefined {
  const fd = openFile(path);
  if (fd === undefined) return undefined;
  let opened: PassingTrace | undefined;
  try {
    const file = headerOf(fd);
    if (file) opened = passingTrace(path, fd, file, order);
    return opened;
  } finally {
    if (!opened) closeSync(fd);
  }
}

function openFile(path: string): number | undefined {
  try {
    return statSync(path).isFile() ? openSync(path, 'r') : undefined; // a pipe can be opened once
  } catch {
    return undefined;
  }
}

function passingTrace(path: string, fd: number, file: HtbFile, order: PassingOrder): PassingTrace | undefined {
  const { header, version, offsets } = file;
  const has = (name: string) => header.columns.some((column) => column.name === name && column.length > 0);
  if (header.rows === 0) return undefined;
  const isOfOne = header.threadSlots === 1 && !has('begin.row');
  if (order !== 'file' && ((order === 'program' && !isOfOne) || hasClocks(fd, file))) return undefined;
  const columnOf = (name: string) => header.columns.find((column) => column.name === name);
  // With one thread slot the heads of version 1 are those of today; any other value is a thread or a mark that there is not.
  const widens = version === 1 && header.threadSlots > 1;
  const open = (column: StoredColumn) =>
    createStored(fd, column, offsets.get(column.name)!, widens && column.name === 'head');

  /** All but the rows. The operations of rows with a mark are filled in as the rows come. */
  function readSummary(): TraceSummary {
    const columns = new Map<string, Uint32Array>(ROW_COLUMNS.map((name) => [name, new Uint32Array(0)]));
    for (const column of header.columns) {
      if (isOfRows(column.name)) continue;
      const values = sharedUint32(column.length);
      open(column).next(values, column.length);
      columns.set(column.name, values);
    }
    const read = summaryOf(header, columns);
    if (siteTreeProblem(read) !== undefined) throw new Damage();
    return read;
  }

  function openRows(summary: TraceSummary): Rows {
    const target = () => sharedUint32(PIECE_ROWS);
    const [head, slot, a, b] = [target(), target(), target(), target()];
    const fills = ROW_COLUMNS.map((name, i) => {
      const column = columnOf(name)!;
      const rows = columnOf(`${name}.rows`);
      const into = [head, slot, a, b][i]!;
      return rows ? fillSparse(open(rows), open(column), into, header.rows) : fillDense(open(column), into);
    });
    const siteColumn = columnOf('sites');
    const sites = siteColumn && { values: new Uint32Array(PIECE_ROWS), stored: open(siteColumn) };
    let end = 0;
    const signed = (values: Uint32Array) => new Int32Array(values.buffer);
    const own = { head: signed(head), slot: signed(slot), a, b, mask: PIECE_ROWS - 1 };
    const rows = { ...own, bring: () => end };
    const checker = createChecker(summary, rows);
    const checkObservations = createObservationCheck(summary.observations, rows);
    const nameMarked = createMarkedOperations(summary.marks, rows);

    function problemTo(from: number, to: number): string | undefined {
      sites?.stored.next(sites.values, to - from);
      return (
        checker.check(to) ??
        (sites && rowSiteProblem(sites.values, own.head, to - from, from, summary.siteParent.length)) ??
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
    return { ...own, bring };
  }

  /** The words for what is wrong are those of whoever reads the whole. */
  function telling<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      readWhole(path, fd);
      throw new UserError(`${path}: found a file that changes, expected one that stays as it is`);
    }
  }

  const summary = telling(readSummary);
  const toldRows = (): Rows => {
    const rows = telling(() => openRows(summary));
    return { ...rows, bring: (row) => telling(() => rows.bring(row)) };
  };
  const rows = toldRows();
  return { ...summary, objectSlotLimit: summary.objectSlots, rows, again: toldRows, close: async () => closeSync(fd) };
}

const isOfRows = (name: string): boolean =>
  name === 'sites' || ROW_COLUMNS.some((column) => name === column || name === `${column}.rows`);

/** Fills in the operations of the marks up to a row, whose heads are in the columns. */
function createMarkedOperations({ rows: marked, ops }: Marks, { head, mask }: Rows): (to: number) => void {
  let next = 0;
  return (to) => {
    for (; next < marked.length && marked[next]! < to; next++) ops[next] = head[marked[next]! & mask]! & OP_MASK;
  };
}

interface HtbFile {
  readonly header: HtbHeader;
  readonly version: 1 | 2;
  /** Where each column begins in the file. */
  readonly offsets: ReadonlyMap<string, number>;
}

function headerOf(fd: number): HtbFile | undefined {
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
    return offset === size ? { header, version, offsets } : undefined;
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** Whether a row moves the clock. Of each head its lowest byte is read, which has the operation in both versions. */
function hasClocks(fd: number, { header, offsets }: HtbFile): boolean {
  const { type, length } = header.columns.find(({ name }) => name === 'head')!;
  const width = WIDTH_OF_TYPE[type];
  const bytes = new Uint8Array(Math.min(SCANNED_BYTES, length * width));
  for (let at = 0; at < length * width; at += bytes.length) {
    const wanted = Math.min(bytes.length, length * width - at);
    if (readSync(fd, bytes, 0, wanted, offsets.get('head')! + at) < wanted || seesClock(bytes, wanted, width))
      return true;
  }
  return false;
}

function seesClock(bytes: Uint8Array, end: number, width: number): boolean {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const [mask, wanted] = [OP_MASK, OP_CLOCK];
  for (let i = 0; i < end; i += width) if ((bytes[i]! & mask) === wanted) return true;
  return false;
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

function fillDense(stored: Stored, target: Uint32Array): Fill {
  return (from, to) => stored.next(target, to - from);
}

/** The rows of a sparse column ascend. */
function fillSparse(rows: Stored, values: Stored, target: Uint32Array, length: number): Fill {
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
    target.fill(0, 0, to - from);
    for (; more() && rowsHere[i]! < to; i++) {
      const row = rowsHere[i]!;
      if (row <= before) throw new Damage();
      before = row;
      target[row - from] = valuesHere[i]!;
    }
    if (to === length && more()) throw new Damage(); // a row that there is not
  };
}

/** Throws what is wrong with the file. */
function readWhole(path: string, fd: number): void {
  const input = createHtbInput(path, fstatSync(fd).size);
  const buffer = new Uint8Array(READ_BYTES);
  let at = 0;
  for (let length: number; (length = readSync(fd, buffer, 0, READ_BYTES, at)) > 0; at += length)
    input.push(buffer.subarray(0, length));
  input.finish();
}

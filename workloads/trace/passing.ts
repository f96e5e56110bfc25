import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { UserError } from '../../sim/contract/assert.ts';
import { OP_CLOCK, OP_MASK, type PassingTrace, type Rows } from '../../sim/contract/event.ts';
import { createHtbInput } from './binary.ts';
import { type CommonRows, openCommonRows } from './common-rows.ts';
import { type HtbHeader, WIDTH_OF_TYPE } from './htb-header.ts';
import { Damage, type HtbFile, headerOf, openRows, readSummary } from './htb-rows.ts';

/** In which a trace is to run: in file order, each thread in its own, or what the trace is for. */
export type PassingOrder = 'file' | 'program' | 'own';

const READ_BYTES = 1 << 20;
const SCANNED_BYTES = 1 << 16;

/** One whose rows come from a file in binary form. */
export interface PassingFile extends PassingTrace {
  readonly header: HtbHeader;
  /** What its rows are brought into. */
  readonly tables: CommonRows;
}

/** A text trace turned out, while it was executed, to be one that has to be read as a whole. */
export class NeedsWholeTrace extends Error {}

/**
 * A trace in binary form, plain, that is read while it is executed; undefined for any other file, and for one in which something is
 * wrong from the beginning: `readTrace` tells, or reads it. Without times, unless it runs in file order; with one thread, where it may
 * run in no other than the program's. Call sites are looked at, and not kept. `tables`: those of the same trace, opened before, whose rows
 * nobody reads any more.
 */
export function openPassingTrace(path: string, order: PassingOrder, tables?: CommonRows): PassingFile | undefined {
  const fd = openFile(path);
  if (fd === undefined) return undefined;
  let opened: PassingFile | undefined;
  try {
    const file = headerOf(fd);
    if (file) opened = passingTrace(path, fd, file, order, tables);
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

function passingTrace(
  path: string,
  fd: number,
  file: HtbFile,
  order: PassingOrder,
  given: CommonRows | undefined,
): PassingFile | undefined {
  const { header } = file;
  const has = (name: string) => header.columns.some((column) => column.name === name && column.length > 0);
  if (header.rows === 0) return undefined;
  const isOfOne = header.threadSlots === 1 && !has('begin.row');
  if (order !== 'file' && ((order === 'program' && !isOfOne) || hasClocks(fd, file))) return undefined;
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

  const summary = telling(() => readSummary(file));
  const tables = given ?? openCommonRows(summary);
  let isUsed = given !== undefined;
  const toldRows = (): Rows => {
    if (isUsed) tables.forget();
    isUsed = true;
    const rows = telling(() => openRows(file, summary, undefined, tables));
    return { ...rows, bring: (row) => telling(() => rows.bring(row)) };
  };
  const rows = toldRows();
  const close = async () => closeSync(fd);
  return { ...summary, header, tables, objectSlotLimit: summary.objectSlots, rows, again: toldRows, close };
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

/** Throws what is wrong with the file. */
function readWhole(path: string, fd: number): void {
  const input = createHtbInput(path, fstatSync(fd).size);
  const buffer = new Uint8Array(READ_BYTES);
  let at = 0;
  for (let length: number; (length = readSync(fd, buffer, 0, READ_BYTES, at)) > 0; at += length)
    input.push(buffer.subarray(0, length));
  input.finish();
}

import { closeSync, createReadStream, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { systemError } from '../files/system-error.ts';
import { createHtbInput, HTB_MAGIC } from './binary.ts';
import { roomForRows } from './columns.ts';
import type { RowDrain } from './compiler/row-drain.ts';
import { unpackerOf } from './compression.ts';
import { columnsOfAll, Damage, headerOf, openRows, readSummary } from './htb-rows.ts';
import type { TraceInput } from './input.ts';
import { createTraceParser, type ParserOptions } from './text/parser.ts';
import type { Violation } from './text/violation.ts';
import { concatenate, DamagedDataError, firstBytes, MAGIC_BYTES, unpacked } from './unpacked.ts';

export interface ReadOptions {
  /** Leave out events that break a rule, instead of refusing the trace at the first one. */
  readonly lenient?: boolean;
  /** Keep frees of what was freed already: the replay hands them to the model, for --faithful-abort. */
  readonly staleFrees?: boolean;
  /** Hears of each event that `lenient` leaves out. */
  readonly onViolation?: (violation: Violation) => void;
  readonly onNote?: (line: number, text: string) => void;
  /** Of a trace in text form: takes its rows as they come. */
  readonly drain?: RowDrain;
}

const CHUNK_BYTES = 1 << 20;
/** Ctrl-C is heard between two breaths: a chunk takes some hundredths of a second. */
const CHUNKS_BETWEEN_BREATHS = 4;
const PIECES_BETWEEN_BREATHS = 128;
/** `f 0 1` and its line end: no event line is shorter but a few rare ones. */
const SHORT_LINE_BYTES = 6;
/** Rows that a compressed input is expected to have at first. */
const FIRST_ROWS = 1 << 20;
const ROWS_GUESSED_MAX = 1 << 26;

/**
 * Reads a trace in text or binary form, plain or compressed; `-` is the standard input. What it is, is seen from its
 * first bytes, not from its name.
 */
export async function readTrace(path: string, options: ReadOptions = {}): Promise<EventBuffer> {
  const source = path === '-' ? '(standard input)' : path;
  if (path === '-') return readStream(process.stdin, source, options);
  const stats = statOf(path);
  if (stats.isDirectory()) throw new UserError(`${path}: found a directory, expected a trace file`);
  if (!stats.isFile()) return readStream(createReadStream(path), source, options);
  const fd = openSync(path, 'r');
  try {
    const first = new Uint8Array(MAGIC_BYTES);
    const length = readSync(fd, first, 0, MAGIC_BYTES, 0);
    const unpack = unpackerOf(first.subarray(0, length), source);
    if (unpack) return await readStream(createReadStream(path), source, options, packedRows(fd));
    const { size } = fstatSync(fd);
    if (HTB_MAGIC.every((byte, i) => first[i] === byte)) {
      const events = await readWholeHtb(path, fd);
      if (events) return events;
    }
    return await readPlain(
      fd,
      inputFor(first, source, options, Math.min(ROWS_GUESSED_MAX, size / SHORT_LINE_BYTES), size),
    );
  } finally {
    closeSync(fd);
  }
}

function statOf(path: string): Stats {
  try {
    const stats = statSync(path);
    if (stats.isFile()) closeSync(openSync(path, 'r'));
    return stats;
  } catch (error) {
    throw new UserError(`${path}: found ${systemError(error)}, expected a trace file`);
  }
}

/**
 * A regular file in binary form: its columns side by side, so that what is checked is still in the cache. Undefined where anything is wrong
 * with it: the words for that are those of `createHtbInput`.
 */
async function readWholeHtb(path: string, fd: number): Promise<EventBuffer | undefined> {
  const file = headerOf(fd);
  if (!file || file.header.rows === 0) return undefined;
  roomForRows(path, file.header.rows);
  try {
    const summary = readSummary(file);
    const all = columnsOfAll(file);
    const { bring } = openRows(file, summary, all);
    for (let row = 0, pieces = 0; row < summary.length; ) {
      row = bring(row);
      if (++pieces % PIECES_BETWEEN_BREATHS === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return { ...summary, ...all };
  } catch (error) {
    if (error instanceof Damage) return undefined;
    throw error;
  }
}

/** A regular file: read in place, without streams between the disk and the parser. */
async function readPlain(fd: number, input: TraceInput): Promise<EventBuffer> {
  const { room: buffer = new Uint8Array(CHUNK_BYTES) } = input;
  let chunks = 0;
  for (let length: number; (length = readSync(fd, buffer, 0, buffer.length, null)) > 0; ) {
    input.push(buffer.subarray(0, length));
    if (++chunks % CHUNKS_BETWEEN_BREATHS === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return input.finish();
}

/**
 * Rows that a gzip file of one member may hold: its last four bytes are the length of its contents. It is a guess only:
 * columns that are too long cost nothing, and columns that are too short grow.
 */
function packedRows(fd: number): number {
  const last = new DataView(new ArrayBuffer(4));
  const { size } = fstatSync(fd);
  if (size < 18 || readSync(fd, last, 0, 4, size - 4) < 4) return FIRST_ROWS;
  return Math.min(ROWS_GUESSED_MAX, Math.max(FIRST_ROWS, last.getUint32(0, true) / SHORT_LINE_BYTES));
}

async function readStream(
  stream: Readable,
  source: string,
  options: ReadOptions,
  rows = FIRST_ROWS,
): Promise<EventBuffer> {
  let input: TraceInput | undefined;
  const parts = unpacked(stream, source, 'a trace');
  try {
    const first = await firstBytes(parts);
    input = inputFor(first, source, options, rows);
    for await (const part of concatenate(first, parts)) input.push(part);
  } catch (error) {
    if (!(error instanceof DamagedDataError)) throw error;
    input ??= inputFor(new Uint8Array(0), source, options, FIRST_ROWS);
    input.cutOff(error.message, 'a whole file');
  }
  return input.finish();
}

/** `bytes`: how many there are in all, where that is known. */
function inputFor(first: Uint8Array, source: string, options: ReadOptions, rows: number, bytes?: number): TraceInput {
  const binary = HTB_MAGIC.every((byte, i) => first[i] === byte);
  return binary ? createHtbInput(source, bytes) : createTraceParser(parserOptions(source, options, rows));
}

function parserOptions(source: string, options: ReadOptions, rows: number): ParserOptions {
  const onViolation = options.onViolation ?? (options.lenient ? () => {} : undefined);
  const { onNote, drain, staleFrees = false } = options;
  return {
    source,
    rows,
    staleFrees,
    ...(drain && { drain }),
    ...(onViolation && { onViolation }),
    ...(onNote && { onNote }),
  };
}

import { closeSync, createReadStream, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { createHtbInput, HTB_MAGIC } from './binary.ts';
import { unpackerOf } from './compression.ts';
import type { TraceInput } from './input.ts';
import { createTraceParser, type ParserOptions, type Violation } from './parser.ts';

export interface ReadOptions {
  /** Leave out events that break a rule, instead of refusing the trace at the first one. */
  readonly lenient?: boolean;
  /** Keep frees of what was freed already: the replay hands them to the model, for --faithful-abort. */
  readonly staleFrees?: boolean;
  /** Hears of each event that `lenient` leaves out. */
  readonly onViolation?: (violation: Violation) => void;
  readonly onNote?: (line: number, text: string) => void;
}

const CHUNK_BYTES = 1 << 20;
/** `f 0 1` and its line end: no event line is shorter but a few rare ones. */
const SHORT_LINE_BYTES = 6;
/** Rows that a compressed input is expected to have at first. */
const FIRST_ROWS = 1 << 20;
const ROWS_GUESSED_MAX = 1 << 26;

/** As many bytes as it takes to tell what an input is. */
const MAGIC_BYTES = 8;

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
    return readPlain(fd, inputFor(first, source, options, Math.min(ROWS_GUESSED_MAX, size / SHORT_LINE_BYTES), size));
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

export function systemError(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return 'no such file';
    case 'EACCES':
      return 'a file that may not be read';
    case 'EISDIR':
      return 'a directory';
    default:
      return message;
  }
}

/** A regular file: read in place, without streams between the disk and the parser. */
function readPlain(fd: number, input: TraceInput): EventBuffer {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let length: number; (length = readSync(fd, buffer, 0, CHUNK_BYTES, null)) > 0; ) {
    input.push(length === CHUNK_BYTES ? buffer : buffer.subarray(0, length));
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
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let unpack: Transform | undefined;
  let input: TraceInput | undefined;
  const take = async (parts: AsyncIterable<Uint8Array>) => {
    const rest = parts[Symbol.asyncIterator]();
    const first = await firstBytes(rest);
    input = inputFor(first, source, options, rows);
    for await (const part of concatenate(first, rest)) input.push(asBytes(part));
  };
  try {
    const first = await firstBytes(chunks);
    unpack = unpackerOf(first, source);
    if (unpack) await pipeline(Readable.from(concatenate(first, chunks)), unpack, take);
    else await take(concatenate(first, chunks));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof UserError || code === undefined) throw error;
    if (!unpack) throw new UserError(`${source}: found ${systemError(error)}, expected a trace`);
    input ??= inputFor(new Uint8Array(0), source, options, FIRST_ROWS);
    input.cutOff(`compressed data that break off (${(error as Error).message})`, 'a whole file');
  }
  return input!.finish();
}

/** `bytes`: how many there are in all, where that is known. */
function inputFor(first: Uint8Array, source: string, options: ReadOptions, rows: number, bytes?: number): TraceInput {
  const binary = HTB_MAGIC.every((byte, i) => first[i] === byte);
  return binary ? createHtbInput(source, bytes) : createTraceParser(parserOptions(source, options, rows));
}

/** As many chunks as it takes to see a magic number. */
async function firstBytes(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let bytes: Uint8Array = new Uint8Array(0);
  while (bytes.length < MAGIC_BYTES) {
    const { done, value } = await chunks.next();
    if (done) break;
    bytes = bytes.length === 0 ? value : Buffer.concat([bytes, value]);
  }
  return bytes;
}

async function* concatenate(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

/** A plain Uint8Array over the same bytes: the parser's loop then sees one kind of array only. */
function asBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function parserOptions(source: string, options: ReadOptions, rows: number): ParserOptions {
  const onViolation = options.onViolation ?? (options.lenient ? () => {} : undefined);
  const { onNote, staleFrees = false } = options;
  return { source, rows, staleFrees, ...(onViolation && { onViolation }), ...(onNote && { onNote }) };
}

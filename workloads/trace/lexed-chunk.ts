import { readSync } from 'node:fs';
import { BATCH_EVENTS, type EventBatch } from './batch.ts';
import { sharedBytes } from './columns.ts';
import { fillBatch } from './lexer.ts';

// A text trace in chunks of CHUNK_BYTES. The lines that start in a chunk are its lines: the last of them may reach beyond it.
//
//      chunk i              chunk i + 1
//   ┌──────────────────────┬──────────────────────┐
//   │…line│ line │ line │ li│ne │ line │           │    bytes   from one byte before the chunk to TAIL_BYTES behind it
//   └──────────────────────┴──────────────────────┘
//          └─ FROM                └─ TO of chunk i, FROM of chunk i + 1

const CHUNK_BYTES = 1 << 19;
/** A line that begins in a chunk and is longer than this beyond its end is not looked for. */
const TAIL_BYTES = 1 << 14;
/** Lines of eight bytes and more; where lines are shorter, the rest of the chunk is left for later. */
const EVENTS_MAX = CHUNK_BYTES / 8 + BATCH_EVENTS;
const PIECES_MAX = 1024;

/** Where the first line of the chunk starts in `bytes`, and behind the last one; -1 where that is not found. */
export const FROM = 0;
export const TO = 1;
/** Up to here the lines are in pieces. */
export const LEXED_TO = 2;
export const PIECE_COUNT = 3;
const META_WORDS = 4;

/** Events of the piece, and where the line behind them starts that is not plain numbers; -1 where there is none. */
export const COUNT = 0;
export const ODD_LINE = 1;
export const PIECE_WORDS = 2;

/** Lines as bytes, and as far as they are numbers, as columns like those of EventBatch. Threads may share it. */
export interface LexedChunk {
  readonly bytes: Uint8Array;
  readonly op: Uint8Array;
  readonly fields: Int32Array;
  readonly lineStart: Int32Array;
  readonly pieces: Int32Array;
  readonly meta: Int32Array;
}

export function createLexedChunk(): LexedChunk {
  return {
    bytes: new Uint8Array(sharedBytes(1 + CHUNK_BYTES + TAIL_BYTES, 1)),
    op: new Uint8Array(sharedBytes(EVENTS_MAX, 1)),
    fields: new Int32Array(sharedBytes(4 * EVENTS_MAX, 4)),
    lineStart: new Int32Array(sharedBytes(EVENTS_MAX, 4)),
    pieces: new Int32Array(sharedBytes(PIECE_WORDS * PIECES_MAX, 4)),
    meta: new Int32Array(sharedBytes(META_WORDS, 4)),
  };
}

const LF = 10;

/** The lines of the first chunk, which have the header; empty where their end is not found. */
export function firstLines(fd: number): Uint8Array {
  const bytes = new Uint8Array(CHUNK_BYTES + TAIL_BYTES);
  const length = readFully(fd, bytes, 0);
  return bytes.subarray(0, bytes.subarray(0, length).indexOf(LF, CHUNK_BYTES - 1) + 1);
}

function readFully(fd: number, bytes: Uint8Array, start: number): number {
  let length = 0;
  while (length < bytes.length) {
    const count = readSync(fd, bytes, length, bytes.length - length, start + length);
    if (count === 0) break;
    length += count;
  }
  return length;
}

/** Whole chunks of a file. */
export const chunksIn = (fileBytes: number): number => Math.floor(fileBytes / CHUNK_BYTES);

/** Where in the file the bytes of chunk `index` start. */
export const startOf = (index: number): number => index * CHUNK_BYTES - 1;

/** Reads chunk `index` (not the first) of the file and finds its lines; none of them is taken apart. */
export function readChunk(fd: number, index: number, { bytes, meta }: LexedChunk): void {
  const length = readFully(fd, bytes, startOf(index));
  const first = bytes.indexOf(LF);
  const last = length > CHUNK_BYTES ? bytes.indexOf(LF, CHUNK_BYTES) : -1;
  const isFound = first >= 0 && first < CHUNK_BYTES && last >= 0 && last < length;
  meta[FROM] = isFound ? first + 1 : -1;
  meta[TO] = isFound ? last + 1 : -1;
  meta[LEXED_TO] = meta[FROM]!;
  meta[PIECE_COUNT] = 0;
}

/** Takes the lines of a chunk apart, as many as there is room for. */
export function lexChunk({ bytes, op, fields, lineStart, pieces, meta }: LexedChunk): void {
  const to = meta[TO]!;
  let at = meta[FROM]!;
  let events = 0;
  let count = 0;
  while (at < to && count < PIECES_MAX && events + BATCH_EVENTS <= EVENTS_MAX) {
    const batch: EventBatch = {
      count: 0,
      op: op.subarray(events),
      fields: fields.subarray(4 * events),
      lineStart: lineStart.subarray(events),
    };
    at = fillBatch(batch, bytes, at, to);
    const isOdd = at < to && batch.count < BATCH_EVENTS;
    pieces[count * PIECE_WORDS + COUNT] = batch.count;
    pieces[count * PIECE_WORDS + ODD_LINE] = isOdd ? at : -1;
    if (isOdd) at = bytes.indexOf(LF, at) + 1;
    events += batch.count;
    count++;
  }
  meta[LEXED_TO] = at;
  meta[PIECE_COUNT] = count;
}

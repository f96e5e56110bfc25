import { crc32 } from 'node:zlib';
import { UserError } from '../../sim/contract/assert.ts';
import {
  type EventBuffer,
  type Marks,
  NO_FACTS,
  NO_MARKS,
  OP_BITS,
  OP_MASK,
  type ThreadBegin,
  type TraceSummary,
} from '../../sim/contract/event.ts';
import { NO_FRAME } from './call-sites.ts';
import { roomForRows, sharedInt32, sharedUint32 } from './columns.ts';
import { problemOf } from './consistency/problem.ts';
import { checkedHeader, type HtbHeader, ROW_COLUMNS, WIDTH_OF_TYPE } from './htb-header.ts';
import type { TraceInput } from './input.ts';
import { createMarks } from './marks.ts';

/**
 * The binary form (.htb): the columns of an EventBuffer as they are, so that it loads without parsing.
 *
 *   +0    magic, 8 bytes       89 'h' 't' 'b' 0d 0a 1a 0a   (as in PNG: shows what a text transfer has damaged)
 *   +8    u32 version          1, or 2 for what came with version 2 of the format
 *   +12   u32 header length    n
 *   +16   u32 header CRC-32
 *   +20   header               n bytes of JSON: what HtbHeader says
 *   ...   the columns          one behind the other, in the order of the header, little-endian
 *
 * A column is stored in the narrowest unsigned type that holds all of its values. One that is zero nearly everywhere is
 * stored as two, the rows of the other values and these values: then most pages of it are never even touched.
 */
export const HTB_MAGIC = Uint8Array.of(0x89, 0x68, 0x74, 0x62, 0x0d, 0x0a, 0x1a, 0x0a);
/** Version 1 has no marks: the operation is in the lower five bits of `head`, the thread slot above. */
export const OP_BITS_1 = 5;
export const PREAMBLE_BYTES = 20;
const HEADER_BYTES_MAX = 2 ** 28;

export const WRITTEN_HERE = 'a file written by `sim trace convert`';

type Stored = Uint8Array | Uint16Array | Uint32Array;

/** Values are moved in pieces of this size: they stay in the cache between checksum and column. */
const STAGING_BYTES = 1 << 16;

export type Refuse = (found: string, expected: string) => UserError;

export interface Preamble {
  readonly version: 1 | 2;
  readonly headerBytes: number;
  readonly headerCrc: number;
}

/** What stands before the header. */
export function readPreamble(bytes: Uint8Array, refuse: Refuse): Preamble {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const version = view.getUint32(8, true);
  if (version !== 1 && version !== 2) throw refuse(`version ${version} of the binary form`, 'version 1 or 2');
  const headerBytes = view.getUint32(12, true);
  if (headerBytes === 0 || headerBytes > HEADER_BYTES_MAX) {
    throw refuse(`a header of ${headerBytes} bytes`, `1 to ${HEADER_BYTES_MAX}`);
  }
  return { version, headerBytes, headerCrc: view.getUint32(16, true) };
}

/** Takes the bytes of the binary form as they come; `fileBytes` says how many there are, where that is known. */
export function createHtbInput(source: string, fileBytes?: number): TraceInput {
  let carry = new Uint8Array(PREAMBLE_BYTES);
  let carried = 0;
  let headerBytes = PREAMBLE_BYTES; // of what is being read: the preamble first
  let headerCrc: number | undefined;
  let header: HtbHeader | undefined;
  let version: 1 | 2 = 1;
  let received = 0;

  const staging = new Uint8Array(STAGING_BYTES);
  const staged = { 1: staging, 2: new Uint16Array(staging.buffer), 4: new Uint32Array(staging.buffer) } as const;
  const heads = new Uint32Array(STAGING_BYTES);
  let filled = 0;
  let index = 0;
  let values = 0; // of the current column, that have been moved
  let crc = 0;
  const columns: Map<string, Uint32Array> = new Map();
  let target: Uint32Array = new Uint32Array(0);
  let rowsOf: Uint32Array | undefined;

  const refuse = (found: string, expected: string) => new UserError(`${source}: found ${found}, expected ${expected}`);

  /** What a file claims is not believed before it has come: the room grows with what is there. */
  function keep(bytes: Uint8Array): void {
    if (carried + bytes.length > carry.length) {
      const grown = new Uint8Array(Math.min(headerBytes, Math.max(2 * carry.length, carried + bytes.length)));
      grown.set(carry.subarray(0, carried));
      carry = grown;
    }
    carry.set(bytes, carried);
    carried += bytes.length;
  }

  function readHeader(): HtbHeader {
    const text = carry.subarray(0, headerBytes);
    if (crc32(text) !== headerCrc) throw refuse('a damaged header (its checksum differs)', 'an intact file');
    const parsed = checkedHeader(text, version, refuse);
    const bytes = parsed.columns.reduce((sum, { type, length }) => sum + length * WIDTH_OF_TYPE[type], 0);
    if (fileBytes !== undefined && received + bytes !== fileBytes) {
      throw refuse(`a file of ${fileBytes} bytes`, `${received + bytes}: it is cut off, or something follows it`);
    }
    roomForRows(source, parsed.rows);
    for (const name of ROW_COLUMNS) columns.set(name, sharedUint32(parsed.rows));
    return parsed;
  }

  /** Prepares the column at `index`, and passes those without values. */
  function open(): void {
    for (; index < header!.columns.length; index++) {
      const column = header!.columns[index]!;
      rowsOf = column.sparse ? columns.get(`${column.name}.rows`)! : undefined;
      if (!columns.has(column.name)) columns.set(column.name, sharedUint32(column.length));
      target = columns.get(column.name)!;
      values = 0;
      crc = 0;
      if (column.length > 0) return;
    }
  }

  /** The rows of a sparse column ascend; other columns are looked at when all are there. */
  function checkRows(name: string): void {
    if (!ROW_COLUMNS.some((column) => name === `${column}.rows`)) return;
    let before = -1;
    for (const row of target) {
      if (row <= before || row >= header!.rows) throw refuse(`a damaged column ${name}`, WRITTEN_HERE);
      before = row;
    }
  }

  function take(bytes: Uint8Array): number {
    const column = header!.columns[index]!;
    const width = WIDTH_OF_TYPE[column.type];
    const missing = (column.length - values) * width - filled;
    const count = Math.min(bytes.length, STAGING_BYTES - filled, missing);
    staging.set(bytes.subarray(0, count), filled);
    filled += count;
    if (filled < STAGING_BYTES && count < missing) return count;
    crc = crc32(staging.subarray(0, filled), crc);
    const n = filled / width;
    let from: Stored = staged[width].subarray(0, n);
    if (column.name === 'head' && version === 1) from = widenHeads(from, heads);
    if (rowsOf) scatter(from, rowsOf.subarray(values, values + n), target);
    else target.set(from, values);
    values += n;
    filled = 0;
    if (values === column.length) {
      if (crc !== column.crc32)
        throw refuse(`a damaged column ${column.name} (its checksum differs)`, 'an intact file');
      checkRows(column.name);
      index++;
      open();
    }
    return count;
  }

  return {
    push(chunk) {
      let at = 0;
      while (at < chunk.length) {
        if (!header) {
          const count = Math.min(chunk.length - at, headerBytes - carried);
          keep(chunk.subarray(at, at + count));
          at += count;
          received += count;
          if (carried < headerBytes) return;
          if (headerCrc === undefined) {
            ({ version, headerBytes, headerCrc } = readPreamble(carry, refuse));
            carried = 0;
          } else {
            header = readHeader();
            open();
          }
        } else if (index === header.columns.length) {
          throw refuse('bytes behind the last column', 'the end of the file');
        } else {
          const count = take(chunk.subarray(at));
          at += count;
          received += count;
        }
      }
    },
    cutOff(found, expected) {
      throw refuse(found, expected);
    },
    finish() {
      if (!header || index < header.columns.length)
        throw refuse(`the end of the file after ${received} bytes`, 'more columns');
      const events = toEvents(header, columns);
      const problem = problemOf(events);
      if (problem !== undefined) throw refuse(problem, WRITTEN_HERE);
      return events;
    },
  };
}

/** Heads of version 1 as those of today, in `to`. */
export function widenHeads(from: Stored, to: Uint32Array): Uint32Array {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const [mask, bits, bits1] = [OP_MASK, OP_BITS, OP_BITS_1];
  const count = from.length;
  for (let i = 0; i < count; i++) to[i] = ((from[i]! >>> bits1) << bits) | (from[i]! & mask);
  return to.subarray(0, count);
}

function scatter(from: Stored, rows: Uint32Array, target: Uint32Array): void {
  for (let i = 0; i < from.length; i++) target[rows[i]!] = from[i]!;
}

function toEvents(header: HtbHeader, columns: ReadonlyMap<string, Uint32Array>): EventBuffer {
  return {
    ...summaryOf(header, columns),
    head: signed(columns.get('head')!),
    slot: signed(columns.get('slot')!),
    a: columns.get('a')!,
    b: columns.get('b')!,
    sites: columns.has('sites') ? signed(columns.get('sites')!) : undefined,
  };
}

const signed = (values: Uint32Array) => new Int32Array(values.buffer, values.byteOffset, values.length);

/** All but the rows. Where there are marks, the column of heads has to be there. */
export function summaryOf(header: HtbHeader, columns: ReadonlyMap<string, Uint32Array>): TraceSummary {
  const column = (name: string) => columns.get(name)!;
  const rows = column('begin.row');
  const threads = column('begin.thread');
  const threadIds = column('begin.id');
  const begins: ThreadBegin[] = Array.from(rows, (row, i) => ({ row, thread: threads[i]!, id: threadIds[i]! }));
  const { rows: length, touch, name, source, labels } = header;
  const { objectSlots, threadSlots, requestedPeakBytes, hasRequestEvents, skipped } = header;
  return {
    length,
    touch,
    name,
    source,
    labels,
    objectSlots,
    threadSlots,
    begins,
    requestedPeakBytes,
    hasRequestEvents,
    requestFrees: signed(column('requestFrees')),
    skipped,
    marks: marksOf(columns, signed(column('head'))),
    frames: [NO_FRAME, ...(header.frames ?? [])],
    siteParent: behindNothing(columns.get('siteParent')),
    siteFrame: behindNothing(columns.get('siteFrame')),
    observations: header.observations ?? [],
    recorded: { ...NO_FACTS, ...header.recorded },
    exitRow: header.exitRow ?? -1,
  };
}

/** The column with a first value of 0 before it. */
function behindNothing(values: Uint32Array = new Uint32Array(0)): Int32Array {
  const column = sharedInt32(values.length + 1);
  column.set(values, 1);
  return column;
}

function marksOf(columns: ReadonlyMap<string, Uint32Array>, head: Int32Array): Marks {
  const rows = columns.get('marks.rows');
  if (!rows || rows.length === 0) return NO_MARKS;
  const marks = createMarks(rows.length);
  marks.rows.set(rows);
  marks.flags.set(columns.get('marks.flags')!);
  marks.ops.set(rows.map((row) => head[row]! & OP_MASK));
  for (const name of ['a', 'b'] as const) {
    const low = columns.get(`marks.${name}`)!;
    const high = columns.get(`marks.${name}.high`)!;
    marks[name].set(Float64Array.from(low, (value, i) => high[i]! * 2 ** 32 + value));
  }
  return marks;
}

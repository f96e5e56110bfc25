import { crc32 } from 'node:zlib';
import { type EventBuffer, OP_BITS, OP_MASK } from '../../sim/contract/event.ts';
import { HTB_MAGIC, OP_BITS_1, PREAMBLE_BYTES } from './binary.ts';
import type { HtbHeader, StoredColumn } from './htb-header.ts';
import { versionOf } from './version.ts';

type Width = 1 | 2 | 4;
const TYPE_OF_WIDTH = { 1: 'u8', 2: 'u16', 4: 'u32' } as const;

type Column = Int32Array | Uint32Array;

/** The bytes of the binary form, in parts. */
export function* encodeHtb(events: EventBuffer): Generator<Uint8Array> {
  const parts: { stored: StoredColumn; bytes: Uint8Array }[] = [];
  const add = (name: string, values: Column, sparse = false) => {
    const { type, bytes } = narrow(values);
    const stored = { name, type, ...(sparse && { sparse }), length: values.length, crc32: crc32(bytes) };
    parts.push({ stored, bytes });
  };
  const version = versionOf(events);
  for (const name of ['head', 'slot', 'a', 'b'] as const) {
    const column = unsigned(events[name]).subarray(0, events.length);
    const values = name === 'head' && version === 1 ? narrowHeads(column) : column;
    const used = sparseRows(values);
    if (!used) {
      add(name, values);
    } else {
      add(`${name}.rows`, used);
      add(name, used.map((row) => values[row]!), true); // biome-ignore format: one line
    }
  }
  add('requestFrees', events.requestFrees);
  add(
    'begin.row',
    Uint32Array.from(events.begins, (begin) => begin.row),
  );
  add(
    'begin.thread',
    Uint32Array.from(events.begins, (begin) => begin.thread),
  );
  add(
    'begin.id',
    Uint32Array.from(events.begins, (begin) => begin.id),
  );

  if (version === 2) addExtras(events, add);

  const header: HtbHeader = {
    format: 'htrace binary',
    rows: events.length,
    touch: events.touch,
    name: events.name,
    source: events.source,
    labels: events.labels,
    objectSlots: events.objectSlots,
    threadSlots: events.threadSlots,
    requestedPeakBytes: events.requestedPeakBytes,
    hasRequestEvents: events.hasRequestEvents,
    skipped: events.skipped,
    ...(version === 2 && {
      frames: events.frames.slice(1),
      observations: events.observations,
      recorded: events.recorded,
      exitRow: events.exitRow,
    }),
    columns: parts.map((part) => part.stored),
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const preamble = new Uint8Array(PREAMBLE_BYTES);
  preamble.set(HTB_MAGIC);
  const view = new DataView(preamble.buffer);
  view.setUint32(8, version, true);
  view.setUint32(12, text.length, true);
  view.setUint32(16, crc32(text), true);
  yield preamble;
  yield text;
  for (const part of parts) yield part.bytes;
}

function addExtras(events: EventBuffer, add: (name: string, values: Column) => void): void {
  const { marks, sites, length, siteParent, siteFrame } = events;
  add('marks.rows', marks.rows);
  add('marks.flags', Uint32Array.from(marks.flags));
  for (const name of ['a', 'b'] as const) {
    add(
      `marks.${name}`,
      Uint32Array.from(marks[name], (value) => value >>> 0),
    );
    add(
      `marks.${name}.high`,
      Uint32Array.from(marks[name], (value) => Math.floor(value / 2 ** 32)),
    );
  }
  add('siteParent', siteParent.subarray(1));
  add('siteFrame', siteFrame.subarray(1));
  if (sites) add('sites', sites.subarray(0, length));
}

/** Heads as they are in version 1. */
function narrowHeads(heads: Uint32Array): Uint32Array {
  // Constants of their own: an imported one is loaded and checked at every use, a local one is folded into the code.
  const [mask, bits, bits1] = [OP_MASK, OP_BITS, OP_BITS_1];
  const narrowed = new Uint32Array(heads.length);
  for (let i = 0; i < heads.length; i++) narrowed[i] = ((heads[i]! >>> bits) << bits1) | (heads[i]! & mask);
  return narrowed;
}

/** The head column is signed, but no row has its sign bit: thread slots have fewer than 26 bits. */
function unsigned(column: Column): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, column.length);
}

/** The rows that are not zero; undefined where they are more than a quarter. */
function sparseRows(values: Uint32Array): Uint32Array | undefined {
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i] !== 0 && ++count * 4 > values.length) return undefined;
  }
  const rows = new Uint32Array(count);
  for (let i = 0, n = 0; i < values.length; i++) if (values[i] !== 0) rows[n++] = i;
  return rows;
}

function narrow(values: Column): { type: StoredColumn['type']; bytes: Uint8Array } {
  let bits = 0; // that any value has
  for (let i = 0; i < values.length; i++) bits |= values[i]!;
  const width: Width = bits >>> 8 === 0 ? 1 : bits >>> 16 === 0 ? 2 : 4;
  const stored = width === 1 ? new Uint8Array(values) : width === 2 ? new Uint16Array(values) : new Uint32Array(values);
  return { type: TYPE_OF_WIDTH[width], bytes: new Uint8Array(stored.buffer) };
}

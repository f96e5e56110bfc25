import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { createAddressTrace, type Oddities } from '../import/address-trace.ts';

/** The log of record.c: see there. */
const MAGIC = 'ASREC001';
const HEADER_BYTES = 4096;
export const RECORD_BYTES = 40;

const OP_MALLOC = 1;
const OP_CALLOC = 2;
const OP_MEMALIGN = 3;
const OP_REALLOC_BEGIN = 4;
const OP_REALLOC_END = 5;
const OP_FREE = 6;
const OP_EXIT = 7;

/** Header of an empty log with room for so many records. */
export function emptyLogHeader(capacity: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header.set(new TextEncoder().encode(MAGIC));
  new DataView(header.buffer).setBigUint64(16, BigInt(capacity), true);
  return header;
}

export function logBytes(capacity: number): number {
  return HEADER_BYTES + capacity * RECORD_BYTES;
}

export interface LogOptions {
  readonly name: string;
  readonly source: string;
  readonly quantumNs: number;
  /** Sample points, spread evenly; there is one more at the end. */
  readonly samples: number;
}

/** Turns a log into a trace, in one pass over the file after one that finds where each thread was last seen. */
export function readLog(path: string, options: LogOptions): { events: EventBuffer; oddities: Oddities } {
  const fd = openSync(path, 'r');
  try {
    const header = Buffer.alloc(40);
    readSync(fd, header, 0, 40, 0);
    if (header.toString('latin1', 0, 8) !== MAGIC) throw new UserError(`${path}: found no log of the recorder`);
    const taken = Number(header.readBigUInt64LE(8));
    const capacity = Number(header.readBigUInt64LE(16));
    const first = Number(header.readBigUInt64LE(32));
    // A header that was damaged may promise more than there is.
    const held = Math.floor((fstatSync(fd).size - HEADER_BYTES) / RECORD_BYTES);
    const end = Math.min(taken, capacity, held);
    const lastOf = new Map<number, number>();
    forEachRecord(fd, first, end, (r, index) => {
      if (r.op !== OP_EXIT) lastOf.set(r.thread, index);
    });
    return convert(fd, { first, end, lost: taken - end, lastOf }, options);
  } finally {
    closeSync(fd);
  }
}

interface LogExtent {
  readonly first: number;
  readonly end: number;
  readonly lost: number;
  readonly lastOf: ReadonlyMap<number, number>;
}

function convert(fd: number, { first, end, lost, lastOf }: LogExtent, options: LogOptions) {
  const trace = createAddressTrace(options);
  const exiting = new Set<number>();
  const gone = new Set<number>();
  let unfinished = 0;
  const every = Math.max(1, Math.floor((end - first) / Math.max(1, options.samples)));
  forEachRecord(fd, first, end, (r, index) => {
    if (options.samples > 0 && index > first && (index - first) % every === 0)
      trace.sample(`s${(index - first) / every}`);
    if (r.op === 0) unfinished++;
    else trace.time(r.ns);
    if (r.op === OP_MALLOC) trace.malloc(r.thread, r.address, r.a);
    else if (r.op === OP_CALLOC) trace.calloc(r.thread, r.address, r.a, r.b);
    else if (r.op === OP_MEMALIGN) trace.memalign(r.thread, r.address, r.a, r.b);
    else if (r.op === OP_REALLOC_BEGIN) trace.reallocBegin(r.thread, r.address);
    else if (r.op === OP_REALLOC_END) trace.reallocEnd(r.thread, r.address, r.a);
    else if (r.op === OP_FREE) trace.free(r.thread, r.address);
    else if (r.op === OP_EXIT) exiting.add(r.thread);
    // The exit was logged by the first destructor; what others did after it comes before the exit here.
    if (exiting.has(r.thread) && !gone.has(r.thread) && index >= (lastOf.get(r.thread) ?? 0)) {
      gone.add(r.thread);
      trace.threadExit(r.thread);
    }
  });
  trace.sample('end');
  const { events, oddities } = trace.finish();
  return {
    events,
    oddities: {
      ...oddities,
      ...(unfinished > 0 && { 'calls that were cut short': unfinished }),
      ...(lost > 0 && { 'calls beyond the room of the log': lost }),
    },
  };
}

/** One record; the same object is used for all. */
interface LogRecord {
  ns: number;
  address: number;
  a: number;
  b: number;
  thread: number;
  op: number;
}

const CHUNK_RECORDS = 8192;

function forEachRecord(fd: number, first: number, end: number, visit: (r: LogRecord, index: number) => void): void {
  const bytes = new Uint8Array(CHUNK_RECORDS * RECORD_BYTES);
  const words = new Uint32Array(bytes.buffer);
  const r: LogRecord = { ns: 0, address: 0, a: 0, b: 0, thread: 0, op: 0 };
  const long = (at: number) => words[at + 1]! * 2 ** 32 + words[at]!;
  for (let start = first; start < end; start += CHUNK_RECORDS) {
    const count = Math.min(CHUNK_RECORDS, end - start);
    readSync(fd, bytes, 0, count * RECORD_BYTES, logBytes(start));
    for (let i = 0; i < count; i++) {
      const at = (i * RECORD_BYTES) / 4;
      r.ns = long(at);
      r.address = long(at + 2);
      r.a = long(at + 4);
      r.b = long(at + 6);
      r.thread = words[at + 8]!;
      r.op = words[at + 9]!;
      visit(r, start + i);
    }
  }
}

import { closeSync, openSync, readSync } from 'node:fs';
import { UserError } from '../../sim/contract/assert.ts';
import { NUMBER_MAX } from '../../sim/contract/event.ts';

/** Operations of a log: native/ring.h has the same table, and says what they mean. */
export const LOG = {
  MALLOC: 1,
  CALLOC: 2,
  MEMALIGN: 3,
  REALLOC_BEGIN: 4,
  REALLOC_END: 5,
  FREE: 6,
  TRIM: 7,
  MALLOPT: 8,
  THREAD: 9,
  THREAD_EXIT: 10,
  EXIT: 11,
  EPOCH: 12,
  RESIDENT: 13,
  WRITTEN: 14,
  SITE: 15,
  EMALLOC: 16,
  ECALLOC: 17,
  EREALLOC_BEGIN: 18,
  EREALLOC_END: 19,
  EFREE: 20,
  REQUEST_BEGIN: 21,
  REQUEST_END: 22,
  GC: 23,
  SAMPLE: 24,
  CUT: 25,
  SEEN: 26,
  NODE: 32,
  MODULE: 33,
  PLACE: 34,
  ZEND_USAGE: 40,
  ZEND_PEAK: 41,
  ZEND_LIMIT: 42,
} as const;

/** Of the second argument of RESIDENT, WRITTEN and SEEN: these pages are huge. */
export const PAGES_HUGE = 2 ** 44;

/** One record; the same object is used for all. */
export interface LogRecord {
  op: number;
  thread: number;
  ticks: number;
  /** Divided by 8; below 2^44. 0: none, or the call failed. */
  address: number;
  /** Unpacked: size; count, alignment or first page in `a` and the other number in `b`. At most NUMBER_MAX where cut. */
  a: number;
  b: number;
  /** Of SAMPLE; of THREAD_EXIT the thread's name; of MODULE and PLACE a piece of their text, a byte for each character. */
  text: string;
  /** Slots of the ring that the record took. */
  slots: number;
}

const CHUNK_BYTES = 1 << 20;
/** What the keeper writes at a sample: a process's files of /proc. */
const TEXT_BYTES_MAX = 1 << 28;
/** No record but SAMPLE is longer. */
const RECORD_BYTES_MAX = 64;

/** The part of a log that a process shares with what it was forked from, or all of it. */
export interface LogPart {
  readonly path: string;
  readonly pid: number;
  readonly startTicks: number;
  /** Slots from here on came after the fork. */
  readonly untilSlot: number;
}

/** All records, in order, from the start to `untilSlot`. */
export function forEachRecord(part: LogPart, visit: (record: LogRecord) => void): void {
  const fd = openSync(part.path, 'r');
  try {
    readRecords(fd, part, visit);
  } finally {
    closeSync(fd);
  }
}

function readRecords(fd: number, { path, startTicks, untilSlot }: LogPart, visit: (record: LogRecord) => void): void {
  let bytes = Buffer.alloc(CHUNK_BYTES);
  let end = 0;
  let at = 0;
  let isAtEnd = false;
  let slot = 0;
  const r: LogRecord = { op: 0, thread: 0, ticks: startTicks, address: 0, a: 0, b: 0, text: '', slots: 0 };
  let address = 0;

  function fill(needed: number): void {
    bytes.copy(bytes, 0, at, end);
    end -= at;
    at = 0;
    if (needed > bytes.length) {
      const larger = Buffer.alloc(needed);
      bytes.copy(larger, 0, 0, end);
      bytes = larger;
    }
    while (!isAtEnd && end < bytes.length) {
      const n = readSync(fd, bytes, end, bytes.length - end, null);
      if (n === 0) isAtEnd = true;
      end += n;
    }
  }

  function number(): number {
    let byte = bytes[at++]!;
    if (byte < 128) return byte;
    let value = byte & 127;
    let unit = 128;
    do {
      byte = bytes[at++]!;
      value += (byte & 127) * unit;
      unit *= 128;
    } while (byte >= 128);
    return value;
  }

  /** Up to 15 bytes, the lowest first, in two numbers that a double could not hold. */
  function name(encoding: 'utf8' | 'latin1'): string {
    const text: number[] = [];
    for (let k = 0; k < 2; k++) {
      let value = 0n;
      for (let shift = 0n; shift < 70n; shift += 7n) {
        const byte = bytes[at++]!;
        value |= BigInt(byte & 127) << shift;
        if (byte < 128) break;
      }
      for (let i = 0n; i < 8n; i++) text.push(Number((value >> (8n * i)) & 255n));
    }
    const length = text.indexOf(0);
    return Buffer.from(text.slice(0, length < 0 ? 15 : length)).toString(encoding);
  }

  for (;;) {
    if (end - at < RECORD_BYTES_MAX) fill(RECORD_BYTES_MAX);
    if (at >= end) return;
    const head = bytes[at++]!;
    r.op = head & 63;
    if (r.op === LOG.SAMPLE) {
      const length = number();
      if (!(length <= TEXT_BYTES_MAX)) {
        throw new UserError(`${path}: found an observation of ${length} bytes, expected at most ${TEXT_BYTES_MAX}`);
      }
      if (end - at < length) fill(length);
      r.text = bytes.toString('utf8', at, at + length);
      at += length;
      r.slots = 0;
      visit(r);
      continue;
    }
    if ((head & 128) !== 0) r.thread = number();
    r.ticks += number();
    const step = number();
    address += step % 2 === 0 ? step / 2 : -(step + 1) / 2;
    r.address = address;
    r.slots = 1;
    if (r.op === LOG.THREAD_EXIT || r.op === LOG.MODULE || r.op === LOG.PLACE) {
      r.text = name(r.op === LOG.THREAD_EXIT ? 'utf8' : 'latin1');
      r.slots = 2;
    } else if ((head & 64) !== 0) {
      r.a = number();
      r.b = number();
      r.slots = r.op === LOG.SEEN ? 0 : 2; // SEEN is the keeper's, not the ring's
    } else {
      unpack(r, number());
    }
    slot += r.slots;
    if (slot > untilSlot) return;
    visit(r);
  }
}

/** What a plain record holds in one number. */
function unpack(r: LogRecord, value: number): void {
  if (r.op === LOG.CALLOC || r.op === LOG.ECALLOC) {
    r.a = value >>> 16;
    r.b = value & 0xffff;
  } else if (r.op === LOG.MEMALIGN) {
    r.a = 2 ** (value >>> 18);
    r.b = value & 0x3ffff;
  } else {
    r.a = value;
    r.b = 0;
  }
}

/** Sizes that no trace can hold are those that nobody can have. */
export function cutNumber(value: number): number {
  return value > NUMBER_MAX ? NUMBER_MAX : value;
}

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
  PLACE: 35,
  ZEND_USAGE: 40,
  ZEND_PEAK: 41,
  ZEND_LIMIT: 42,
  MALLCTL: 43,
  MAPPED: 44,
  UNMAPPED: 45,
  CREATES: 46,
  CREATED: 47,
  JOINED: 48,
  ADVISED: 49,
} as const;

/** Of the second argument of RESIDENT, WRITTEN and SEEN: these pages are huge, and could not be read. */
const PAGES_HUGE = 2 ** 44;
/** … the call itself has written them. */
const PAGES_KNOWN = 2 ** 45;
/** … they are parts of huge pages, and have the pattern. */
const PAGES_FILLED = 2 ** 46;
/** … they are parts of huge pages, and have zeros. */
const PAGES_ZEROS = 2 ** 47;

/** The second argument of RESIDENT, WRITTEN and SEEN. */
export function pagesIn(word: number) {
  const has = (flag: number) => Math.floor(word / flag) % 2 === 1;
  return {
    count: word % PAGES_HUGE,
    isHuge: has(PAGES_HUGE),
    isKnown: has(PAGES_KNOWN),
    areFilled: has(PAGES_FILLED),
    areZeros: has(PAGES_ZEROS),
  };
}

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
  /** Its number in this log, from 0. */
  index: number;
  /** That of the last record of an allocation, this one or one before. */
  lastAllocation: number;
  lastAllocationOp: number;
}

const CHUNK_BYTES = 1 << 20;
/** What the keeper writes at a sample: a process's files of /proc. */
const TEXT_BYTES_MAX = 1 << 28;
/** No record but SAMPLE is longer. */
const RECORD_BYTES_MAX = 64;

/** The part of a log that a process shares with what it was forked from, or all of it. */
export interface LogPart {
  readonly path: string;
  /** As the process itself has it. */
  readonly ownPid: number;
  readonly startTicks: number;
  /** Slots from here on came after the fork. */
  readonly untilSlot: number;
}

type Visit = (record: LogRecord) => void;

/** All records, in order, from the start to `untilSlot`. */
export function forEachRecord(part: LogPart, visit: Visit): void {
  readRecords(part, visit, false);
}

/**
 * The same without the calls that follow another record of their thread: they are counted, and `lastAllocation` is kept. Of
 * the calls that are visited only operation, thread and number are known. Returns how many records there are.
 */
export function forEachSpecialRecord(part: LogPart, visit: Visit): number {
  return readRecords(part, visit, true);
}

function readRecords(part: LogPart, visit: Visit, skipsCalls: boolean): number {
  const fd = openSync(part.path, 'r');
  try {
    const chunks = createChunks(fd);
    const decode = createDecoder(part, visit, skipsCalls);
    for (;;) {
      chunks.fill(RECORD_BYTES_MAX);
      if (chunks.at >= chunks.end) return decode.count();
      const at = decode.records(chunks.bytes, chunks.at, chunks.end);
      if (at < 0) return decode.count() - 1;
      chunks.at = Math.min(at, chunks.end);
      if (at < chunks.end && (chunks.bytes[at]! & 63) === LOG.SAMPLE) decode.sample(chunks);
    }
  } finally {
    closeSync(fd);
  }
}

type Chunks = ReturnType<typeof createChunks>;

/** A file piece by piece: the bytes from `at` to `end` are at hand. */
function createChunks(fd: number) {
  let isAtEnd = false;
  const chunks = {
    /** Zeros stand behind the end of the file, so that no number runs on. */
    bytes: Buffer.alloc(CHUNK_BYTES + RECORD_BYTES_MAX),
    at: 0,
    end: 0,
    /** Sees to it that so many bytes are at hand, if the file has them. */
    fill(needed: number): void {
      if (chunks.end - chunks.at >= needed || isAtEnd) return;
      const room = Math.max(CHUNK_BYTES, needed);
      const old = chunks.bytes;
      if (room + RECORD_BYTES_MAX > old.length) chunks.bytes = Buffer.alloc(room + RECORD_BYTES_MAX);
      old.copy(chunks.bytes, 0, chunks.at, chunks.end);
      chunks.end -= chunks.at;
      chunks.at = 0;
      while (!isAtEnd && chunks.end < room) {
        const n = readSync(fd, chunks.bytes, chunks.end, room - chunks.end, null);
        if (n === 0) isAtEnd = true;
        chunks.end += n;
      }
      if (isAtEnd) chunks.bytes.fill(0, chunks.end);
    },
  };
  return chunks;
}

/** Where the number that was read last ends. */
let next = 0;

/** A number of more than one byte. */
function longNumber(bytes: Uint8Array, from: number): number {
  let at = from;
  let byte = bytes[at++]!;
  let value = byte & 127;
  let unit = 128;
  while (byte >= 128 && at < bytes.length) {
    byte = bytes[at++]!;
    value += (byte & 127) * unit;
    unit *= 128;
  }
  next = at;
  return value;
}

/** Up to 15 bytes, the lowest first, in two numbers that a double could not hold. */
function shortText(bytes: Uint8Array, from: number, encoding: 'utf8' | 'latin1'): string {
  const text: number[] = [];
  let at = from;
  for (let k = 0; k < 2; k++) {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++] ?? 0;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
    }
    for (let i = 0n; i < 8n; i++) text.push(Number((value >> (8n * i)) & 255n));
  }
  next = at;
  const length = text.indexOf(0);
  return Buffer.from(text.slice(0, length < 0 ? 15 : length)).toString(encoding);
}

/** malloc … free, emalloc … efree: their addresses are steps. */
const IS_CALL = Uint8Array.from({ length: 64 }, (_, op) =>
  Number((op >= LOG.MALLOC && op <= LOG.FREE) || (op >= LOG.EMALLOC && op <= LOG.EFREE)),
);
const IS_ALLOCATION = Uint8Array.from({ length: 64 }, (_, op) =>
  Number(IS_CALL[op] === 1 && ![LOG.FREE, LOG.REALLOC_BEGIN, LOG.EFREE, LOG.EREALLOC_BEGIN].includes(op as never)),
);

function createDecoder({ path, startTicks, untilSlot }: LogPart, visit: Visit, skipsCalls: boolean) {
  const r: LogRecord = {
    op: 0, thread: 0, ticks: startTicks, address: 0, a: 0, b: 0, text: '', slots: 0, index: -1, lastAllocation: -1, lastAllocationOp: 0,
  }; // biome-ignore format: a record
  let address = 0;
  let slot = 0;

  /** Decodes what is whole: up to a sample, or where a record may reach beyond `end`. Where it got; -1: that is all. */
  function records(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    let byte: number;
    while (at < end) {
      const head = bytes[at]!;
      const op = head & 63;
      if (op === LOG.SAMPLE || (end - at < RECORD_BYTES_MAX && at > from)) return at;
      at++;
      r.op = op;
      r.index++;
      if (head >= 128) {
        r.thread = longNumber(bytes, at);
        at = next;
      }
      if (IS_ALLOCATION[op] === 1) {
        r.lastAllocation = r.index;
        r.lastAllocationOp = op;
      }
      if (skipsCalls && IS_CALL[op] === 1) {
        for (let numbers = (head & 64) !== 0 ? 4 : 3; numbers > 0; numbers--) while (bytes[at++]! >= 128);
        slot += (head & 64) !== 0 ? 2 : 1;
        if (slot > untilSlot) return -1;
        if (head >= 128) visit(r);
        continue;
      }
      byte = bytes[at]!;
      if (byte < 128) {
        r.ticks += byte;
        at++;
      } else {
        r.ticks += longNumber(bytes, at);
        at = next;
      }
      byte = bytes[at]!;
      let place = byte;
      if (byte < 128) {
        at++;
      } else {
        place = longNumber(bytes, at);
        at = next;
      }
      if (IS_CALL[op] === 1) {
        address += place % 2 === 0 ? place / 2 : -(place + 1) / 2;
        place = address;
      }
      r.address = place;
      at = rest(bytes, at, head);
      slot += r.slots;
      if (slot > untilSlot) return -1;
      visit(r);
    }
    return at;
  }

  /** What stands behind the address. */
  function rest(bytes: Uint8Array, at: number, head: number): number {
    const { op } = r;
    r.slots = 1;
    if ((head & 64) === 0) {
      unpack(r, longNumber(bytes, at));
    } else if (op === LOG.THREAD_EXIT || op === LOG.MODULE || op === LOG.PLACE) {
      r.text = shortText(bytes, at, op === LOG.THREAD_EXIT ? 'utf8' : 'latin1');
      r.slots = 2;
    } else {
      r.a = longNumber(bytes, at);
      r.b = longNumber(bytes, next);
      r.slots = op === LOG.SEEN ? 0 : 2; // SEEN is the keeper's, not the ring's
    }
    return next;
  }

  function sample(chunks: Chunks): void {
    r.op = LOG.SAMPLE;
    r.index++;
    const length = longNumber(chunks.bytes, chunks.at + 1);
    if (!(length <= TEXT_BYTES_MAX)) {
      throw new UserError(`${path}: found an observation of ${length} bytes, expected at most ${TEXT_BYTES_MAX}`);
    }
    chunks.at = next;
    chunks.fill(length);
    const until = Math.min(chunks.end, chunks.at + length);
    r.text = chunks.bytes.toString('utf8', chunks.at, until);
    chunks.at = until;
    r.slots = 0;
    visit(r);
  }

  return { records, sample, count: () => r.index + 1 };
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

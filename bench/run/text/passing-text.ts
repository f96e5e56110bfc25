import { closeSync, createReadStream, existsSync, openSync, readSync, statSync } from 'node:fs';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { assert, UserError } from '../../../sim/contract/assert.ts';
import type { EventBuffer, PassingTrace, Rows } from '../../../sim/contract/event.ts';
import { hasRoomForThreads } from '../../../workloads/files/address-space.ts';
import { unpackerOf } from '../../../workloads/trace/compression.ts';
import { NeedsWholeTrace, type PassingOrder } from '../../../workloads/trace/passing.ts';
import { createTraceParser } from '../../../workloads/trace/text/parser.ts';
import { DamagedDataError, MAGIC_BYTES, unpacked } from '../../../workloads/trace/unpacked.ts';
import { hasTimes } from '../choose-time.ts';
import { threadsRest } from '../threads-rest.ts';
import { createRowRing, objectSlotsSoFar, rowsOfRing } from './row-ring.ts';
import type { TextMessage, TextTask } from './text-worker.ts';

/** A shorter text is read before the thread for it has started. Compressed, a fifth of it. */
const TEXT_BYTES = 16 * 2 ** 20;
const PACKED_BYTES = TEXT_BYTES / 5;
/** So much of its beginning is looked at before the thread is trusted with it. */
const HEAD_BYTES = 1 << 19;
/** Objects at a time that there is room for; what is not used is not committed. */
const OBJECT_SLOTS = 2 ** 24;
const LF = 10;
const PERCENT = 37;

const WORKER_FILE = new URL(
  import.meta.url.includes('/dist/') ? './text-worker.js' : '../../../dist/bench/run/text/text-worker.js',
  import.meta.url,
);

export interface PassingTextOptions {
  /** As `openPassingTrace` takes it: a trace with times passes in file order alone. */
  readonly order: PassingOrder;
  /** A trace of which so many bytes are requested at a time needs another machine. */
  readonly requestedPeakBytes: number;
  /** Default: of what length reading beside the execution is worth a thread. */
  readonly leastBytes?: number;
}

/**
 * A long trace in text form, plain or compressed, of one thread without marks, call sites or observations, that another thread reads while
 * it is executed; undefined for any other. `rows` throws NeedsWholeTrace where it turns out later to be another.
 */
export async function openPassingText(path: string, options: PassingTextOptions): Promise<PassingTrace | undefined> {
  const bytes = hasRoomForThreads() && existsSync(WORKER_FILE) ? textBytes(path, options.leastBytes) : undefined;
  if (bytes === undefined) return undefined;
  const first = openReader(path, options); // starts beside what follows
  const start = await startOf(path);
  if (start && (options.order === 'file' || !hasTimes(start)))
    return passingText(path, options, start, first, (start.length * bytes) / HEAD_BYTES);
  void first.close(); // beside what is done instead
  return undefined;
}

/** Of a regular file that begins as text does, or as what is compressed, and is long enough: its length; NaN where it is packed. */
function textBytes(path: string, leastBytes?: number): number | undefined {
  const first = new Uint8Array(MAGIC_BYTES);
  let fd: number | undefined;
  try {
    const stats = statSync(path);
    if (!stats.isFile()) return undefined; // a pipe can be opened once
    fd = openSync(path, 'r');
    readSync(fd, first, 0, MAGIC_BYTES, 0);
    if (unpackerOf(first, path)) return stats.size >= (leastBytes ?? PACKED_BYTES) ? NaN : undefined;
    return first[0] === PERCENT && stats.size >= (leastBytes ?? TEXT_BYTES) ? stats.size : undefined;
  } catch {
    return undefined; // whoever reads the whole says why
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** The trace as far as its beginning goes, with all headers; undefined where it is damaged, or none that may pass. */
async function startOf(path: string): Promise<EventBuffer | undefined> {
  const parts = unpacked(createReadStream(path, { end: HEAD_BYTES - 1 }), path, 'a trace');
  const parser = createTraceParser();
  let left = HEAD_BYTES;
  try {
    for await (const part of parts) {
      const piece = part.subarray(0, left);
      left -= piece.length;
      const end = left > 0 ? piece.length : piece.lastIndexOf(LF) + 1; // not half a line
      parser.push(piece.subarray(0, end));
      if (left === 0) break;
    }
    const start = parser.finish();
    return start.length > 0 && isPlain(start) ? start : undefined;
  } catch (error) {
    if (error instanceof UserError || error instanceof DamagedDataError) return undefined;
    throw error;
  }
}

function isPlain(events: EventBuffer): boolean {
  const { begins, marks, frames, observations, hasRequestEvents, requestFrees } = events;
  const isOfMore = begins.length > 0 || marks.rows.length > 0 || frames.length > 1 || observations.length > 0;
  return !isOfMore && !hasRequestEvents && requestFrees.length === 0;
}

/** A thread that reads the text, and the rows that come from it. */
interface Reader {
  readonly rows: Rows;
  readonly labels: readonly string[];
  objectSlots(): number;
  workedMs(): number;
  /** Undefined until the last piece of rows is there. */
  end(): Extract<TextMessage, { length: number }> | undefined;
  close(): Promise<void>;
}

function openReader(path: string, { requestedPeakBytes, order }: PassingTextOptions): Reader {
  const ring = createRowRing();
  const { port1: port, port2 } = new MessageChannel();
  const limits = { objectSlots: OBJECT_SLOTS, requestedPeakBytes, mayBeTimed: order === 'file' };
  const task: TextTask = { path, ring, port: port2, ...limits };
  const worker = new Worker(WORKER_FILE, { workerData: task, transferList: [port2] });
  let failure: unknown;
  worker.on('error', (error) => (failure = error));
  worker.unref();
  port.unref();
  const labels: string[] = [];
  let end: ReturnType<Reader['end']>;

  function hear(message: TextMessage): void {
    if ('labels' in message) labels.push(...message.labels);
    else if ('length' in message) end = message;
    else if ('unfit' in message) throw new NeedsWholeTrace();
    else if ('userError' in message) throw new UserError(message.userError);
    else throw Object.assign(message.error, message.system);
  }

  function listen(hasEnded: boolean): void {
    for (let said = receiveMessageOnPort(port); said; said = receiveMessageOnPort(port)) hear(said.message);
    assert(!hasEnded || end !== undefined, `the thread that reads a text ended without a word: ${failure}`);
  }

  return {
    rows: rowsOfRing(ring, listen),
    labels,
    objectSlots: () => objectSlotsSoFar(ring),
    workedMs: () => ring.workedMs[0]!,
    end: () => end,
    async close() {
      port.close();
      await threadsRest();
      await worker.terminate();
    },
  };
}

function passingText(
  path: string,
  options: PassingTextOptions,
  start: EventBuffer,
  first: Reader,
  expectedLength: number,
): PassingTrace {
  const readers = [first];
  const { head: _head, slot: _slot, a: _a, b: _b, sites: _sites, ...summary } = start;
  return {
    ...summary,
    get length() {
      return first.end()?.length ?? Infinity;
    },
    get objectSlots() {
      return first.objectSlots();
    },
    get requestedPeakBytes() {
      return first.end()?.requestedPeakBytes ?? 0;
    },
    get exitRow() {
      return first.end()?.exitRow ?? -1;
    },
    labels: first.labels,
    objectSlotLimit: OBJECT_SLOTS,
    expectedLength: Number.isNaN(expectedLength) ? undefined : Math.round(expectedLength),
    rows: first.rows,
    workedMs: first.workedMs,
    again() {
      const reader = openReader(path, options);
      readers.push(reader);
      return reader.rows;
    },
    async close() {
      await Promise.all(readers.map((reader) => reader.close()));
    },
  };
}

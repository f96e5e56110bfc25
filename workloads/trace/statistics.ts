import {
  type EventBuffer,
  exactA,
  exactB,
  hasFailed,
  MARK_FAILED,
  MARK_UNWRITTEN,
  OP_BITS,
  OP_CALLOC,
  OP_CLOCK,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FORK,
  OP_FREE,
  OP_MALLOC,
  OP_MARKED,
  OP_MASK,
  OP_MEMALIGN,
  OP_REALLOC,
  OP_REQUEST_END,
  OP_SKIPPED,
  OP_THREAD_EXIT,
  type RecordedFacts,
  type Touch,
} from '../../sim/contract/event.ts';
import type { Bytes, Ns } from '../../sim/contract/units.ts';
import { assumedWrites } from './assumed-writes.ts';
import { EVENT_FORMS, SIGNS } from './event-forms.ts';

/** What there is in a trace, independent of any allocator. */
export interface TraceStatistics {
  readonly name: string;
  readonly source: string;
  readonly touch: Touch;
  readonly events: number;
  readonly skipped: number;
  /** By the name of the line. */
  readonly eventCounts: Readonly<Record<string, number>>;
  readonly threads: number;
  readonly threadsPeak: number;
  readonly recordedNs: Ns;
  readonly allocations: number;
  readonly allocatedBytes: Bytes;
  readonly requestedPeakBytes: Bytes;
  readonly liveBlocksPeak: number;
  readonly liveBlocksAtEnd: number;
  readonly liveBytesAtEnd: Bytes;
  /** Allocations that failed in the recorded program; not among the others. */
  readonly failedAllocations: number;
  /** Allocating events whose writes are in the trace. */
  readonly knownWrites: number;
  /** Bytes of large blocks of a recording of which it is assumed what was written. */
  readonly assumedWriteBytes: Bytes;
  readonly frees: number;
  /** Frees by another thread than the one that allocated the block. */
  readonly crossThreadFrees: number;
  /** Allocations by size: above the bound of the row before, up to this one. */
  readonly sizes: readonly { readonly upTo: Bytes; readonly blocks: number; readonly bytes: Bytes }[];
  /** Freed blocks by the count of events between allocation and free. */
  readonly lifetimes: readonly { readonly upToEvents: number; readonly blocks: number }[];
  readonly labels: readonly string[];
  /** The event with which the program begins to exit; null where that is not known. */
  readonly exitEvent: number | null;
  readonly callSites: number;
  /** Samples at which the kernel's figures are known too. */
  readonly observations: number;
  readonly recorded: RecordedFacts;
}

/** What an event is called, by its operation. */
export const EVENT_NAMES: readonly string[] = eventNames();

function eventNames(): string[] {
  const names: string[] = [];
  for (const { op, name } of [...EVENT_FORMS, ...SIGNS]) names[op] = name;
  names[OP_SKIPPED] = 'left out';
  return names;
}

export function traceStatistics(events: EventBuffer): TraceStatistics {
  const { head, slot, a, b, length, begins, requestFrees } = events;
  const counts = new Float64Array(32);
  const size = new Float64Array(events.objectSlots);
  const bornRow = new Int32Array(events.objectSlots);
  const bornThread = new Int32Array(events.objectSlots);
  const isLive = new Uint8Array(events.objectSlots);
  // By the count of binary digits: of the size, and of the lifetime.
  const sizeBlocks = new Float64Array(54);
  const sizeBytes = new Float64Array(54);
  const lifetimeBlocks = new Float64Array(33);
  let liveBlocks = 0;
  let liveBlocksPeak = 0;
  let liveBytes = 0;
  let allocations = 0;
  let allocatedBytes = 0;
  let frees = 0;
  let crossThreadFrees = 0;
  let recordedNs = 0;
  let threadsAlive = 1;
  let threadsPeak = 1;
  let nextBegin = 0;
  // The k-th thread that began: slots are used again, and a free by the next thread in a slot is one by another thread.
  const threadOfSlot = new Int32Array(events.threadSlots);

  function count(bytes: number): void {
    allocations++;
    allocatedBytes += bytes;
    sizeBlocks[digits(bytes)]!++;
    sizeBytes[digits(bytes)]! += bytes;
  }

  function born(row: number, s: number, bytes: number): void {
    count(bytes);
    size[s] = bytes;
    bornRow[s] = row;
    bornThread[s] = threadOfSlot[head[row]! >>> OP_BITS]!;
    isLive[s] = 1;
    liveBytes += bytes;
    if (++liveBlocks > liveBlocksPeak) liveBlocksPeak = liveBlocks;
  }

  function died(row: number, s: number): void {
    frees++;
    if (bornThread[s] !== threadOfSlot[head[row]! >>> OP_BITS]) crossThreadFrees++;
    lifetimeBlocks[digits(row - bornRow[s]!)]!++;
    isLive[s] = 0;
    liveBytes -= size[s]!;
    liveBlocks--;
  }

  function take(row: number): void {
    const op = head[row]! & OP_MASK;
    const s = slot[row]!;
    counts[op]!++;
    if ((head[row]! & OP_MARKED) !== 0 && hasFailed(events, row)) return;
    switch (op) {
      case OP_MALLOC:
      case OP_EMALLOC:
        born(row, s, exactA(events, row));
        break;
      case OP_CALLOC:
      case OP_ECALLOC:
        born(row, s, exactA(events, row) * exactB(events, row));
        break;
      case OP_MEMALIGN:
        born(row, s, exactB(events, row));
        break;
      case OP_REALLOC:
      case OP_EREALLOC:
        if (a[row] === 0) {
          died(row, s);
        } else {
          const bytes = exactA(events, row);
          count(bytes);
          liveBytes += bytes - size[s]!;
          size[s] = bytes;
        }
        break;
      case OP_FREE:
      case OP_EFREE:
        died(row, s);
        break;
      case OP_REQUEST_END:
        for (let i = a[row]!; i < a[row]! + b[row]!; i++) died(row, requestFrees[i]!);
        break;
      case OP_CLOCK:
        recordedNs += b[row]! * 2 ** 32 + a[row]!;
        break;
      case OP_THREAD_EXIT:
        threadsAlive--;
        break;
      case OP_FORK:
        threadsAlive = 1;
        break;
      default:
    }
  }

  for (let row = 0; row < length; row++) {
    for (; nextBegin < begins.length && begins[nextBegin]!.row === row; nextBegin++) {
      threadOfSlot[begins[nextBegin]!.thread] = nextBegin + 1;
      if (++threadsAlive > threadsPeak) threadsPeak = threadsAlive;
    }
    take(row);
  }

  const used = (table: Float64Array) => [...table.keys()].filter((bits) => table[bits]! > 0);
  return {
    name: events.name,
    source: events.source,
    touch: events.touch,
    events: length,
    skipped: events.skipped,
    eventCounts: Object.fromEntries(used(counts).map((op) => [EVENT_NAMES[op]!, counts[op]!])),
    threads: begins.length + 1,
    threadsPeak,
    recordedNs,
    allocations,
    allocatedBytes,
    requestedPeakBytes: events.requestedPeakBytes,
    liveBlocksPeak,
    liveBlocksAtEnd: liveBlocks,
    liveBytesAtEnd: liveBytes,
    failedAllocations: marksWith(events, MARK_FAILED),
    knownWrites: marksWith(events, MARK_UNWRITTEN),
    assumedWriteBytes: assumedWrites(events, events.length),
    frees,
    crossThreadFrees,
    sizes: used(sizeBlocks).map((bits) => ({
      upTo: 2 ** bits - 1,
      blocks: sizeBlocks[bits]!,
      bytes: sizeBytes[bits]!,
    })),
    lifetimes: used(lifetimeBlocks).map((bits) => ({ upToEvents: 2 ** bits - 1, blocks: lifetimeBlocks[bits]! })),
    labels: events.labels,
    exitEvent: events.exitRow < 0 ? null : events.exitRow,
    callSites: events.siteFrame.length - 1,
    observations: events.observations.length,
    recorded: events.recorded,
  };
}

function marksWith({ marks }: EventBuffer, flag: number): number {
  return marks.flags.reduce((count, flags) => count + ((flags & flag) === 0 ? 0 : 1), 0);
}

/** Binary digits of an unsigned number. */
function digits(value: number): number {
  return value < 2 ** 32 ? 32 - Math.clz32(value) : 32 + digits(Math.floor(value / 2 ** 32));
}

import type { CommonLines, LineCounters } from '../common-lines.ts';
import { BATCH_EVENTS } from './batch.ts';
import type { CompilerState } from './common-events.ts';
import { LIVE_BYTES, PEAK_BYTES } from './objects.ts';

/** Rows that `lines` reads out of a text, which shares the tables of the compiler. */
export interface LineRows {
  /** As `TraceCompiler.acceptLines`, of events that need nothing but the tables. */
  accept(from: number): number;
}

export function createLineRows(state: CompilerState, lines: CommonLines): LineRows {
  const { columns, objects, threads, clock } = state;
  const counters: LineCounters = {
    freeSlot: 0,
    objectSlots: 0,
    liveBytes: 0.5, // fields that hold doubles from the beginning
    peakBytes: 0.5,
    clockNs: 0.5,
    thread: 0,
    threadSlot: 0,
  };

  function accept(from: number): number {
    // The tables in common are as long as they can be: once they do not do, every line is read without.
    if (objects.size !== lines.sizes) return from;
    columns.reserve(BATCH_EVENTS);
    if (objects.slots + BATCH_EVENTS > objects.capacity) {
      objects.grow();
      return from;
    }
    show();
    const isOwn = columns.head.buffer === lines.head.buffer;
    const { rows, hasB, stopped } = lines.take(from, isOwn ? columns.count : 0, counters);
    if (!isOwn) copy(rows, hasB);
    columns.count += rows;
    take();
    return stopped;
  }

  function show(): void {
    counters.freeSlot = objects.freeSlot;
    counters.objectSlots = objects.slots;
    counters.liveBytes = objects.bytes[LIVE_BYTES]!;
    counters.peakBytes = objects.bytes[PEAK_BYTES]!;
    counters.clockNs = clock[0]!;
    counters.thread = threads.current;
    counters.threadSlot = threads.currentSlot;
  }

  function take(): void {
    objects.freeSlot = counters.freeSlot;
    objects.slots = counters.objectSlots;
    objects.bytes[LIVE_BYTES] = counters.liveBytes;
    objects.bytes[PEAK_BYTES] = counters.peakBytes;
    clock[0] = counters.clockNs;
    threads.current = counters.thread;
    threads.currentSlot = counters.threadSlot;
  }

  function copy(count: number, hasB: boolean): void {
    const row = columns.count;
    columns.head.set(lines.head.subarray(0, count), row);
    columns.slot.set(lines.slot.subarray(0, count), row);
    columns.a.set(lines.a.subarray(0, count), row);
    if (!hasB) return;
    const ofOthers = lines.b.subarray(0, count);
    columns.b.set(ofOthers, row);
    ofOthers.fill(0);
  }

  return { accept };
}

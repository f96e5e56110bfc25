import {
  type EventBuffer,
  MALLOPT_NAMES,
  NO_FACTS,
  NUMBER_MAX,
  type Observation,
  OP_CALLOC,
  OP_CLOCK,
  OP_CREATE,
  OP_CTL,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_EXIT,
  OP_FORK,
  OP_FREE,
  OP_GC,
  OP_JOIN,
  OP_MALLOC,
  OP_MASK,
  OP_MEMALIGN,
  OP_OPT,
  OP_REALLOC,
  OP_REQUEST_BEGIN,
  OP_REQUEST_END,
  OP_SAMPLE,
  OP_SHUTDOWN,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
  OP_TRIM,
  OP_WRITE,
} from '../../../sim/contract/event.ts';
import { packMallctl } from '../../../sim/contract/mallctl.ts';
import { sharedCopy } from '../columns.ts';
import { Annotations } from './annotations.ts';
import type { EventBatch } from './batch.ts';
import { createBlockEvents } from './block-events.ts';
import { acceptCommon, type CompilerState } from './common-events.ts';
import { EventColumns } from './event-columns.ts';
import { NUMBER_LIMIT, U32_MAX } from './limits.ts';
import { createLineRows } from './line-rows.ts';
import { Objects, PEAK_BYTES } from './objects.ts';
import { CLOCK_TOO_LARGE, FINE, type Refusal } from './refusal.ts';
import { RequestBlocks } from './request-blocks.ts';
import type { DrainedSoFar } from './row-drain.ts';
import { Threads } from './threads.ts';
import type { CompilerOptions, TraceCompiler, TraceHeader } from './trace-compiler.ts';

export function createTraceCompiler(options: CompilerOptions = {}): TraceCompiler {
  const { lines } = options;
  const columns = new EventColumns(options, soFar);
  const objects = new Objects(lines);
  const requestBlocks = new RequestBlocks(objects);
  const threads = new Threads(columns, requestBlocks, lines);
  const clock = new Float64Array(1);
  const state: CompilerState = { columns, objects, threads, requestBlocks, clock, hasRequestEvents: false };
  const annotations = new Annotations(columns);
  const { callSites } = annotations;
  const blockEvents = createBlockEvents(state, annotations, options);
  const { refuse } = blockEvents;
  const lineRows = lines && createLineRows(state, lines);
  const labels: string[] = [];
  const labelIndex = new Map<string, number>();
  const observations: { row: number; values: Observation['values'] }[] = [];
  let exitRow = -1;

  function soFar(): DrainedSoFar {
    return {
      objectSlots: objects.slots,
      requestedPeakBytes: objects.bytes[PEAK_BYTES]!,
      labels,
      isTimed: clock[0]! > 0,
      isPlain:
        threads.begins.length === 0 &&
        annotations.marks.count === 0 &&
        callSites.frameCount === 0 &&
        observations.length === 0 &&
        !state.hasRequestEvents &&
        requestBlocks.freed === 0,
    };
  }

  // ---- lines and batches

  /** Whether an event by a thread that is alive, of an object below 2^32 bytes, needs nothing but the tables. */
  function isCommon(): boolean {
    return !threads.isLeaving && blockEvents.isSimple;
  }

  function accept(batch: EventBatch, refused: (index: number, why: Refusal) => void): void {
    const { count } = batch;
    columns.reserve(count);
    while (objects.slots + count > objects.capacity) objects.grow();
    for (let i = 0; i < count; i++) {
      if (isCommon()) i = acceptCommon(state, batch, i);
      if (i === count) return;
      const why = acceptOne(batch.op[i]!, batch.fields, 4 * i);
      if (why !== FINE) refused(i, why);
    }
  }

  function acceptOne(op: number, fields: Int32Array, at: number): Refusal {
    const first = fields[at]!;
    const id = fields[at + 1]!;
    const third = fields[at + 2]!;
    const fourth = fields[at + 3]!;
    switch (op) {
      case OP_MALLOC:
        return blockEvents.malloc(first, id, third);
      case OP_FREE:
        return blockEvents.free(first, id);
      case OP_REALLOC:
        return blockEvents.realloc(first, id, third);
      case OP_CALLOC:
        return blockEvents.calloc(first, id, third, fourth);
      case OP_MEMALIGN:
        return blockEvents.memalign(first, id, third, fourth);
      case OP_WRITE:
        return blockEvents.write(first, id, third, fourth);
      case OP_EMALLOC:
        return blockEvents.emalloc(first, id, third);
      case OP_EFREE:
        return blockEvents.efree(first, id);
      case OP_EREALLOC:
        return blockEvents.erealloc(first, id, third);
      case OP_ECALLOC:
        return blockEvents.ecalloc(first, id, third, fourth);
      default:
        return advance(first);
    }
  }

  // ---- events that are about no block

  /** An event of a thread, of which no more is to be seen to. */
  function emit(op: number, thread: number, a = 0, b = 0): void {
    columns.emit(op, threads.act(thread), 0, a, b);
  }

  function emitOfRequest(op: number, thread: number): void {
    state.hasRequestEvents = true;
    emit(op, thread);
  }

  function requestEnd(thread: number): void {
    const t = threads.act(thread);
    state.hasRequestEvents = true;
    const first = requestBlocks.freed;
    requestBlocks.freeAll(threads.requestList(t));
    columns.emit(OP_REQUEST_END, t, 0, first, requestBlocks.freed - first);
  }

  function advance(ns: number): Refusal {
    threads.releaseLeavingSlot();
    const now = clock[0]! + ns;
    if (now >= NUMBER_LIMIT) return refuse(CLOCK_TOO_LARGE, threads.currentSlot);
    clock[0] = now;
    columns.emit(OP_CLOCK, threads.currentSlot, 0, ns >>> 0, Math.floor(ns / 2 ** 32));
    return FINE;
  }

  function sample(text: string): void {
    threads.releaseLeavingSlot();
    const label = oneLine(text);
    let index = labelIndex.get(label);
    if (index === undefined) {
      index = labels.push(label) - 1;
      labelIndex.set(label, index);
    }
    columns.emit(OP_SAMPLE, threads.currentSlot, 0, index, 0);
  }

  function threadExit(thread: number): void {
    // trace-format.md: the main thread's exit is ignored
    emit(thread === 0 ? OP_THREAD_BEGIN : OP_THREAD_EXIT, thread);
    if (thread !== 0) threads.exit(thread);
  }

  function observe(values: Observation['values']): boolean {
    if (columns.count === 0 || (columns.head[columns.count - 1]! & OP_MASK) !== OP_SAMPLE) return false;
    const last = observations.at(-1);
    const row = columns.length - 1;
    if (last?.row === row) last.values = [...last.values, ...values];
    else observations.push({ row, values });
    return true;
  }

  function finish(header: TraceHeader): EventBuffer {
    columns.finish();
    const { head, slot, a, b, length } = columns;
    return {
      length,
      head,
      slot,
      a,
      b,
      touch: header.touch,
      name: oneLine(header.name),
      source: oneLine(header.source),
      labels,
      objectSlots: objects.slots,
      threadSlots: threads.slots,
      begins: threads.begins,
      requestedPeakBytes: Math.min(objects.bytes[PEAK_BYTES]!, NUMBER_MAX),
      hasRequestEvents: state.hasRequestEvents,
      requestFrees: sharedCopy(requestBlocks.frees),
      skipped: blockEvents.skipped,
      marks: annotations.marks.finish(),
      ...callSites.finish(length),
      observations,
      recorded: header.recorded ?? NO_FACTS,
      exitRow,
    };
  }

  return {
    annotate: (annotation) => annotations.annotate(annotation),
    malloc: blockEvents.malloc,
    calloc: blockEvents.calloc,
    realloc: blockEvents.realloc,
    memalign: blockEvents.memalign,
    free: blockEvents.free,
    emalloc: blockEvents.emalloc,
    ecalloc: blockEvents.ecalloc,
    erealloc: blockEvents.erealloc,
    efree: blockEvents.efree,
    write: blockEvents.write,
    requestBegin: (thread) => emitOfRequest(OP_REQUEST_BEGIN, thread),
    requestEnd,
    trim: (thread, pad) => annotations.emit(OP_TRIM, threads.act(thread), 0, pad, 0, 0),
    mallopt: (thread, name, value) =>
      columns.emit(OP_OPT, threads.act(thread), MALLOPT_NAMES.indexOf(name), value >>> 0, 0),
    mallctl: (thread, call) => emit(OP_CTL, thread, packMallctl(call), call.value >>> 0),
    clock: advance,
    sample,
    threadBegin: (thread) => emit(OP_THREAD_BEGIN, thread),
    threadExit,
    threadCreate: (thread, other) => emit(OP_CREATE, thread, other),
    threadJoin: (thread, other, ns) => emit(OP_JOIN, thread, other, Math.min(ns, U32_MAX)),
    exit(thread) {
      if (exitRow < 0) exitRow = columns.length;
      emit(OP_EXIT, thread);
    },
    fork(thread) {
      emit(OP_FORK, thread);
      threads.fork(thread);
    },
    gc: (thread) => emitOfRequest(OP_GC, thread),
    shutdown: (thread) => emitOfRequest(OP_SHUTDOWN, thread),
    observe,
    addFrame: callSites.addFrame,
    addSite: callSites.addSite,
    get frameCount() {
      return callSites.frameCount;
    },
    get siteCount() {
      return callSites.siteCount;
    },
    acceptLines: (from) => (lineRows && isCommon() && !state.hasRequestEvents ? lineRows.accept(from) : from),
    accept,
    skip() {
      threads.releaseLeavingSlot();
      refuse(FINE, threads.currentSlot);
    },
    get length() {
      return columns.length;
    },
    isAlive: (thread) => threads.isAlive(thread),
    sizeOf(id) {
      const s = objects.ids.get(id);
      return s === 0 ? -1 : objects.sizeOf(s);
    },
    nextSlot: () => objects.nextSlot,
    finish,
  };
}

/** A text that can stand in a line of the text form, and comes back as it was. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ').trimStart();
}

import { InvariantError, UserError } from '../sim/contract/assert.ts';
import type { EventBuffer, Frame, MalloptName, Observation, RecordedFacts, Touch } from '../sim/contract/event.ts';
import type { Mallctl } from '../sim/contract/mallctl.ts';
import { roomForRows } from './trace/columns.ts';
import {
  type Annotation,
  BLOCK_TOO_LARGE,
  createTraceCompiler,
  FINE,
  type Refusal,
  U32_MAX,
} from './trace/compiler.ts';

/** Names a live block of a workload under construction. */
export type BlockId = number & { readonly __unit?: 'block' };

/**
 * How a generator writes its workload: calls in the order of the trace, each by a thread. Threads are numbered as the
 * generator likes, 0 is the main one; a thread begins at its first event. Breaking a rule of traces is a mistake of the
 * generator and throws.
 */
export interface EventBuilder {
  /** Says of the next event, an allocating one, what it has beside its arguments. */
  annotate(annotation: Annotation): void;
  malloc(thread: number, size: number): BlockId;
  calloc(thread: number, count: number, size: number): BlockId;
  memalign(thread: number, align: number, size: number): BlockId;
  /** The block keeps its id; size 0 frees it. */
  realloc(thread: number, block: BlockId, size: number): void;
  free(thread: number, block: BlockId): void;
  emalloc(thread: number, size: number): BlockId;
  ecalloc(thread: number, count: number, size: number): BlockId;
  erealloc(thread: number, block: BlockId, size: number): void;
  efree(thread: number, block: BlockId): void;
  requestBegin(thread: number): void;
  /** Releases every live e-block of the thread; their ids are not to be used again. */
  requestEnd(thread: number): void;
  write(thread: number, block: BlockId, offset: number, length: number): void;
  trim(thread: number, pad: number): void;
  mallopt(thread: number, name: MalloptName, value: number): void;
  mallctl(thread: number, call: Mallctl): void;
  /** The clock advances. */
  clock(ns: number): void;
  sample(label: string): void;
  threadBegin(thread: number): void;
  threadExit(thread: number): void;
  /** The thread makes another one. */
  threadCreate(thread: number, other: number): void;
  /** The thread has waited so long, ns, for the exit of another one. */
  threadJoin(thread: number, other: number, ns: number): void;
  /** The program begins to exit. */
  exit(thread: number): void;
  /** The process begins here as a copy of its parent, of whose threads only this one lives on. */
  fork(thread: number): void;
  /** gc_mem_caches() */
  gc(thread: number): void;
  /** The thread's heap of PHP ends, with what it still holds. */
  shutdown(thread: number): void;
  /** What the kernel said at the sample that was the last event. */
  observe(values: Observation['values']): void;
  /** As in TraceCompiler. */
  addFrame(frame: Frame): number;
  addSite(parent: number, frame: number): number;
  /** Events so far. */
  readonly length: number;
  sizeOf(block: BlockId): number;
  finish(recorded?: RecordedFacts): EventBuffer;
}

export interface BuilderOptions {
  readonly name: string;
  readonly source?: string;
  readonly touch?: Touch;
  /** Blocks may be larger than 2^32 - 1 bytes (version 2 of the format). */
  readonly wide?: boolean;
  /** Events that are expected. */
  readonly rows?: number;
}

/** 4 GiB of columns. */
const EVENTS_MAX = 2 ** 28;

export function createEventBuilder(options: BuilderOptions): EventBuilder {
  if (options.rows !== undefined && options.rows > EVENTS_MAX) {
    throw new UserError(`${options.name}: found ${options.rows} events, expected at most ${EVENTS_MAX}`);
  }
  if (options.rows !== undefined) roomForRows(options.name, options.rows);
  const compiler = createTraceCompiler({
    source: options.name,
    rows: options.rows ?? 65536,
    narrow: options.wide !== true,
  });

  /** A block that is too large comes from the parameters; anything else is a mistake of the generator. */
  function fine(refusal: Refusal): void {
    if (refusal !== FINE) throw mistake(refusal); // what to say is written only when it has to be said
  }

  function mistake(refusal: Refusal): Error {
    return refusal === BLOCK_TOO_LARGE
      ? new UserError(`${options.name}: found a block of more than ${U32_MAX} bytes, expected smaller ones`)
      : new InvariantError(
          `event ${compiler.length - 1} of workload ${options.name} breaks a rule of traces (${refusal})`,
        );
  }

  function alive(block: BlockId): void {
    if (compiler.sizeOf(block) < 0) throw new InvariantError(`workload ${options.name} reallocates a dead block`);
  }

  return {
    annotate: compiler.annotate,
    // The next free slot is a number that no live block has, and a small one: it serves as the id.
    malloc(thread, size) {
      const id = compiler.nextSlot();
      fine(compiler.malloc(thread, id, size));
      return id;
    },
    calloc(thread, count, size) {
      const id = compiler.nextSlot();
      fine(compiler.calloc(thread, id, count, size));
      return id;
    },
    memalign(thread, align, size) {
      const id = compiler.nextSlot();
      fine(compiler.memalign(thread, id, align, size));
      return id;
    },
    realloc(thread, block, size) {
      alive(block);
      fine(compiler.realloc(thread, block, size));
    },
    free: (thread, block) => fine(compiler.free(thread, block)),
    emalloc(thread, size) {
      const id = compiler.nextSlot();
      fine(compiler.emalloc(thread, id, size));
      return id;
    },
    ecalloc(thread, count, size) {
      const id = compiler.nextSlot();
      fine(compiler.ecalloc(thread, id, count, size));
      return id;
    },
    erealloc(thread, block, size) {
      alive(block);
      fine(compiler.erealloc(thread, block, size));
    },
    efree: (thread, block) => fine(compiler.efree(thread, block)),
    requestBegin: (thread) => compiler.requestBegin(thread),
    requestEnd: (thread) => compiler.requestEnd(thread),
    write: (thread, block, offset, length) => fine(compiler.write(thread, block, offset, length)),
    trim: (thread, pad) => compiler.trim(thread, pad),
    mallopt: (thread, name, value) => compiler.mallopt(thread, name, value),
    mallctl: (thread, call) => compiler.mallctl(thread, call),
    clock: (ns) => fine(compiler.clock(ns)),
    sample: (label) => compiler.sample(label),
    threadBegin: (thread) => compiler.threadBegin(thread),
    threadExit: (thread) => compiler.threadExit(thread),
    threadCreate: (thread, other) => compiler.threadCreate(thread, other),
    threadJoin: (thread, other, ns) => compiler.threadJoin(thread, other, ns),
    exit: (thread) => compiler.exit(thread),
    fork: (thread) => compiler.fork(thread),
    gc: (thread) => compiler.gc(thread),
    shutdown: (thread) => compiler.shutdown(thread),
    observe(values) {
      if (!compiler.observe(values)) throw mistake(FINE);
    },
    addFrame: compiler.addFrame,
    addSite: compiler.addSite,
    get length() {
      return compiler.length;
    },
    sizeOf: (block) => compiler.sizeOf(block),
    finish: (recorded) =>
      compiler.finish({
        touch: options.touch ?? 'full',
        name: options.name,
        source: options.source ?? 'generated',
        ...(recorded && { recorded }),
      }),
  };
}

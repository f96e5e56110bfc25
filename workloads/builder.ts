import { InvariantError, UserError } from '../sim/contract/assert.ts';
import type { EventBuffer, Observation, RecordedFacts, Touch } from '../sim/contract/event.ts';
import { roomForRows } from './trace/columns.ts';
import { createTraceCompiler } from './trace/compiler/compiler.ts';
import { U32_MAX } from './trace/compiler/limits.ts';
import { BLOCK_TOO_LARGE, FINE, type Refusal } from './trace/compiler/refusal.ts';
import type { TraceCompiler } from './trace/compiler/trace-compiler.ts';

/** Names a live block of a workload under construction. */
export type BlockId = number & { readonly __unit?: 'block' };

/**
 * How a generator writes its workload: calls in the order of the trace, each by a thread. Threads are numbered as the
 * generator likes, 0 is the main one; a thread begins at its first event. Breaking a rule of traces is a mistake of the
 * generator and throws.
 */
export interface EventBuilder extends Pick<TraceCompiler, Passed> {
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
  write(thread: number, block: BlockId, offset: number, length: number): void;
  /** The clock advances. */
  clock(ns: number): void;
  /** What the kernel said at the sample that was the last event. */
  observe(values: Observation['values']): void;
  /** Events so far. */
  readonly length: number;
  sizeOf(block: BlockId): number;
  finish(recorded?: RecordedFacts): EventBuffer;
}

/** What the compiler of traces does as it is. A request's end releases every live e-block of its thread; their ids are not to be used again. */
type Passed = (typeof PASSED)[number];
const PASSED = [
  'annotate',
  'requestBegin',
  'requestEnd',
  'trim',
  'mallopt',
  'mallctl',
  'sample',
  'threadBegin',
  'threadExit',
  'threadCreate',
  'threadJoin',
  'exit',
  'fork',
  'gc',
  'shutdown',
  'addFrame',
  'addSite',
] as const satisfies readonly (keyof TraceCompiler)[];

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
    ...pick(compiler, PASSED),
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
    write: (thread, block, offset, length) => fine(compiler.write(thread, block, offset, length)),
    clock: (ns) => fine(compiler.clock(ns)),
    observe(values) {
      if (!compiler.observe(values)) throw mistake(FINE);
    },
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

function pick<T, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;
}

import type {
  EventBuffer,
  Frame,
  MalloptName,
  Observation,
  RecordedFacts,
  Touch,
} from '../../../sim/contract/event.ts';
import type { Mallctl } from '../../../sim/contract/mallctl.ts';
import type { CommonLines } from '../common-lines.ts';
import type { EventBatch } from './batch.ts';
import type { Refusal } from './refusal.ts';
import type { RowDrain } from './row-drain.ts';

export interface CompilerOptions {
  /** As in messages. */
  readonly source?: string;
  /** Rows that are expected; the columns grow beyond. */
  readonly rows?: number;
  /** Refuse blocks above 2^32 - 1 bytes, as version 1 of the format does. */
  readonly narrow?: boolean;
  /** Keep a free of a block that was freed already as a STALE_FREE, instead of refusing it. */
  readonly staleFrees?: boolean;
  /** Takes the rows; `finish` then gives none. */
  readonly drain?: RowDrain;
  /** Tables that are as empty as those of a new compiler, and who reads the commonest lines into them. */
  readonly lines?: CommonLines;
}

/**
 * Compiles events, given by the thread numbers and object ids of a trace, into an EventBuffer. All rules that concern
 * more than one line are here and nowhere else: what is live, who owns it, which slots are used again. The text reader
 * and the generators both write through it. Numbers must be in range (sizes, counts and offsets: NUMBER_MAX); names are
 * the trace's own.
 */
export interface TraceCompiler {
  /** Says of the next event, an allocating one, what it has beside its arguments. */
  annotate(annotation: Annotation): void;
  malloc(thread: number, id: number, size: number): Refusal;
  calloc(thread: number, id: number, count: number, size: number): Refusal;
  realloc(thread: number, id: number, size: number): Refusal;
  memalign(thread: number, id: number, align: number, size: number): Refusal;
  free(thread: number, id: number): Refusal;
  emalloc(thread: number, id: number, size: number): Refusal;
  ecalloc(thread: number, id: number, count: number, size: number): Refusal;
  erealloc(thread: number, id: number, size: number): Refusal;
  efree(thread: number, id: number): Refusal;
  write(thread: number, id: number, offset: number, length: number): Refusal;
  requestBegin(thread: number): void;
  requestEnd(thread: number): void;
  trim(thread: number, pad: number): void;
  mallopt(thread: number, name: MalloptName, value: number): void;
  mallctl(thread: number, call: Mallctl): void;
  clock(ns: number): Refusal;
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
  /** What the kernel said at the sample that was the last event; whether it was one. */
  observe(values: Observation['values']): boolean;
  /** The next frame of call stacks; returns its number, from 1. */
  addFrame(frame: Frame): number;
  /** The next call site: a frame that was added, called from a site that was added (0: nobody). Returns its number, from 1. */
  addSite(parent: number, frame: number): number;
  readonly frameCount: number;
  readonly siteCount: number;
  /**
   * Lines of the commonest forms that break no rule, from `from` on, which `CommonLines` has been shown: as many as stand there, at most
   * `BATCH_EVENTS`. Returns where the others begin.
   */
  acceptLines(from: number): number;
  /** A batch of events, in order; `refused` hears of each that breaks a rule. */
  accept(batch: EventBatch, refused: (index: number, why: Refusal) => void): void;
  /** An event that cannot be understood keeps its number. */
  skip(): void;
  /** Rows so far. */
  readonly length: number;
  /** Whether the thread has begun and not exited. */
  isAlive(thread: number): boolean;
  /** Requested size of a live object, -1 for a dead one. */
  sizeOf(id: number): number;
  /** The slot that the next new object gets. */
  nextSlot(): number;
  finish(header: TraceHeader): EventBuffer;
}

export interface TraceHeader {
  readonly touch: Touch;
  readonly name: string;
  readonly source: string;
  readonly recorded?: RecordedFacts;
}

export interface Annotation {
  /** The call site, 0 for none. */
  readonly site?: number;
  /** The allocation failed in the recorded program. */
  readonly failed?: boolean;
  /** What is written into the block is known: it is said by `w` lines alone. */
  readonly unwritten?: boolean;
}

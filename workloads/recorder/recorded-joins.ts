import type { EventBuilder } from '../builder.ts';
import type { LogRecord } from './log.ts';

// Threads that make others, and wait for them to exit (native/joins.c).

/** Which call made which thread: by pthread_t, which threads have one after the other. */
export interface ThreadMakers {
  /** By number in the log of the record CREATES: the thread that it makes, where that one has a record. */
  readonly madeAt: ReadonlyMap<number, number>;
  creates(r: LogRecord, index: number): void;
  created(r: LogRecord): void;
  begins(r: LogRecord, index: number): void;
}

export function createThreadMakers(): ThreadMakers {
  const madeAt = new Map<number, number>();
  const calling = new Map<number, number>(); // by thread: its last CREATES
  const toBegin = new Map<number, number>(); // by pthread_t: the CREATES of one that has no record yet
  const begun = new Map<number, { readonly index: number; readonly thread: number }>(); // that has one before its maker's call came back
  return {
    madeAt,
    creates: (r, index) => void calling.set(r.thread, index),
    created(r) {
      const call = calling.get(r.thread);
      const first = begun.get(r.address);
      if (call === undefined) return;
      if (!first || first.index < call) toBegin.set(r.address, call);
      else madeAt.set(call, first.thread);
      begun.delete(r.address);
    },
    begins(r, index) {
      const call = toBegin.get(r.address);
      if (call === undefined) begun.set(r.address, { index, thread: r.thread });
      else madeAt.set(call, r.thread);
      toBegin.delete(r.address);
    },
  };
}

/** Writes them into a trace. */
export interface RecordedJoins {
  /** `made`: the thread that the call makes. */
  creates(r: LogRecord, made: number | undefined): void;
  /** The first record of a thread. Where nobody is known to have made it a trace says nothing: it begins with its first event. */
  begins(r: LogRecord): void;
  exits(r: LogRecord): void;
  joined(r: LogRecord): void;
}

export function createRecordedJoins(builder: EventBuilder, nsPerTick: number): RecordedJoins {
  const made = new Set<number>();
  /** By pthread_t: the last thread that has exited with it, and was not waited for yet. */
  const exited = new Map<number, number>();
  return {
    creates(r, other) {
      if (other === undefined) return;
      made.add(other);
      builder.threadCreate(r.thread, other);
    },
    begins(r) {
      if (made.has(r.thread)) builder.threadBegin(r.thread);
    },
    exits: (r) => void exited.set(r.address, r.thread),
    joined(r) {
      const other = exited.get(r.address);
      if (other === undefined) return; // it has allocated nothing
      exited.delete(r.address);
      builder.threadJoin(r.thread, other, Math.round(r.a * nsPerTick));
    },
  };
}

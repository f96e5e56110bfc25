import type { Beginning } from '../contract/beginning.ts';
import type { EventBuffer, PassingTrace } from '../contract/event.ts';
import * as traced from '../contract/event.ts';
import { joinSlots } from './joins.ts';
import {
  CHUNK_END,
  LG_CHUNK_WORDS,
  LG_RECORD_WORDS,
  type ProgramOrder,
  RECORD_WORDS,
  sharedInt32,
} from './program-order.ts';
import { FRESH_SLOTS, SLOTS_MAX } from './slots.ts';
import type { TraceThreads } from './thread-rows.ts';

/** Of a thread, before it gets a second chunk. */
const FIRST_RECORDS = 4;

/** Of a trace that passes: its one thread has no more events ahead than a piece. */
const PASSING_CHUNKS = 64;
/** Room for the order of a trace that is not read yet. */
export function emptyOrder(
  events: EventBuffer | PassingTrace,
  traceThreads: TraceThreads,
  beginning: Beginning,
): ProgramOrder {
  const { ids, bornAfter, takenBy, taken, named } = traceThreads;
  const threads = ids.length;
  const forks = taken.length - 1;
  const needed = Math.ceil((events.length * RECORD_WORDS) / CHUNK_END) + 2 * threads + 1;
  const chunks = traced.isPassing(events) ? Math.min(needed, PASSING_CHUNKS) : needed;
  // Of a trace that passes those alive at a time, and those whose frees may still be ahead.
  const used = traced.isPassing(events) ? events.objectSlotLimit + (chunks << LG_CHUNK_WORDS) : events.length;
  const slotLimit = Math.min(used + forks + joinSlots(named, threads) + (threads + 1) * FRESH_SLOTS, SLOTS_MAX);
  // Each thread has a chunk from the beginning; chunk 0 is none. The first events lie at its end: what happens at the end of a chunk is
  // then known to the host's compiler before it compiles anything.
  const first = Int32Array.from(ids, (_, t) => ((t + 1) << LG_CHUNK_WORDS) + CHUNK_END - FIRST_RECORDS * RECORD_WORDS);
  return {
    threads,
    ids,
    bornAfter,
    takenBy,
    taken,
    first,
    tail: beginning.keep(first.slice()),
    records: sharedInt32(chunks << LG_CHUNK_WORDS),
    extra: sharedInt32(chunks << (LG_CHUNK_WORDS - LG_RECORD_WORDS)),
    needs: sharedInt32(chunks << (LG_CHUNK_WORDS - LG_RECORD_WORDS)),
    requestFrees: sharedInt32(events.requestFrees.length),
    requestNeeds: sharedInt32(events.requestFrees.length),
    marks: events.marks,
    slotLimit,
  };
}

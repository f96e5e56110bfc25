import { ROWS_MAX } from '../lines/layout.ts';

/**
 * Events on their way from the parser to the compiler: those that consist of numbers only, as they stand in the lines.
 * Each side's loop is then short and keeps its tables in registers, and the batch stays in the first-level cache.
 */
export interface EventBatch {
  count: number;
  /** Operation codes of sim/contract/event.ts. */
  readonly op: Uint8Array;
  /** Four numbers an event, each below 2^31: thread, object id and the arguments; the clock's has nanoseconds alone. */
  readonly fields: Int32Array;
  /** Where the line of each event starts. */
  readonly lineStart: Int32Array;
}

/** As many as lines are read by WebAssembly at a time. */
export const BATCH_EVENTS = ROWS_MAX;

export function createEventBatch(): EventBatch {
  return {
    count: 0,
    op: new Uint8Array(BATCH_EVENTS),
    fields: new Int32Array(4 * BATCH_EVENTS),
    lineStart: new Int32Array(BATCH_EVENTS),
  };
}

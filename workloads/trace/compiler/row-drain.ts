import type { EventBuffer } from '../../../sim/contract/event.ts';

/** Takes rows out of a compiler as they come, a piece at a time: a trace of any length then needs room for one piece. */
export interface RowDrain {
  /** Of a piece; the last one may have fewer. */
  readonly pieceRows: number;
  /** Copies the first `count` rows, which are gone behind it. */
  take(rows: Pick<EventBuffer, 'head' | 'slot' | 'a' | 'b'>, count: number, soFar: DrainedSoFar): void;
}

/** What is known of the trace up to the rows of a piece, and a little further. */
export interface DrainedSoFar {
  readonly objectSlots: number;
  readonly requestedPeakBytes: number;
  readonly labels: readonly string[];
  /** Whether the clock has moved. */
  readonly isTimed: boolean;
  /** One thread, no marks, call sites or observations, no request events: the rows and the labels say everything. */
  readonly isPlain: boolean;
}

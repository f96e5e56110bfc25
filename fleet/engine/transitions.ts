import { averageAfter, averageCells } from '../../allocators/zend/deciding-state.ts';
import { assert } from '../../sim/contract/assert.ts';

/** A request by its number, and how many ends of PHP requests are in it: none or one. */
export interface RequestNumber {
  readonly request: number;
  readonly requestEnds: number;
}

/**
 * What requests lead to, from states that have numbers.
 *
 *   state 7 ── request 3, avg_chunks_count in cell 2|1 ──► peak of 4 chunks ── new average in cell 3|2 ──► T
 *
 * avg_chunks_count takes a new value at nearly every request but decides by whole numbers alone: it is carried beside the state, by the same
 * arithmetic as the real one's, and only the cells that it lies in are part of what is known.
 */
export class Transitions<T> {
  private readonly hasAverage: boolean;
  private readonly peaks = new Map<string, number>();
  private readonly known = new Map<string, T>();

  constructor(hasAverage: boolean) {
    this.hasAverage = hasAverage;
  }

  /** @returns what is known, and the average behind it. */
  lookUp(
    state: number,
    { request, requestEnds }: RequestNumber,
    average: number,
  ): { readonly known: T; readonly average: number } | undefined {
    const key = this.keyOf(state, request, average);
    if (!this.hasAverage || requestEnds === 0) {
      const known = this.known.get(key);
      return known && { known, average };
    }
    const peak = this.peaks.get(key);
    if (peak === undefined) return undefined;
    const next = averageAfter(average, peak);
    const known = this.known.get(`${key} ${averageCells(next).dropsFrom}`);
    return known && { known, average: next };
  }

  /** `before` and `after`: the average. */
  remember(state: number, { request, requestEnds }: RequestNumber, before: number, after: number, known: T): void {
    const key = this.keyOf(state, request, before);
    if (!this.hasAverage || requestEnds === 0) {
      assert(!this.hasAverage || before === after, 'avg_chunks_count moves at the end of a request alone');
      this.known.set(key, known);
      return;
    }
    const peak = before === 0 && after === 0 ? 0 : Math.round(2 * after - before);
    // A heap that begins with this request has an average of 1 before its end.
    if (averageAfter(before, peak) !== after) return;
    this.peaks.set(key, peak);
    this.known.set(`${key} ${averageCells(after).dropsFrom}`, known);
  }

  private keyOf(state: number, request: number, average: number): string {
    if (!this.hasAverage) return `${state} ${request}`;
    const { keepsBelow, dropsFrom } = averageCells(average);
    return `${state} ${request} ${keepsBelow} ${dropsFrom}`;
  }
}

import { type EventBuffer, OP_BITS } from '../../../sim/contract/event.ts';
import { mostRows, roomForRows, sharedBytes, sharedInt32, sharedUint32 } from '../columns.ts';
import type { CommonLines } from '../common-lines.ts';
import { BATCH_EVENTS } from './batch.ts';
import type { DrainedSoFar, RowDrain } from './row-drain.ts';
import type { CompilerOptions } from './trace-compiler.ts';

type RowColumns = Pick<EventBuffer, 'head' | 'slot' | 'a' | 'b'>;

/**
 * The columns of a trace under construction.
 *
 *   rows    0 ──────────┬──────────────┬────────┐
 *             drained   │    count     │  free  │
 *             before    │    rows      │        │
 *                       └── the columns, capacity rows ──┘
 *
 * Without a drain nothing is drained, and the columns grow.
 */
export class EventColumns {
  head: Int32Array;
  slot: Int32Array;
  a: Uint32Array;
  b: Uint32Array;
  /** Rows in the columns. */
  count = 0;
  drained = 0;
  capacity: number;
  private readonly source: string;
  private readonly drain: RowDrain | undefined;
  private readonly soFar: () => DrainedSoFar;

  constructor({ source = '(trace)', rows = 4096, drain, lines }: CompilerOptions, soFar: () => DrainedSoFar) {
    this.source = source;
    this.drain = drain;
    this.soFar = soFar;
    const expected = Math.max(1024, Math.ceil(rows));
    this.capacity = drain ? drain.pieceRows + BATCH_EVENTS : Math.min(expected, Math.max(1024, mostRows()));
    const columns = drain ? columnsToDrain(this.capacity, lines) : sharedColumns(this.capacity);
    this.head = columns.head;
    this.slot = columns.slot;
    this.a = columns.a;
    this.b = columns.b;
  }

  /** Rows so far. */
  get length(): number {
    return this.drained + this.count;
  }

  emit(op: number, t: number, s: number, first: number, second: number): void {
    const row = this.count;
    if (row === this.capacity) {
      this.makeRoom(1);
      this.emit(op, t, s, first, second);
      return;
    }
    // Fresh columns are zero: what is not written is not committed, and a page fault costs more than this whole function.
    this.head[row] = (t << OP_BITS) | op;
    if (s !== 0) this.slot[row] = s;
    if (first !== 0) this.a[row] = first;
    if (second !== 0) this.b[row] = second;
    this.count = row + 1;
  }

  /** Room for so many rows more: at most those of a batch. */
  reserve(count: number): void {
    if (this.count + count > this.capacity) this.makeRoom(count);
  }

  /** Behind it no row is left where rows are drained. */
  finish(): void {
    if (!this.drain) return;
    while (this.count > this.drain.pieceRows) this.drainRows(this.drain, this.drain.pieceRows);
    this.drainRows(this.drain, this.count);
  }

  private makeRoom(count: number): void {
    if (this.drain) this.drainRows(this.drain, this.drain.pieceRows);
    else this.grow(this.count + count);
  }

  private grow(needed: number): void {
    let { capacity } = this;
    // By a factor of four: what is copied costs, what is too long is not committed.
    while (capacity < needed) capacity *= 4;
    // The old columns are still there when the new ones are filled.
    capacity = Math.min(capacity, roomForRows(this.source, needed));
    const grown = (old: Int32Array | Uint32Array) => {
      const buffer = sharedBytes(capacity, 4);
      new Uint32Array(buffer).set(old);
      return buffer;
    };
    this.head = new Int32Array(grown(this.head));
    this.slot = new Int32Array(grown(this.slot));
    this.a = new Uint32Array(grown(this.a));
    this.b = new Uint32Array(grown(this.b));
    this.capacity = capacity;
  }

  /** Hands over the first `count` rows; what is behind them moves to the front. */
  private drainRows({ take }: RowDrain, count: number): void {
    const { head, slot, a, b, count: rows } = this;
    take({ head, slot, a, b }, count, this.soFar());
    for (const column of [head, slot, a, b]) {
      column.copyWithin(0, count, rows);
      column.fill(0, rows - count, rows);
    }
    this.count -= count;
    this.drained += count;
  }
}

function sharedColumns(capacity: number): RowColumns {
  const [a, b] = [sharedUint32(capacity), sharedUint32(capacity)];
  return { head: sharedInt32(capacity), slot: sharedInt32(capacity), a, b };
}

/** Those that `lines` writes into, where they are long enough. */
function columnsToDrain(capacity: number, lines: CommonLines | undefined): RowColumns {
  if (lines && capacity <= lines.head.length) return lines;
  const [a, b] = [new Uint32Array(capacity), new Uint32Array(capacity)];
  return { head: new Int32Array(capacity), slot: new Int32Array(capacity), a, b };
}

import { type Marks, NO_MARKS } from '../../sim/contract/event.ts';
import { sharedBytes } from './columns.ts';

/** Collects the marks of a buffer (event.ts), in row order. */
export interface MarksBuilder {
  add(row: number, op: number, flags: number, a: number, b: number): void;
  readonly count: number;
  finish(): Marks;
}

export function createMarksBuilder(): MarksBuilder {
  let capacity = 0;
  let count = 0;
  let marks = NO_MARKS;

  function grow(): void {
    capacity = Math.max(256, capacity * 2);
    const grown = createMarks(capacity);
    grown.rows.set(marks.rows);
    grown.ops.set(marks.ops);
    grown.flags.set(marks.flags);
    grown.a.set(marks.a);
    grown.b.set(marks.b);
    marks = grown;
  }

  return {
    add(row, op, flags, a, b) {
      if (count === capacity) grow();
      marks.rows[count] = row;
      marks.ops[count] = op;
      marks.flags[count] = flags;
      marks.a[count] = a;
      marks.b[count] = b;
      count++;
    },
    get count() {
      return count;
    },
    finish: () => {
      if (count === 0) return NO_MARKS;
      const { rows, ops, flags, a, b } = marks;
      return {
        rows: rows.subarray(0, count),
        ops: ops.subarray(0, count),
        flags: flags.subarray(0, count),
        a: a.subarray(0, count),
        b: b.subarray(0, count),
      };
    },
  };
}

/** Columns over shared memory, as those of the events. */
export function createMarks(count: number): Marks {
  return {
    rows: new Int32Array(sharedBytes(count, 4)),
    ops: new Uint8Array(sharedBytes(count, 1)),
    flags: new Uint8Array(sharedBytes(count, 1)),
    a: new Float64Array(sharedBytes(count, 8)),
    b: new Float64Array(sharedBytes(count, 8)),
  };
}

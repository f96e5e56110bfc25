import {
  MARK_FAILED,
  MARK_UNWRITTEN,
  MARK_WIDE,
  type Marks,
  NUMBER_MAX,
  OP_MARKED,
} from '../../../sim/contract/event.ts';
import { PIECE_ROWS, type RowTables } from '../common-rows.ts';
import { U32_MAX } from '../compiler/limits.ts';

/** The mark of the row that is looked at, and its arguments without the limit of 32 bits. */
export class RowMarks {
  flags = 0;
  first = 0;
  second = 0;
  private readonly marks: Marks;
  private readonly tables: RowTables;
  private next = 0;

  constructor(marks: Marks, tables: RowTables) {
    this.marks = marks;
    this.tables = tables;
  }

  get hasMore(): boolean {
    return this.next < this.marks.rows.length;
  }

  /** Rows are looked at in order. Says what is wrong with the mark. */
  lookAt(row: number): string | undefined {
    const { head, a, b } = this.tables;
    const place = row & (PIECE_ROWS - 1);
    this.flags = 0;
    this.first = a[place]!;
    this.second = b[place]!;
    return (head[place]! & OP_MARKED) === 0 ? undefined : this.lookAtMark(row, this.next++);
  }

  private lookAtMark(row: number, mark: number): string | undefined {
    const { rows, flags, a, b } = this.marks;
    if (rows[mark] !== row) return 'a mark that is missing';
    const [first, second] = [a[mark]!, b[mark]!];
    const isRight =
      flags[mark] !== 0 &&
      (flags[mark]! & ~(MARK_FAILED | MARK_UNWRITTEN | MARK_WIDE)) === 0 &&
      ((flags[mark]! & MARK_WIDE) !== 0) === Math.max(first, second) > U32_MAX &&
      first <= NUMBER_MAX &&
      second <= NUMBER_MAX &&
      this.first === Math.min(first, U32_MAX) &&
      this.second === Math.min(second, U32_MAX);
    this.flags = flags[mark]!;
    this.first = first;
    this.second = second;
    return isRight ? undefined : 'a mark that does not fit';
  }
}
